import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import type { TargetSource } from '../decoders/ridge/targets.ts';
import { throwIfAborted } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import type { NestedFold, PenaltyOptions } from '../interpret/heldOut.ts';
import { type Exchangeability, rearrangements } from '../metrics/rearrangements.ts';
import { createRandom } from '../random.ts';
import type { Rows } from '../rows.ts';
import { byRun, rowOrders, runsOf, type Unit, unitsOf } from './exchange.ts';
import { invalid } from './invalid.ts';
import { predictOrders } from './rearranged.ts';
import { check } from './refitCheck.ts';

/**
 * What is tested: one number (a mean score) or several (one a target, a voxel), larger is better.
 *
 * @param predictions [rows, targets]; row i is what was predicted for the content of target row i, wherever it was moved
 *   to. Rows that no fold holds out are zeros. Valid until the next call
 */
export type Statistic = (predictions: Rows) => ArrayLike<number> | Promise<ArrayLike<number>>;

export interface RefitPermutationOptions extends PenaltyOptions {
  backend: Backend;
  statistic: Statistic;
  exchangeability: Exchangeability;
  /** Run (session) of each row: nothing is exchanged across its border. One run when absent. */
  runs?: ArrayLike<string | number> | undefined;
  /**
   * Block of each row: rows of a block move together, in their order. Blocks of a run that differ in length stay. Of
   * `trials` alone: continuous stimuli are shifted row by row.
   */
  blocks?: ArrayLike<string | number> | undefined;
  /** Random rearrangements; 999 by default. Where fewer exist, each of them is taken exactly once. */
  permutations?: number | undefined;
  seed?: number | undefined;
  /** Divides each voxel by its standard deviation over the training rows of the fold (default). */
  standardize?: boolean | undefined;
  precision?: Precision | undefined;
  /** Predictions of how many rearrangements are held at once: bytes, 256 MiB by default. Results do not depend on it. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface RefitPermutationResult {
  /** Statistics of the true order. */
  readonly observed: Float64Array;
  /** One-sided p of each statistic by itself. */
  readonly p: Float64Array;
  /**
   * p of each statistic against the largest of all: controls the family-wise error (Westfall and Young 1993,
   * Resampling-based multiple testing, single-step maxT; Nichols and Holmes 2002, Hum. Brain Mapp. 15:1). Statistics
   * must share a scale, as correlations do.
   */
  readonly familyWise: Float64Array;
  /** Largest statistic of each rearrangement. */
  readonly nullMaximum: Float64Array;
  /** Statistics of each rearrangement, [rearrangements, statistics]; where they are at most a million numbers. */
  readonly null: Float64Array | undefined;
  readonly exact: boolean;
  readonly rearrangements: number;
  readonly smallestP: number;
  /** Rows that no rearrangement moves: alone in their run, or in blocks without another one of their length there. */
  readonly fixedRows: number;
}

const MEMORY = 256 * 2 ** 20;
const MOST_NULL_VALUES = 1e6;

/**
 * Permutation test of held-out ridge predictions in which **everything is fitted again** for each rearrangement of the
 * labels: weights, target means, and the penalty where it is chosen. Nothing is refitted one by one: voxels do not change,
 * so that rearranged labels are more targets of the same equations. Each fold has one Gram matrix and one factorisation
 * for each penalty; a rearrangement costs a matrix product, H P Y with H = K_test (K + alpha I)⁻¹.
 *
 * Labels of all rows are rearranged, those held out too, and scored where they come to stand: for folds that hold out
 * each row in turn the null then has the dependence between folds that the true order has, and no correction is needed
 * (compare `permutationTest`). p = (1 + count) / (1 + n) for random rearrangements (Phipson and Smyth 2010, Stat. Appl.
 * Genet. Mol. Biol. 9:39), count / n where all are taken.
 *
 * @param voxels [rows, voxels]: a source of columns, such as `targetsInMemory(betas, rows)`
 * @param targets [rows, targets], of the same rows
 * @param folds rows to fit on and rows held out; no row is held out twice
 * @throws INVALID_ARGUMENT for counts and folds that do not fit, for blocks of continuous stimuli, and for a run of which
 *   some rows alone are held out; CANCELLED
 */
