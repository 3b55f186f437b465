import { throwIfAborted } from '../../error.ts';
import { gather, type OpOptions } from '../../ops/index.ts';
import type { Fold } from '../ridge/types.ts';
import { type Encoding, type EncodingData, type EncodingSettings, fitEncoding } from './encoding.ts';
import type { Hrf } from './hrf.ts';
import { type InversionSettings, inversionModel, invertBlock, type Penalties } from './inversion.ts';
import { type NoiseModel, weighVoxels } from './noise.ts';
import { framesWithin, rowsOutsideGuard, type VolumePosition } from './timing.ts';

/** How an encoding model is inverted. */
export type Regularisation = Penalties & NoiseModel;

/** Training volumes that folds divide; also here, to compare and to invert. */
export interface TrainingSeries extends EncodingData {
  readonly host: {
    /** [n, v] */
    readonly voxels: Float32Array;
    /** [n, pixels] */
    readonly frames: Float32Array;
  };
}

export interface FoldProblem {
  readonly data: TrainingSeries;
  readonly encoding: EncodingSettings;
  readonly inversion: InversionSettings;
  readonly folds: readonly Fold[];
}

/** Receptive fields of one fold. */
export interface FoldFit {
  /** Held-out rows that are decoded and scored: those outside the guard. */
  readonly rows: Int32Array;
  readonly encoding: Encoding;
}

/** Scores of candidates in folds. */
export interface FoldScores {
  /** Mean correlation of held-out frames with their reconstructions, [folds][candidates]. */
  readonly table: readonly Float64Array[];
  /** Frames that count in each fold. */
  readonly frames: readonly number[];
}

/** Frames count whose variance over pixels is at least this part of the largest. */
const LEAST_CONTRAST = 0.1;

/**
 * Fits receptive fields to the training volumes of each fold alone. Volumes that still respond to frames which are not
 * training are not decoded either: what was shown during the test would reach the choices through them.
 */
export async function fitFolds(
  { data, encoding, folds }: FoldProblem,
  hrf: Hrf,
  options: OpOptions,
): Promise<FoldFit[]> {
  const guardFrames = framesWithin(encoding.guardSeconds, data.tr, encoding.acquisition);
  const outside = new Set(rowsOutsideGuard(data.positions, guardFrames));
  const fits: FoldFit[] = [];
  for (const { train, test } of folds) {
    throwIfAborted(options.signal, 'cross-validation');
    const fitted = await fitRows(data, Int32Array.from(train), hrf, encoding, options);
    fits.push({ rows: Int32Array.from(test).filter((row) => outside.has(row)), encoding: fitted });
  }
  return fits;
}

/**
 * Scores ways to invert: the correlation of held-out frames with their reconstructions. Blank and nearly blank frames
 * do not count.
 */
export async function scoreFolds(
  { data, inversion }: FoldProblem,
  fits: readonly FoldFit[],
  candidates: readonly Regularisation[],
  options: OpOptions,
): Promise<FoldScores> {
  const { frames } = data.host;
  const pixels = data.frames.shape[1]!;
  const variances = data.positions.map((_, row) =>
    variance(frames.subarray(row * pixels, (row + 1) * pixels)),
  );
  const least = LEAST_CONTRAST * variances.reduce((most, value) => Math.max(most, value), 0);
  const table: Float64Array[] = [];
  const counts: number[] = [];
  for (const { rows, encoding } of fits) {
    throwIfAborted(options.signal, 'cross-validation');
    const counted = rows.filter((row) => variances[row]! > least);
    const sums = new Float64Array(candidates.length);
    for (const which of sameNoise(candidates)) {
      const penalties = which.map((i) => candidates[i]!);
      const results = await reconstructRows(data, rows, encoding, penalties, inversion, options);
      for (const [k, found] of results.entries()) {
        for (const row of counted) {
          const truth = frames.subarray(row * pixels, (row + 1) * pixels);
          sums[which[k]!]! += correlation(truth, found.get(row)!);
        }
      }
    }
    table.push(sums.map((sum) => (counted.length > 0 ? sum / counted.length : 0)));
    counts.push(counted.length);
  }
  return { table, frames: counts };
}

/**
 * Mean score of each candidate, to choose by. A fold may leave too little to train on (sweeps along one axis only, say): what no
 * candidate can reconstruct says nothing about them. So folds weigh as many frames as they hold, times the squared score
 * of their best candidate. That favours lucky folds: how well a candidate does is said by `frameScores`.
 */
export function meanScores({ table, frames }: FoldScores): number[] {
  const weights = table.map((row, f) => frames[f]! * Math.max(0, ...row) ** 2);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from(table[0] ?? [], (_, i) =>
    table.reduce((sum, row, f) => sum + (total > 0 ? weights[f]! / total : 1 / table.length) * row[i]!, 0),
  );
}

