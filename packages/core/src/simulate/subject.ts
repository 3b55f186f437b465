import type { Backend } from '../backend.ts';
import { gemm, type OpOptions } from '../ops/index.ts';
import type { Random } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { type ResponseShape, tabulateResponse } from './hrf.ts';

/** Linear filters of a voxel, in this order along the rows of `filters`. */
export const FILTERS_PER_VOXEL = 4; // centre, surround, even and odd phase of the oriented pair

/**
 * A simulated visual cortex. A voxel's drive is a signed centre-minus-surround luminance plus the energy of an
 * oriented filter pair, its response a compressive power of it. Receptive fields are elongated and heavy-tailed:
 * neither Gaussian nor linear, so that no decoder is given its own model back.
 */
export interface Subject {
  readonly voxels: number;
  /** Side of the pictures it sees, in pixels. */
  readonly size: number;
  /** Extent of the pictures in degrees of visual angle. */
  readonly degrees: number;
  /** Row-major [FILTERS_PER_VOXEL * voxels, size * size]; filter f of voxel v in row f * voxels + v. */
  readonly filters: Float32Array;
  readonly centreGain: Float64Array;
  readonly surroundGain: Float64Array;
  readonly energyGain: Float64Array;
  readonly threshold: Float64Array;
  /** Exponent of the compressive nonlinearity. */
  readonly exponent: Float64Array;
  /** Signal amplitude in percent of the baseline, for a response of one standard deviation. */
  readonly percentSignal: Float64Array;
  /** Receptive-field centres in degrees, x right, y up. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Response to one event, of each voxel's own shape (see `tabulateResponse`). */
  readonly responses: readonly Float64Array[];
}

export interface SubjectOptions {
  voxels: number;
  size: number;
  degrees: number;
  /** Seconds that a picture is shown. */
  stimulusSeconds: number;
}

export function createSubject(options: SubjectOptions, random: Random): Subject {
  const { voxels, size, degrees } = options;
  const values = () => new Float64Array(voxels);
  const subject = {
    voxels,
    size,
    degrees,
    filters: new Float32Array(FILTERS_PER_VOXEL * voxels * size * size),
    centreGain: values(),
    surroundGain: values(),
    energyGain: values(),
    threshold: values(),
    exponent: values(),
    percentSignal: values(),
    x: values(),
    y: values(),
    responses: [] as Float64Array[],
  };
  for (let v = 0; v < voxels; v++) {
    const field = drawField(degrees, random);
    subject.x[v] = field.x;
    subject.y[v] = field.y;
    fillFilters(subject.filters, v, voxels, size, degrees, field);
    subject.centreGain[v] = random.normal();
    subject.surroundGain[v] = 0.3 + 0.4 * random.uniform();
    subject.energyGain[v] = 0.4 + 1.2 * random.uniform();
    subject.threshold[v] = 0.1 + 0.3 * random.uniform();
    subject.exponent[v] = 0.35 + 0.4 * random.uniform();
    subject.percentSignal[v] = 0.8 * Math.exp(0.4 * random.normal());
    subject.responses.push(tabulateResponse(drawResponseShape(random), options.stimulusSeconds));
  }
  return subject;
}

interface Field {
  x: number;
  y: number;
  /** Radius of the centre in degrees. */
  radius: number;
  elongation: number;
  orientation: number;
  /** Cycles per degree of the oriented pair. */
  frequency: number;
}

/** Centres crowd around the fovea (cortical magnification ~ 1 / (eccentricity + .75)), sizes grow outwards. */
function drawField(degrees: number, random: Random): Field {
  const reach = 0.75 * degrees;
  const eccentricity = 0.75 * ((1 + reach / 0.75) ** random.uniform() - 1);
  const angle = 2 * Math.PI * random.uniform();
  const radius = (0.35 + 0.1 * eccentricity) * Math.exp(0.25 * random.normal());
  return {
    x: eccentricity * Math.cos(angle),
    y: eccentricity * Math.sin(angle),
    radius,
    elongation: 1 + 0.8 * random.uniform(),
    orientation: Math.PI * random.uniform(),
    frequency: (0.2 + 0.15 * random.uniform()) / radius,
  };
}

function drawResponseShape(random: Random): ResponseShape {
  const delay = 0.6 * random.normal();
  return {
    rise: Math.max(1.2, 2.6 + delay),
    fall: 6 + delay + 0.5 * random.normal(),
    end: 11 + delay + random.normal(),
    undershoot: 0.1 + 0.2 * random.uniform(),
  };
}

/** Heavy-tailed profile: falls with the fourth power of the distance, not with its exponential. */
const profile = (squaredDistance: number) => 1 / (1 + squaredDistance) ** 2;

