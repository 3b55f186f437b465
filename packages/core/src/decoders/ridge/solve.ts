import { pacer } from '../../data/pause.ts';
import { bytesPerElement } from '../../dtype.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { choleskyFactor, choleskySolve, gemm, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { type NormalEquations, rightSides } from './equations.ts';
import { columnMeans, moveTo } from './matrices.ts';
import { columnBlocks, type TargetSource } from './targets.ts';
import type { RidgeForm, StepOptions } from './types.ts';

export interface SolveOptions extends StepOptions {
  intercept: boolean;
  /** Which coefficients to return: weights of voxels, or of training trials (from dual equations only). */
  coefficients: RidgeForm;
}

export interface Coefficients {
  /** [p, t] weights of voxels, or [n, t] weights of training trials; float64 where the fit was. */
  readonly values: Float32Array | Float64Array;
  /** Mean of each target, [t]; 0 without an intercept. */
  readonly targetMean: Float64Array;
}

/**
 * Coefficients of all targets: one factorisation for each distinct alpha, then the targets that share it, in
 * blocks.
 *
 * @param alphas [t]
 */
export async function solveRidge(
  equations: NormalEquations & { readonly design: Tensor },
  targets: TargetSource,
  alphas: Float64Array,
  options: SolveOptions,
): Promise<Coefficients> {
  const { design, matrix, form } = equations;
  const { backend, dtype } = design;
  const { signal, intercept } = options;
  const ops = { signal };
  const [n, p] = design.shape as [number, number];
  const toPrimal = form === 'dual' && options.coefficients === 'primal';
  const rows = options.coefficients === 'dual' ? n : p;
  const values =
    dtype === 'f64' ? new Float64Array(rows * targets.count) : new Float32Array(rows * targets.count);
  const targetMean = new Float64Array(targets.count);
  const breathe = pacer(signal, 'the ridge fit');
  let done = 0;
  for (const [alpha, members] of groupByAlpha(alphas)) {
    throwIfAborted(signal, 'the ridge fit');
    const factor = choleskyFactor(matrix, { ...ops, shift: alpha });
    try {
      for (const columns of columnBlocks(members, n, bytesPerElement(dtype), options.blockBytes)) {
        throwIfAborted(signal, 'the ridge fit');
        const block = await targets.read(columns, signal);
        const downloads = backend.scope(() => {
          let y = moveTo(backend, block, [n, columns.length], dtype, ops);
          const mean = columnMeans(y, ops);
          if (intercept) y = sub(y, mean, ops);
          const solution = choleskySolve(factor, rightSides(equations, y, ops), ops);
          const result = toPrimal ? gemm(design, solution, { ...ops, transA: true }) : solution;
          return [result.download(), mean.download()];
        });
        const [result, mean] = await Promise.all(downloads);
        const width = columns.length;
        for (let row = 0; row < rows; row++) {
          await breathe();
          for (let j = 0; j < width; j++)
            values[row * targets.count + columns[j]!] = result![row * width + j]!;
        }
        columns.forEach((t, j) => {
          if (!Number.isFinite(mean![j])) {
            throw new F2iError('INVALID_ARGUMENT', 'targets hold NaN or infinity', {
              field: 'targets',
              expected: 'finite values',
              found: `${mean![j]} in target ${t}`,
            });
          }
          if (intercept) targetMean[t] = mean![j]!;
        });
        done += width;
        options.onProgress?.({ phase: 'solve', done, total: targets.count });
      }
    } finally {
      factor.dispose();
    }
  }
  return { values, targetMean };
}

/** Targets of each distinct alpha, by ascending alpha. */
function groupByAlpha(alphas: Float64Array): [alpha: number, targets: Int32Array][] {
  const groups = new Map<number, number[]>();
  alphas.forEach((alpha, t) => {
    const members = groups.get(alpha);
    if (members) members.push(t);
    else groups.set(alpha, [t]);
  });
  return [...groups].sort(([a], [b]) => a - b).map(([alpha, members]) => [alpha, Int32Array.from(members)]);
}