/** Mean score of each candidate over all held-out frames, for reports and warnings. */
export function frameScores({ table, frames }: FoldScores): number[] {
  const total = frames.reduce((sum, count) => sum + count, 0);
  return Array.from(table[0] ?? [], (_, i) =>
    table.reduce((sum, row, f) => sum + (total > 0 ? (frames[f]! / total) * row[i]! : 0), 0),
  );
}

/** Puts the scores of some candidates beside those of others, in the same folds. */
export function besideScores(a: FoldScores, b: FoldScores): FoldScores {
  return {
    table: a.table.map((row, f) => Float64Array.from([...row, ...b.table[f]!])),
    frames: a.frames,
  };
}

/** Fits some rows alone: nothing else of the series is seen. */
async function fitRows(
  data: EncodingData,
  rows: Int32Array,
  hrf: Hrf,
  encoding: EncodingSettings,
  options: OpOptions,
): Promise<Encoding> {
  const some = data.voxels.backend.scope(() => ({
    voxels: gather(data.voxels, { ...options, rows }),
    frames: gather(data.frames, { ...options, rows }),
  }));
  try {
    const positions = Array.from(rows, (row) => data.positions[row]!);
    return await fitEncoding({ ...data, ...some, positions }, hrf, encoding, options);
  } finally {
    some.voxels.dispose();
    some.frames.dispose();
  }
}

/** Candidates that share a noise model, as lists of indices. */
function sameNoise(candidates: readonly Regularisation[]): number[][] {
  const lists = new Map<string, number[]>();
  for (const [i, { noiseCorrelation, varianceShrinkage }] of candidates.entries()) {
    const key = `${noiseCorrelation} ${varianceShrinkage}`;
    lists.set(key, [...(lists.get(key) ?? []), i]);
  }
  return [...lists.values()];
}

/** Frames of held-out rows, block by block, for each of some penalties (of one noise model). */
async function reconstructRows(
  data: TrainingSeries,
  rows: Int32Array,
  { fields, residuals, voxel, kernel, baseline }: Encoding,
  candidates: readonly Regularisation[],
  inversion: InversionSettings,
  options: OpOptions,
): Promise<Map<number, Float32Array>[]> {
  const { backend } = data.voxels;
  const [v, pixels] = [data.voxels.shape[1]!, data.frames.shape[1]!];
  const { projection, gram } = await weighVoxels(
    backend,
    fields,
    residuals,
    voxel.length,
    candidates[0]!,
    options,
  );
  const model = await inversionModel(backend, kernel, projection, gram, data.size, options);
  const found = candidates.map(() => new Map<number, Float32Array>());
  try {
    for (const block of blocksOf(rows, data.positions)) {
      const responses = responsesOf(data.host.voxels, v, block, { voxel, baseline });
      const results = await invertBlock(model, responses, candidates, inversion, options);
      for (const [k, frames] of results.entries()) {
        block.forEach((row, t) => {
          found[k]!.set(row, frames.subarray(t * pixels, (t + 1) * pixels));
        });
      }
    }
    return found;
  } finally {
    model.dispose();
  }
}

/** Rows in stretches of successive volumes of one recording. */
export function blocksOf(rows: Int32Array, positions: readonly VolumePosition[]): Int32Array[] {
  const blocks: number[][] = [];
  for (const row of rows) {
    const last = blocks.at(-1)?.at(-1);
    const [here, before] = [positions[row]!, last === undefined ? undefined : positions[last]!];
    if (before && before.recording === here.recording && before.volume + 1 === here.volume) {
      blocks.at(-1)!.push(row);
    } else {
      blocks.push([row]);
    }
  }
  return blocks.map((block) => Int32Array.from(block));
}

/** Responses of the selected voxels in some rows, without their training baseline. */
export function responsesOf(
  voxels: Float32Array | Float64Array,
  width: number,
  rows: ArrayLike<number>,
  { voxel, baseline }: { voxel: Int32Array; baseline: ArrayLike<number> },
): Float32Array {
  const out = new Float32Array(rows.length * voxel.length);
  for (let t = 0; t < rows.length; t++) {
    for (let v = 0; v < voxel.length; v++) {
      out[t * voxel.length + v] = voxels[rows[t]! * width + voxel[v]!]! - baseline[v]!;
    }
  }
  return out;
}

function variance(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

/** Pearson; 0 for a reconstruction without contrast. */
function correlation(truth: Float32Array, found: Float32Array): number {
  const n = truth.length;
  let [a, b] = [0, 0];
  for (let i = 0; i < n; i++) {
    a += truth[i]! / n;
    b += found[i]! / n;
  }
  let [aa, bb, ab] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    aa += (truth[i]! - a) ** 2;
    bb += (found[i]! - b) ** 2;
    ab += (truth[i]! - a) * (found[i]! - b);
  }
  return bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}
