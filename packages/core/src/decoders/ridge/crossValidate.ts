import type { HostArray } from '../../dtype.ts';
import { bytesPerElement } from '../../dtype.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { gather, gemm, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { foldEquations, type NormalEquations, rightSides, trialsOf } from './equations.ts';
import { columnMeans, moveTo } from './matrices.ts';
import { type AlphaScore, createScorer, finishScore } from './scores.ts';
import { chooseFactorisation, type Factorisation, smoother } from './smoother.ts';
import { allColumns, columnBlocks, type TargetSource } from './targets.ts';
import type { Fold, StepOptions } from './types.ts';

export interface CrossValidateOptions extends StepOptions {
  score: AlphaScore;
  intercept: boolean;
  factorisation?: Factorisation | 'auto' | undefined;
}

/** Smoothing matrices of several alphas are held at once, up to this size, so that targets are read less often. */
const SMOOTHER_BYTES = 256 * 2 ** 20;

/**
 * Scores every alpha on every fold: the mean over folds of each fold's score, [alphas, targets] row-major in
 * float64, as himalaya's `solve_ridge_cv_svd`. Costs one factorisation for each alpha and fold, whatever the
 * number of targets; predictions of a block of targets are one matrix product.
 */
export async function crossValidate(
  equations: NormalEquations,
  targets: TargetSource,
  grid: readonly number[],
  folds: readonly Fold[],
  options: CrossValidateOptions,
): Promise<Float64Array> {
  const { backend, dtype } = equations.matrix;
  const { signal, score, intercept } = options;
  checkFolds(folds, trialsOf(equations));
  const table = new Float64Array(grid.length * targets.count);
  const blocks = columnBlocks(
    allColumns(targets.count),
    targets.trials,
    bytesPerElement(dtype),
    options.blockBytes,
  );
  const total = folds.length * grid.length * blocks.length;
  let done = 0;
  for (const fold of folds) {
    throwIfAborted(signal, 'cross-validation');
    const system = backend.scope(() => foldEquations(equations, fold, intercept, { signal }));
    const size = system.matrix.shape[0]!;
    const method = chooseFactorisation(backend, size, dtype, grid.length, options.factorisation);
    const solver = smoother(system.matrix, system.cross, method, { signal });
    try {
      const bytes = system.cross.byteLength;
      const atOnce = Math.max(1, Math.floor(SMOOTHER_BYTES / bytes));
      for (let first = 0; first < grid.length; first += atOnce) {
        const alphas = grid.slice(first, first + atOnce);
        const smoothers = backend.scope(() => alphas.map((alpha) => solver.z(alpha)));
        const note = async (columns: Int32Array, downloads: Promise<HostArray | undefined>[]) => {
          const [scale, ...measured] = await Promise.all(downloads);
          measured.forEach((row, i) => {
            const start = (first + i) * targets.count;
            columns.forEach((t, j) => {
              table[start + t]! += finishScore(score, row![j]!, scale?.[j] ?? 0) / folds.length;
            });
          });
          done += alphas.length;
          options.onProgress?.({ phase: 'cross-validate', done, total });
        };
        // The next block is read while the device works on this one.
        let computing: Promise<void> | undefined;
        try {
          for (const columns of blocks) {
            throwIfAborted(signal, 'cross-validation');
            const values = await targets.read(columns, signal);
            await computing;
            const downloads = backend.scope(() => {
              const y = moveTo(backend, values, [targets.trials, columns.length], dtype, { signal });
              return foldScores(system, smoothers, y, fold, score, intercept, signal);
            });
            computing = note(columns, downloads);
            // It is waited for in the next round, even if reading fails before.
            computing.catch(() => undefined);
          }
          await computing;
        } finally {
          await computing?.catch(() => undefined);
          for (const z of smoothers) z.dispose();
        }
      }
    } finally {
      solver.dispose();
      system.matrix.dispose();
      system.cross.dispose();
      if (system.form === 'primal') system.design.dispose();
    }
  }
  return table;
}

/** Enqueues one fold's scores of all alphas for a block of targets y [n, t]; first comes the scale, if needed. */
function foldScores(
  system: NormalEquations,
  smoothers: readonly Tensor[],
  y: Tensor,
  fold: Fold,
  score: AlphaScore,
  intercept: boolean,
  signal: AbortSignal | undefined,
): Promise<HostArray | undefined>[] {
  let train = gather(y, { signal, rows: Int32Array.from(fold.train) });
  let held = gather(y, { signal, rows: Int32Array.from(fold.test) });
  if (intercept) {
    const mean = columnMeans(train, { signal });
    train = sub(train, mean, { signal });
    held = sub(held, mean, { signal });
  }
  const sides = rightSides(system, train, { signal });
  const scorer = createScorer(held, score, { signal });
  const results = smoothers.map((z) => scorer.measure(gemm(z, sides, { signal, transA: true })));
  return [scorer.scale?.download() ?? Promise.resolve(undefined), ...results.map((r) => r.download())];
}

function checkFolds(folds: readonly Fold[], trials: number): void {
  if (folds.length === 0) {
    throw new F2iError('INVALID_ARGUMENT', 'cross-validation needs folds', { field: 'folds' });
  }
  folds.forEach(({ train, test }, f) => {
    const field = `folds[${f}]`;
    if (train.length === 0 || test.length === 0) {
      const found = `${train.length} training and ${test.length} held-out trials`;
      throw new F2iError('INVALID_ARGUMENT', 'a fold is empty', { field, expected: 'some of both', found });
    }
    const seen = new Set<number>();
    for (const row of [...Array.from(train), ...Array.from(test)]) {
      if (!Number.isInteger(row) || row < 0 || row >= trials || seen.has(row)) {
        throw new F2iError('INVALID_ARGUMENT', 'a fold lists a trial twice or one that does not exist', {
          field,
          expected: `each of 0 to ${trials - 1} at most once`,
          found: `${row}`,
        });
      }
      seen.add(row);
    }
  });
}
