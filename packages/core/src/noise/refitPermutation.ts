import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { allColumns, type TargetSource } from '../decoders/ridge/targets.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { foldGram } from '../interpret/foldGram.ts';
import { type NestedFold, type PenaltyOptions, predictHeldOut } from '../interpret/heldOut.ts';
import { type Exchangeability, rearrangements } from '../metrics/rearrangements.ts';
import { createRandom } from '../random.ts';
import type { Rows } from '../rows.ts';

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
  /** Block of each row: rows of a block move together, in their order. Blocks of a run that differ in length stay. */
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
}

const MEMORY = 256 * 2 ** 20;
const MOST_NULL_VALUES = 1e6;
const MOST_PERMUTATIONS = 1e6;

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
 * @throws INVALID_ARGUMENT for counts and folds that do not fit, and for a run of which some rows alone are held out;
 *   CANCELLED
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
  const orders = rearrangements(
    units.length,
    byRun(units),
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
  };
}

/**
 * Held-out predictions for several orders of the labels, [orders, rows, targets]: row i of each is of the label i.
 */
async function predictOrders(
  voxels: TargetSource,
  targets: Rows,
  folds: readonly NestedFold[],
  orders: readonly Int32Array[],
  options: RefitPermutationOptions & { precision: Precision },
): Promise<Float32Array> {
  const rows = voxels.trials;
  const width = targets.data.length / rows;
  const predictions = new Float32Array(orders.length * rows * width);
  for (const fold of folds) {
    const equations = await foldGram(voxels, allColumns(voxels.count), fold, options);
    try {
      const rearranged = rearrangedTargets(targets, width, fold.train, orders);
      await predictHeldOut(equations, rearranged, fold, options, {
        sets: orders.length,
        signal: options.signal,
        place: (columns, values) => {
          for (let i = 0; i < fold.test.length; i++) {
            for (let j = 0; j < columns.length; j++) {
              const set = Math.floor(columns[j]! / width);
              const label = orders[set]![fold.test[i]!]!;
              predictions[(set * rows + label) * width + (columns[j]! % width)] =
                values[i * columns.length + j]!;
            }
          }
        },
      });
    } finally {
      equations.matrix.dispose();
      equations.cross.dispose();
    }
  }
  return predictions;
}

/** Targets of the training rows in every order: one set of columns after the other. */
function rearrangedTargets(
  { data }: Rows,
  width: number,
  train: ArrayLike<number>,
  orders: readonly Int32Array[],
): TargetSource {
  return {
    trials: train.length,
    count: orders.length * width,
    async read(columns, signal) {
      const breathe = pacer(signal, 'rearranging targets');
      const block =
        data instanceof Float64Array
          ? new Float64Array(train.length * columns.length)
          : new Float32Array(train.length * columns.length);
      for (let i = 0; i < train.length; i++) {
        for (let j = 0; j < columns.length; j++) {
          const label = orders[Math.floor(columns[j]! / width)]![train[i]!]!;
          block[i * columns.length + j] = data[label * width + (columns[j]! % width)]!;
        }
        await breathe();
      }
      return block;
    },
  };
}

/** Rows that move together: a block of a run, or a row by itself. */
interface Unit {
  readonly run: number;
  readonly rows: readonly number[];
}

function unitsOf(
  runs: readonly (readonly number[])[],
  rows: number,
  blocks: ArrayLike<string | number> | undefined,
): Unit[] {
  if (blocks && blocks.length !== rows) {
    throw invalid('blocks', 'one block for each row', `${rows}`, `${blocks.length}`);
  }
  return runs.flatMap((run, r) => {
    if (!blocks) return run.map((row) => ({ run: r, rows: [row] }));
    const members = new Map<string | number, number[]>();
    for (const row of run) members.set(blocks[row]!, [...(members.get(blocks[row]!) ?? []), row]);
    return [...members.values()].map((rows) => ({ run: r, rows }));
  });
}

