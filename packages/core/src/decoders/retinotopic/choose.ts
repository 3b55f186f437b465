import { throwIfAborted } from '../../error.ts';
import { gather, type OpOptions } from '../../ops/index.ts';
import type { Fold } from '../ridge/types.ts';
import { type Encoding, type EncodingData, type EncodingSettings, fitEncoding } from './encoding.ts';
import { type InversionSettings, inversionModel, invertBlock, type Penalties } from './inversion.ts';
import { weighVoxels } from './noise.ts';
import type { VolumePosition } from './timing.ts';

/** What is chosen by cross-validation. */
export interface Regularisation extends Penalties {
  readonly noiseCorrelation: number;
}

export interface RegularisationChoice {
  readonly best: Regularisation;
  readonly candidates: readonly Regularisation[];
  /** Mean correlation of held-out frames with their reconstructions, of each candidate. */
  readonly scores: readonly number[];
  /** The same of the best one, in each fold. */
  readonly foldScores: readonly number[];
}

/** Frames count whose variance over pixels is at least this part of the largest. */
const LEAST_CONTRAST = 0.1;

/** Host copies of what `EncodingData` holds on the device. */
export interface HostSeries {
  /** [n, v] */
  readonly voxels: Float32Array;
  /** [n, pixels] */
  readonly frames: Float32Array;
}

/**
 * Chooses how the encoding model is inverted: each fold fits receptive fields on its training volumes alone,
 * reconstructs the held-out ones, and the candidate whose frames correlate best with the true ones wins. Blank
 * and nearly blank frames do not count.
 */
export async function chooseRegularisation(
  data: EncodingData,
  host: HostSeries,
  encoding: EncodingSettings,
  inversion: InversionSettings,
  candidates: readonly Regularisation[],
  folds: readonly Fold[],
  options: OpOptions & { onFold?: ((done: number, total: number) => void) | undefined },
): Promise<RegularisationChoice> {
  const { backend } = data.voxels;
  const sums = folds.map(() => new Float64Array(candidates.length));
  const counts = folds.map(() => 0);
  const pixels = data.frames.shape[1]!;
  const variances = data.positions.map((_, row) =>
    variance(host.frames.subarray(row * pixels, (row + 1) * pixels)),
  );
  const least = LEAST_CONTRAST * variances.reduce((most, value) => Math.max(most, value), 0);
  for (const [f, { train, test }] of folds.entries()) {
    throwIfAborted(options.signal, 'cross-validation');
    options.onFold?.(f, folds.length);
    const rows = Int32Array.from(train);
    const some = backend.scope(() => ({
      voxels: gather(data.voxels, { ...options, rows }),
      frames: gather(data.frames, { ...options, rows }),
    }));
    let fitted: Encoding;
    try {
      const positions = Array.from(rows, (row) => data.positions[row]!);
      fitted = await fitEncoding({ ...data, ...some, positions }, encoding, options);
    } finally {
      some.voxels.dispose();
      some.frames.dispose();
    }
    const blocks = blocksOf(Int32Array.from(test), data.positions);
    for (const correlated of new Set(candidates.map(({ noiseCorrelation }) => noiseCorrelation))) {
      const which = candidates.flatMap((candidate, i) =>
        candidate.noiseCorrelation === correlated ? [i] : [],
      );
      const { fields, residuals, voxel, kernel } = fitted;
      const weighting = await weighVoxels(backend, fields, residuals, voxel.length, correlated, options);
      const model = await inversionModel(
        backend,
        kernel,
        weighting.projection,
        weighting.gram,
        data.size,
        options,
      );
      try {
        for (const block of blocks) {
          const responses = responsesOf(host.voxels, data.voxels.shape[1]!, block, fitted);
          const penalties = which.map((i) => candidates[i]!);
          const results = await invertBlock(model, responses, penalties, inversion, options);
          for (const [k, result] of results.entries()) {
            const { sum, count } = frameCorrelations(result, host.frames, block, least);
            sums[f]![which[k]!]! += sum;
            if (which[k] === 0) counts[f]! += count;
          }
        }
      } finally {
        model.dispose();
      }
    }
  }
  const frames = counts.reduce((total, count) => total + count, 0);
  const scores = candidates.map((_, i) => sums.reduce((total, sum) => total + sum[i]!, 0) / (frames || 1));
  const best = scores.indexOf(Math.max(...scores));
  const foldScores = sums.map((sum, f) => sum[best]! / (counts[f]! || 1));
  return { best: candidates[best]!, candidates, scores, foldScores };
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

/** Correlations of frames with their reconstructions, summed over the true frames that have contrast. */
function frameCorrelations(found: Float32Array, frames: Float32Array, rows: Int32Array, least: number) {
  const pixels = found.length / rows.length;
  let [sum, count] = [0, 0];
  rows.forEach((row, t) => {
    const truth = frames.subarray(row * pixels, (row + 1) * pixels);
    if (!(variance(truth) > least)) return;
    sum += correlation(truth, found.subarray(t * pixels, (t + 1) * pixels));
    count++;
  });
  return { sum, count };
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
