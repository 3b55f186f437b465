import { pacer } from '../../data/pause.ts';
import { driftBasis } from './timing.ts';

/**
 * Time in one block, in float64. H takes frames to volumes, [volumes, frames]: the first `lead` frames were shown before
 * the block, unknown; they are estimated with the others and thrown away. M takes the drift away, M = I - QQᵀ with
 * orthonormal polynomials Q. Responses are short beside a block and drifts are few, so neither HᵀMH nor its largest
 * eigenvalue takes more than the band of HᵀH and the few columns of HᵀQ.
 */
export interface TimeSystem {
  readonly kernel: Float64Array;
  readonly volumes: number;
  readonly frames: number;
  readonly lead: number;
  /** HᵀH from the diagonal to the right, [frames, lead + 1]. */
  readonly band: Float64Array;
  /** Columns of Q, [volumes] each, and of HᵀQ, [frames] each. */
  readonly drift: readonly Float64Array[];
  readonly seen: readonly Float64Array[];
  /** Largest eigenvalue of HᵀMH, and mean of its diagonal over the frames of the block itself. */
  readonly largest: number;
  readonly mean: number;
}

/** Time in one block as the device takes it. */
export interface TimeMatrices {
  /** HᵀMH, [frames, frames]. */
  readonly gram: Float32Array;
  /** HᵀM, [frames, volumes]. */
  readonly adjoint: Float32Array;
  /** DᵀD of the differences D between successive frames, [frames, frames]. */
  readonly roughness: Float32Array;
}

const POWER_ITERATIONS = 40;
const WHAT = 'the inversion';

/** @param degree of the drift of the block; -1: none */
export async function timeSystem(
  volumes: number,
  kernel: Float64Array,
  degree: number,
  signal: AbortSignal | undefined,
): Promise<TimeSystem> {
  const lead = kernel.length - 1;
  const frames = lead + volumes;
  const drift = degree < 0 ? [] : driftBasis(new Array<string>(volumes).fill(''), degree);
  const breathe = pacer(signal, WHAT);
  const seen = drift.map(() => new Float64Array(frames));
  for (let i = 0; i < frames; i++) {
    for (let t = Math.max(0, i - lead); t <= Math.min(volumes - 1, i); t++) {
      const weight = kernel[t + lead - i]!;
      for (const [k, column] of drift.entries()) seen[k]![i]! += weight * column[t]!;
    }
    await breathe();
  }
  const band = await bandOf(volumes, kernel, breathe);
  let trace = 0;
  for (let i = lead; i < frames; i++) {
    trace += band[i * (lead + 1)]! - seen.reduce((sum, column) => sum + column[i]! ** 2, 0);
  }
  const system = { kernel, volumes, frames, lead, band, drift, seen, mean: trace / volumes };
  return { ...system, largest: await largestEigenvalue(system, breathe) };
}

/** HᵀH from the diagonal to the right. Between the borders of a block its rows are all the same. */
async function bandOf(volumes: number, kernel: Float64Array, breathe: () => Promise<void> | undefined) {
  const lead = kernel.length - 1;
  const frames = lead + volumes;
  const between = Float64Array.from(kernel, (_, d) => overlap(kernel, d, d, lead));
  const band = new Float64Array(frames * (lead + 1));
  for (let i = 0; i < frames; i++) {
    for (let d = 0; d <= lead && i + d < frames; d++) {
      // Volume t sees frame i through element t + lead - i of the kernel.
      const [from, to] = [Math.max(d, lead - i), Math.min(lead, volumes - 1 + lead - i)];
      const whole = from === d && to === lead;
      band[i * (lead + 1) + d] = whole ? between[d]! : overlap(kernel, d, from, to);
    }
    await breathe();
  }
  return band;
}

/** Sum of kernel[a] kernel[a - d] for a = from ... to. */
function overlap(kernel: Float64Array, d: number, from: number, to: number): number {
  let sum = 0;
  for (let a = from; a <= to; a++) sum += kernel[a]! * kernel[a - d]!;
  return sum;
}

/** By power iteration. */
async function largestEigenvalue(
  { frames, lead, band, seen }: Omit<TimeSystem, 'largest'>,
  breathe: () => Promise<void> | undefined,
): Promise<number> {
  let vector = new Float64Array(frames).fill(1 / Math.sqrt(frames));
  let eigenvalue = 0;
  for (let step = 0; step < POWER_ITERATIONS; step++) {
    const image = new Float64Array(frames);
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let j = Math.max(0, i - lead); j <= Math.min(frames - 1, i + lead); j++) {
        sum += band[Math.min(i, j) * (lead + 1) + Math.abs(i - j)]! * vector[j]!;
      }
      image[i] = sum;
      await breathe();
    }
    for (const column of seen) {
      const share = column.reduce((sum, value, i) => sum + value * vector[i]!, 0);
      for (let i = 0; i < frames; i++) image[i]! -= share * column[i]!;
    }
    eigenvalue = Math.sqrt(image.reduce((sum, value) => sum + value * value, 0));
    if (!(eigenvalue > 0)) return 0;
    vector = image.map((value) => value / eigenvalue);
  }
  return eigenvalue;
}

/** Writes the matrices out. */
export async function timeMatrices(
  { kernel, volumes, frames, lead, band, drift, seen }: TimeSystem,
  signal: AbortSignal | undefined,
): Promise<TimeMatrices> {
  const breathe = pacer(signal, WHAT);
  const gram = new Float32Array(frames * frames);
  const adjoint = new Float32Array(frames * volumes);
  const roughness = new Float32Array(frames * frames);
  for (let i = 0; i < frames; i++) {
    const far = drift.length > 0;
    for (let j = far ? 0 : Math.max(0, i - lead); j < (far ? frames : Math.min(frames, i + lead + 1)); j++) {
      const apart = Math.abs(i - j);
      let value = apart > lead ? 0 : band[Math.min(i, j) * (lead + 1) + apart]!;
      for (const column of seen) value -= column[i]! * column[j]!;
      gram[i * frames + j] = value;
    }
    for (let t = far ? 0 : Math.max(0, i - lead); t < (far ? volumes : Math.min(volumes, i + 1)); t++) {
      let value = kernel[t + lead - i] ?? 0;
      for (const [k, column] of seen.entries()) value -= column[i]! * drift[k]![t]!;
      adjoint[i * volumes + t] = value;
    }
    if (i > 0) roughness[i * frames + i - 1] = -1;
    if (i + 1 < frames) roughness[i * frames + i + 1] = -1;
    roughness[i * frames + i] = (i > 0 ? 1 : 0) + (i + 1 < frames ? 1 : 0);
    await breathe();
  }
  return { gram, adjoint, roughness };
}
