import type { Backend } from '../backend.ts';
import type { OpOptions } from '../ops/index.ts';
import { createRandom, type Random } from '../random.ts';
import type { Rows } from '../rows.ts';
import { drawPictures, type Pictures } from './pictures.ts';
import { createSubject, FilterBank, respondToPictures } from './subject.ts';

export interface PopulationOptions {
  seed: number;
  /** Side of the pictures in pixels. */
  size: number;
  /** Extent of the pictures in degrees of visual angle. */
  degrees: number;
  subjects: number;
  /** Of each subject. */
  voxels: number;
  pictures: number;
  /** Features of each picture that a visual cortex could tell about. */
  features: number;
  /** Features beside those that nothing in these brains tells about: a vision network knows more than V1 does. */
  hiddenFeatures?: number | undefined;
  /** Standard deviation of the noise of one trial over that of a voxel's responses to pictures. */
  noise: number;
}

/** Several people who look at one collection of pictures, each with a visual cortex of its own. */
export interface Population {
  readonly pictures: Pictures;
  /**
   * [pictures, features + hiddenFeatures]: what a network of vision would say of them, here responses of units without
   * noise, drawn apart from all subjects, of mean 0 and variance 1 over the pictures; the hidden ones are independent
   * normals.
   */
  readonly features: Rows & { readonly data: Float32Array };
  /** Responses of a subject to one presentation of each of these pictures, with fresh noise: [trials, voxels]. */
  betas(subject: number, pictures: readonly number[]): Rows & { readonly data: Float32Array };
}

/** Draws pictures and subjects. Deterministic for a seed and backend family; noise follows the order of the calls. */
export async function simulatePopulation(
  options: PopulationOptions,
  backend: Backend,
  { signal }: OpOptions = {},
): Promise<Population> {
  const { size, degrees, voxels, noise } = options;
  const random = createRandom(options.seed);
  const pictures = await drawPictures(options.pictures, size, random);
  const respond = async (units: number): Promise<Float64Array> => {
    const subject = createSubject({ voxels: units, size, degrees, stimulusSeconds: 3 }, random);
    const bank = new FilterBank(subject, backend);
    try {
      return standardised(await respondToPictures(bank, pictures.pixels, { signal }), units);
    } finally {
      bank.dispose();
    }
  };
  const { hiddenFeatures = 0 } = options;
  const width = options.features + hiddenFeatures;
  const visible = await respond(options.features);
  const features = new Float32Array(options.pictures * width);
  for (let picture = 0; picture < options.pictures; picture++) {
    features.set(
      visible.subarray(picture * options.features, (picture + 1) * options.features),
      picture * width,
    );
    features.set(random.normals(hiddenFeatures), picture * width + options.features);
  }
  const responses: Float64Array[] = [];
  const noises: Random[] = [];
  for (let s = 0; s < options.subjects; s++) {
    responses.push(await respond(voxels));
    noises.push(createRandom(options.seed * 1000 + s + 1));
  }
  return {
    pictures,
    features: { data: features, shape: [options.pictures, width] },
    betas(subject, shown) {
      const data = new Float32Array(shown.length * voxels);
      for (const [trial, picture] of shown.entries()) {
        for (let v = 0; v < voxels; v++) {
          const response = responses[subject]![picture * voxels + v]!;
          data[trial * voxels + v] = response + noise * noises[subject]!.normal();
        }
      }
      return { data, shape: [shown.length, voxels] };
    },
  };
}

/** Columns of mean 0 and variance 1; what never varies becomes 0. */
function standardised(rows: Float64Array, columns: number): Float64Array {
  const count = rows.length / columns;
  const result = new Float64Array(rows.length);
  for (let c = 0; c < columns; c++) {
    let mean = 0;
    for (let r = 0; r < count; r++) mean += rows[r * columns + c]! / count;
    let square = 0;
    for (let r = 0; r < count; r++) square += (rows[r * columns + c]! - mean) ** 2 / count;
    const scale = square > 1e-18 ? 1 / Math.sqrt(square) : 0;
    for (let r = 0; r < count; r++) result[r * columns + c] = (rows[r * columns + c]! - mean) * scale;
  }
  return result;
}