function fillFilters(
  filters: Float32Array,
  voxel: number,
  voxels: number,
  size: number,
  degrees: number,
  field: Field,
): void {
  const pixels = size * size;
  const rows = Array.from({ length: FILTERS_PER_VOXEL }, (_, f) =>
    filters.subarray((f * voxels + voxel) * pixels, (f * voxels + voxel + 1) * pixels),
  );
  const [centre, surround, even, odd] = rows as [Float32Array, Float32Array, Float32Array, Float32Array];
  const cos = Math.cos(field.orientation);
  const sin = Math.sin(field.orientation);
  for (let i = 0; i < pixels; i++) {
    const dx = ((i % size) + 0.5) * (degrees / size) - degrees / 2 - field.x;
    const dy = degrees / 2 - (Math.floor(i / size) + 0.5) * (degrees / size) - field.y;
    const along = (dx * cos + dy * sin) / (field.radius * field.elongation);
    const across = (dy * cos - dx * sin) / field.radius;
    centre[i] = profile(along ** 2 + across ** 2);
    surround[i] = profile((dx ** 2 + dy ** 2) / (3 * field.radius) ** 2);
    const phase = 2 * Math.PI * field.frequency * (dy * cos - dx * sin);
    even[i] = centre[i]! * Math.cos(phase);
    odd[i] = centre[i]! * Math.sin(phase);
  }
  for (const row of rows) {
    const sum = centreSum(row);
    for (let i = 0; i < pixels; i++) row[i]! /= sum;
  }
}

/** Sum of magnitudes, so that a filter's output stays within the contrast of the picture. */
function centreSum(row: Float32Array): number {
  return row.reduce((sum, value) => sum + Math.abs(value), 0) + 1e-6;
}

/** A subject's filters on a device. */
export class FilterBank {
  readonly subject: Subject;
  readonly backend: Backend;
  /** [FILTERS_PER_VOXEL * voxels, pixels] */
  readonly filters: Tensor;

  constructor(subject: Subject, backend: Backend) {
    this.subject = subject;
    this.backend = backend;
    this.filters = backend.tensor(subject.filters, [FILTERS_PER_VOXEL * subject.voxels, subject.size ** 2]);
  }

  /** Outputs for pictures [count, size, size] minus mid-grey: row-major [count, FILTERS_PER_VOXEL * voxels]. */
  async outputs(pixels: Float32Array, options: OpOptions = {}): Promise<Float32Array> {
    const width = this.subject.size ** 2;
    const centred = pixels.map((value) => value - 0.5);
    const [outputs] = await this.backend.compute(() => {
      const pictures = this.backend.tensor(centred, [pixels.length / width, width]);
      return [gemm(pictures, this.filters, { transB: true, ...options })];
    });
    return outputs as Float32Array;
  }

  dispose(): void {
    this.filters.dispose();
  }
}

/** Keeps the square root of the energy differentiable at zero. */
const ENERGY_FLOOR = 1e-4;
/** Sharpness of the soft threshold. */
const SHARPNESS = 12;

/**
 * Response of one voxel to its four filter outputs, and its derivatives by them (for the oracle, which inverts
 * the true model).
 */
export function respond(
  subject: Subject,
  v: number,
  [centre, surround, even, odd]: readonly [number, number, number, number],
): { response: number; slopes: [number, number, number, number] } {
  const energy = Math.sqrt(even * even + odd * odd + ENERGY_FLOOR);
  const drive =
    subject.threshold[v]! +
    subject.centreGain[v]! * (centre - subject.surroundGain[v]! * surround) +
    subject.energyGain[v]! * energy;
  // softplus: a rectifier without a corner
  const rectified = Math.log1p(Math.exp(SHARPNESS * drive)) / SHARPNESS + 1e-6;
  const response = rectified ** subject.exponent[v]!;
  const slope = (subject.exponent[v]! * (response / rectified)) / (1 + Math.exp(-SHARPNESS * drive));
  const bySurround = -slope * subject.centreGain[v]! * subject.surroundGain[v]!;
  const byEnergy = (slope * subject.energyGain[v]!) / energy;
  return {
    response,
    slopes: [slope * subject.centreGain[v]!, bySurround, byEnergy * even, byEnergy * odd],
  };
}

/** Noise-free responses [count, voxels] to pictures [count, size, size], in arbitrary units. */
export async function respondToPictures(
  bank: FilterBank,
  pixels: Float32Array,
  options: OpOptions = {},
): Promise<Float64Array> {
  const { subject } = bank;
  const outputs = await bank.outputs(pixels, options);
  const { voxels } = subject;
  const count = outputs.length / (FILTERS_PER_VOXEL * voxels);
  const responses = new Float64Array(count * voxels);
  for (let i = 0; i < count; i++) {
    const row = i * FILTERS_PER_VOXEL * voxels;
    for (let v = 0; v < voxels; v++) {
      responses[i * voxels + v] = respond(subject, v, filterTuple(outputs, row, v, voxels)).response;
    }
  }
  return responses;
}

export function filterTuple(
  outputs: Float32Array,
  row: number,
  v: number,
  voxels: number,
): [number, number, number, number] {
  return [
    outputs[row + v]!,
    outputs[row + voxels + v]!,
    outputs[row + 2 * voxels + v]!,
    outputs[row + 3 * voxels + v]!,
  ];
}
