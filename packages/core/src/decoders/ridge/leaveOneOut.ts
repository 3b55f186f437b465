import { bytesPerElement } from '../../dtype.ts';
import { throwIfAborted } from '../../error.ts';
import { add, div, gemm, mul, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { CrossValidateOptions } from './crossValidate.ts';
import { type NormalEquations, rightSides, trialsOf } from './equations.ts';
import { columnMeans, identity, moveTo, transpose } from './matrices.ts';
import { createScorer, finishScore } from './scores.ts';
import { chooseFactorisation, smoother } from './smoother.ts';
import { allColumns, columnBlocks, type TargetSource } from './targets.ts';

/**
 * Scores every alpha by leaving each trial out once, without fitting n times: with the hat matrix H (the mean's 1/n
 * on its diagonal included when there is an intercept) the error of trial i predicted without it is
 * (y - H y)_i / (1 - H_ii)  (Allen 1974, PRESS; scikit-learn's `RidgeCV(cv=None)`). The score is taken over all
 * n predictions together.
 *
 * @returns [alphas, targets] row-major
 */
export async function leaveOneOut(
  equations: NormalEquations,
  targets: TargetSource,
  grid: readonly number[],
  options: CrossValidateOptions,
): Promise<Float64Array> {
  const { matrix } = equations;
  const { backend, dtype } = matrix;
  const { signal, score, intercept } = options;
  const ops = { signal };
  const n = trialsOf(equations);
  const table = new Float64Array(grid.length * targets.count);
  const blocks = columnBlocks(allColumns(targets.count), n, bytesPerElement(dtype), options.blockBytes);
  const method = chooseFactorisation(backend, matrix.shape[0]!, dtype, grid.length, options.factorisation);

  // H = zᵀ d with d = I (dual) or xᵀ (primal); its diagonal is the column sum of z ∘ d.
  const [cross, d] = backend.scope(() =>
    equations.form === 'dual'
      ? [matrix, identity(backend, n, dtype)]
      : [transpose(equations.design, ops), undefined],
  ) as [Tensor, Tensor | undefined];
  const solver = smoother(matrix, cross, method, ops);
  let done = 0;
  try {
    for (const [row, alpha] of grid.entries()) {
      throwIfAborted(signal, 'leave-one-out cross-validation');
      const [z, slack] = backend.scope(() => {
        const solution = solver.z(alpha);
        const size = solution.shape[0]!;
        const leverage = mul(columnMeans(mul(solution, d ?? cross, ops), ops), -size, ops); // -H_ii
        return [solution, add(leverage, 1 - (intercept ? 1 / n : 0), ops).reshape(n, 1)] as const;
      });
      try {
        for (const columns of blocks) {
          throwIfAborted(signal, 'leave-one-out cross-validation');
          const values = await targets.read(columns, signal);
          const downloads = backend.scope(() => {
            let y = moveTo(backend, values, [n, columns.length], dtype, ops);
            if (intercept) y = sub(y, columnMeans(y, ops), ops);
            const fitted = gemm(z, rightSides(equations, y, ops), { ...ops, transA: true });
            const prediction = sub(y, div(sub(y, fitted, ops), slack, ops), ops);
            const scorer = createScorer(y, score, ops);
            return [
              scorer.measure(prediction).download(),
              scorer.scale?.download() ?? Promise.resolve(undefined),
            ];
          });
          const [measured, scale] = await Promise.all(downloads);
          columns.forEach((t, j) => {
            table[row * targets.count + t] = finishScore(score, measured![j]!, scale?.[j] ?? 0);
          });
          done++;
          options.onProgress?.({ phase: 'cross-validate', done, total: grid.length * blocks.length });
        }
      } finally {
        z.dispose();
        slack.dispose();
      }
    }
  } finally {
    solver.dispose();
    d?.dispose();
    if (cross !== matrix) cross.dispose();
  }
  return table;
}
