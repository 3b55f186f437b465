import { crossValidate } from '../decoders/ridge/crossValidate.ts';
import { columnMeans, moveTo } from '../decoders/ridge/matrices.ts';
import type { AlphaScore } from '../decoders/ridge/scores.ts';
import { logGrid, selectAlphas } from '../decoders/ridge/select.ts';
import { chooseFactorisation, smoother } from '../decoders/ridge/smoother.ts';
import { columnBlocks, type TargetSource } from '../decoders/ridge/targets.ts';
import type { Fold } from '../decoders/ridge/types.ts';
import { bytesPerElement } from '../dtype.ts';
import { throwIfAborted } from '../error.ts';
import { add, gemm, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import type { FoldGram } from './foldGram.ts';

/** Rows to fit on, rows held out, and how the penalty is chosen inside the training rows. */
export interface NestedFold extends Fold {
  /** Places in `train`, not rows: folds that choose among several penalties. */
  readonly inner?: readonly Fold[] | undefined;
}

export interface PenaltyOptions {
  /**
   * Penalties to choose from, or a single one. By default 13 values from 1e-3 to 1e3 times the mean eigenvalue of the
   * Gram matrix of each fold, as ridge decoders have them.
   */
  alphas?: readonly number[] | number | undefined;
  /** What chooses them, on the inner folds; `negativeSquaredError` by default. */
  score?: AlphaScore | undefined;
  /** One penalty for each target (default), or one for all. */
  perTarget?: boolean | undefined;
}

/** The penalties that a fold chooses from. */
export function gridOf({ meanEigenvalue }: Pick<FoldGram, 'meanEigenvalue'>, { alphas }: PenaltyOptions) {
  if (typeof alphas === 'number') return [alphas];
  return alphas ?? logGrid(-3, 3, 13).map((factor) => factor * meanEigenvalue);
}

/**
 * Predictions of a fold's held-out rows by ridge regression with a nested choice of the penalty. Targets may belong to
 * several sets of the same size (labels rearranged in many ways): each set chooses for itself, all share one
 * factorisation for each penalty and fold.
 *
 * @param targets of the training rows, in their order; sets stand one after the other
 * @param sets how many there are
 * @param place takes the predictions of some columns, [held out, columns] row-major
 * @returns the penalty of each target
 */
export async function predictHeldOut(
  equations: FoldGram,
  targets: TargetSource,
  fold: NestedFold,
  { score = 'negativeSquaredError', perTarget = true, ...penalty }: PenaltyOptions,
  {
    sets = 1,
    signal,
    place,
  }: {
    sets?: number | undefined;
    signal?: AbortSignal | undefined;
    place: (columns: Int32Array, values: Float32Array | Float64Array) => void;
  },
): Promise<Float64Array> {
  const { matrix, cross } = equations;
  const { backend, dtype } = matrix;
  const ops = { signal };
  const grid = gridOf(equations, penalty);
  const alphas =
    grid.length === 1
      ? new Float64Array(targets.count).fill(grid[0]!)
      : await chosen(matrix, targets, grid, fold.inner!, sets, { score, perTarget, signal });
  const distinct = [...new Set(alphas)].sort((a, b) => a - b);
  const n = targets.trials;
  const method = chooseFactorisation(backend, n, dtype, distinct.length);
  const solver = smoother(matrix, cross, method, ops);
  try {
    for (const alpha of distinct) {
      const [weights] = backend.scope(() => [solver.z(alpha)] as const);
      try {
        const members = Int32Array.from(alphas.keys()).filter((t) => alphas[t] === alpha);
        for (const columns of columnBlocks(members, n, bytesPerElement(dtype))) {
          throwIfAborted(signal, 'held-out predictions');
          const values = await targets.read(columns, signal);
          const [predicted] = await backend.compute(() => {
            const y = moveTo(backend, values, [n, columns.length], dtype, ops);
            const mean = columnMeans(y, ops);
            return [add(gemm(weights, sub(y, mean, ops), { ...ops, transA: true }), mean, ops)];
          });
          place(columns, predicted as Float32Array | Float64Array);
        }
      } finally {
        weights.dispose();
      }
    }
  } finally {
    solver.dispose();
  }
  return alphas;
}

/** The penalty of each target, chosen in its set. */
async function chosen(
  matrix: Tensor,
  targets: TargetSource,
  grid: readonly number[],
  inner: readonly Fold[],
  sets: number,
  options: { score: AlphaScore; perTarget: boolean; signal: AbortSignal | undefined },
): Promise<Float64Array> {
  // Dual equations know the design by its Gram matrix alone.
  const equations = { form: 'dual', design: matrix, matrix } as const;
  const table = await crossValidate(equations, targets, grid, inner, { ...options, intercept: true });
  if (options.perTarget) return selectAlphas(grid, table, true).alphas;
  const size = targets.count / sets;
  const alphas = new Float64Array(targets.count);
  for (let set = 0; set < sets; set++) {
    const own = new Float64Array(grid.length * size);
    for (let row = 0; row < grid.length; row++) {
      const start = row * targets.count + set * size;
      own.set(table.subarray(start, start + size), row * size);
    }
    alphas.set(selectAlphas(grid, own, false).alphas, set * size);
  }
  return alphas;
}