export async function refitPermutationTest(
  voxels: TargetSource,
  targets: Rows,
  folds: readonly NestedFold[],
  options: RefitPermutationOptions,
): Promise<RefitPermutationResult> {
  const { backend, statistic, permutations = 999, seed = 0, signal } = options;
  const rows = voxels.trials;
  const width = targets.data.length / rows;
  check(rows, targets, folds, options);
  const runs = runsOf(rows, folds, options.runs);
  const units = unitsOf(runs, rows, options.blocks);
  const exchanged = byRun(units);
  const orders = rearrangements(
    units.length,
    exchanged,
    options.exchangeability,
    permutations,
    createRandom(seed),
  );
  const breathe = pacer(signal, 'the permutation test');

  // The true order comes first; in an exact test it is one of those that follow.
  const pending = rowOrders(rows, units, orders.orders());
  const atOnce = Math.max(1, Math.floor((options.memory ?? MEMORY) / (4 * rows * width)));
  const total = 1 + orders.count;
  let observed: Float64Array | undefined;
  let single: Float64Array | undefined;
  let familyWise: Float64Array | undefined;
  let kept: Float64Array | undefined;
  const nullMaximum = new Float64Array(orders.count);
  let done = 0;
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  while (done < total) {
    throwIfAborted(signal, 'the permutation test');
    const some = take(pending, Math.min(atOnce, total - done));
    const predictions = await predictOrders(voxels, targets, folds, some, { ...options, precision });
    for (const [i] of some.entries()) {
      const data = predictions.subarray(i * rows * width, (i + 1) * rows * width);
      const measured = Float64Array.from(await statistic({ data, shape: [rows, width] }));
      const bad = measured.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0 || measured.length === 0 || (observed && measured.length !== observed.length)) {
        throw invalid(
          'statistic',
          'not a statistic',
          'as many finite numbers for each rearrangement',
          `${measured}`,
        );
      }
      if (!observed) {
        observed = measured;
        single = new Float64Array(measured.length);
        familyWise = new Float64Array(measured.length);
        if (measured.length * orders.count <= MOST_NULL_VALUES)
          kept = new Float64Array(measured.length * orders.count);
      } else {
        const largest = measured.reduce((a, b) => Math.max(a, b));
        const at = done + i - 1;
        nullMaximum[at] = largest;
        kept?.set(measured, at * measured.length);
        for (let k = 0; k < measured.length; k++) {
          const threshold = observed[k]! - 1e-7 * Math.max(1, Math.abs(observed[k]!));
          if (measured[k]! >= threshold) single![k]!++;
          if (largest >= threshold) familyWise![k]!++;
        }
      }
      await breathe();
    }
    done += some.length;
    options.onProgress?.({ done, total });
  }
  const { exact, distinct, count } = orders;
  const shareOf = (reached: number) => (exact ? Math.max(1, reached) / count : (1 + reached) / (1 + count));
  return {
    observed: observed!,
    p: single!.map(shareOf),
    familyWise: familyWise!.map(shareOf),
    nullMaximum,
    null: kept,
    exact,
    rearrangements: distinct,
    smallestP: exact ? 1 / count : 1 / (1 + count),
    fixedRows: rowsOf(exchanged.filter(({ length }) => length === 1).flat(), units),
  };
}

function take(orders: Iterator<Int32Array>, count: number): Int32Array[] {
  return Array.from({ length: count }, () => Int32Array.from((orders.next() as { value: Int32Array }).value));
}

const rowsOf = (places: readonly number[], units: readonly Unit[]): number =>
  places.reduce((sum, place) => sum + units[place]!.rows.length, 0);
