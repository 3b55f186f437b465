import {
  createRandom,
  type ElementArray,
  elementCount,
  expectedWeights,
  type ModelSizes,
  rotaryFrequencies,
  roundElements,
  type WeightEntry,
  type WeightSchema,
  type WeightSource,
  type WeightType,
} from '../src/index.ts';
import { weightSource } from '../src/weights/source.ts';

/** A prime: rows of a matrix, of any length, do not repeat soon. */
const DRAWS = 65_521;

export interface RandomModelOptions {
  readonly seed?: number | undefined;
  /** Type that the tensors are stored in; f32 by default. */
  readonly dtype?: WeightType | undefined;
}

/**
 * Random weights of a model of any size, made as they are read: matrices that keep the size of what they multiply, gains
 * near 1, small offsets. Every tensor begins at another place of one list of normal draws.
 */
export function randomModel(
  schema: WeightSchema,
  sizes: ModelSizes,
  { seed = 1, dtype = 'f32' }: RandomModelOptions = {},
): WeightSource {
  const random = createRandom(seed);
  const draws = Float32Array.from(random.normals(DRAWS));
  const starts = new Map<string, number>();
  const entries = new Map<string, WeightEntry>();
  for (const { name, shape } of expectedWeights(schema, sizes)) {
    const byteLength = elementCount(shape)! * (dtype === 'f32' ? 4 : 2);
    starts.set(name, Math.floor(random.uniform() * DRAWS));
    entries.set(name, { name, dtype, shape, byteLength });
  }
  const file = `random ${schema.model}`;
  return weightSource({
    name: file,
    format: 'safetensors',
    entries,
    async readElements(name, start, end): Promise<ElementArray> {
      const { shape } = entries.get(name)!;
      const { scale, offset } = spreadOf(name, shape);
      const values = new Float32Array(end - start);
      if (name.endsWith('.freqs')) {
        values.set(rotaryFrequencies(2 * shape[0]!).subarray(start, end));
      } else {
        let at = (starts.get(name)! + start) % DRAWS;
        for (let i = 0; i < values.length; i++) {
          values[i] = offset + scale * draws[at]!;
          at = at + 1 === DRAWS ? 0 : at + 1;
        }
      }
      return roundElements(values, 'f32', dtype, { file, field: name });
    },
  });
}

function spreadOf(name: string, shape: readonly number[]): { scale: number; offset: number } {
  if (shape.length > 1) return { scale: 1 / Math.sqrt(elementCount(shape.slice(1))!), offset: 0 };
  return { scale: 0.1, offset: /\.(weight|g)$/.test(name) ? 1 : 0 };
}

/** MindEye2 of one subject at its published size (Scotti et al. 2024): 4096 hidden units, 256 tokens of 1664, a prior of depth 6. */
export const MINDEYE2_PUBLISHED: ModelSizes = {
  extents: new Map(
    Object.entries({
      h: 4096,
      'voxels[0]': 15_724,
      seq: 1,
      tokens: 256,
      clip: 1664,
      blurChannels: 64,
      top: 128,
      middle: 64,
      narrow: 32,
      latent: 4,
      maps: 512,
      mapsOut: 512,
      buckets: 32,
      rotary: 16,
      heads: 32,
      headDim: 52,
      inner: 6656,
      timeInner: 3328,
    }),
  ),
  counts: new Map(Object.entries({ subject: 1, block: 4, layer: 6 })),
  groups: new Set(['blurry', 'prior']),
};