/** Places in the list of units that may be exchanged: those of a run that are equally long. */
function byRun(units: readonly Unit[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [u, { run, rows }] of units.entries()) {
    const key = `${run} ${rows.length}`;
    groups.set(key, [...(groups.get(key) ?? []), u]);
  }
  return [...groups.values()];
}

/** The true order of rows, then those in which units have changed places. */
function* rowOrders(
  rows: number,
  units: readonly Unit[],
  orders: Iterable<Int32Array>,
): Generator<Int32Array, void> {
  const order = Int32Array.from({ length: rows }, (_, i) => i);
  yield order;
  for (const places of orders) {
    for (const [u, { rows }] of units.entries()) {
      const from = units[places[u]!]!.rows;
      for (let k = 0; k < rows.length; k++) order[rows[k]!] = from[k]!;
    }
    yield order;
  }
}

function take(orders: Iterator<Int32Array>, count: number): Int32Array[] {
  return Array.from({ length: count }, () => Int32Array.from((orders.next() as { value: Int32Array }).value));
}

/** Rows of each run that has held-out rows, or training rows: what is never used stays where it is. */
function runsOf(
  rows: number,
  folds: readonly NestedFold[],
  labels: ArrayLike<string | number> | undefined,
): number[][] {
  const held = new Set(folds.flatMap(({ test }) => Array.from(test)));
  const used = new Set([...held, ...folds.flatMap(({ train }) => Array.from(train))]);
  const runs = new Map<string | number, number[]>();
  for (let row = 0; row < rows; row++) {
    const label = labels?.[row] ?? 0;
    const run = runs.get(label);
    if (run) run.push(row);
    else runs.set(label, [row]);
  }
  return [...runs].flatMap(([label, run]) => {
    const tested = run.filter((row) => held.has(row)).length;
    if (tested > 0 && tested < run.length) {
      throw invalid(
        'runs',
        'labels that are held out cannot change places with labels that never are',
        'runs of which all rows are held out, or none',
        `${tested} of ${run.length} rows of run ${label}`,
      );
    }
    return run.some((row) => used.has(row)) ? [run] : [];
  });
}

function check(
  rows: number,
  targets: Rows,
  folds: readonly NestedFold[],
  { permutations = 999, runs, alphas }: RefitPermutationOptions,
): void {
  if (!(Number.isInteger(permutations) && permutations >= 1 && permutations <= MOST_PERMUTATIONS)) {
    throw invalid(
      'permutations',
      'a permutation test needs a sensible number of permutations',
      `a whole number from 1 to ${MOST_PERMUTATIONS}`,
      `${permutations}`,
    );
  }
  if (targets.shape[0] !== rows) {
    throw invalid(
      'targets',
      'voxels and targets differ in their number of rows',
      `${rows}`,
      `${targets.shape[0]}`,
    );
  }
  if (runs && runs.length !== rows)
    throw invalid('runs', 'one run for each row', `${rows}`, `${runs.length}`);
  const held = new Set<number>();
  for (const [f, { train, test, inner }] of folds.entries()) {
    const field = `folds[${f}]`;
    if (train.length < 2 || test.length === 0) {
      const found = `${train.length} training and ${test.length} held-out rows`;
      throw invalid(field, 'a fold is empty', 'some of both', found);
    }
    const own = new Set(Array.from(train));
    for (const row of Array.from(test)) {
      if (own.has(row) || held.has(row)) {
        throw invalid(
          field,
          'a row is held out twice, or trained on as well',
          'each at most once',
          `row ${row}`,
        );
      }
      held.add(row);
    }
    if (typeof alphas !== 'number' && alphas?.length !== 1 && !inner) {
      throw invalid(`${field}.inner`, 'several penalties need folds to choose by', 'inner folds', 'none');
    }
  }
  if (folds.length === 0) throw invalid('folds', 'nothing is held out', 'one fold or more', 'none');
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
