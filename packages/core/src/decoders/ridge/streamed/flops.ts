import type { DType } from '../../../dtype.ts';
import { choleskyFactorSpec } from '../../../ops/cholesky_factor.ts';
import { choleskySolveSpec } from '../../../ops/cholesky_solve.ts';
import { gemmSpec } from '../../../ops/gemm.ts';
import { gramSpec } from '../../../ops/gram.ts';
import { type NormalEquations, trialsOf } from '../equations.ts';
import type { Fold } from '../types.ts';

/** Operations of a cross-validation: for each fold and alpha a factor, a small hat matrix and its product with all targets. */
export function crossValidationFlops(
  equations: NormalEquations,
  folds: readonly Fold[],
  alphas: number,
  targets: number,
): number {
  const { dtype } = equations.matrix;
  let flops = 0;
  for (const { train, test } of folds) {
    const unknowns = equations.form === 'dual' ? train.length : equations.matrix.shape[0]!;
    const matrix = spec([unknowns, unknowns], dtype);
    const cross = spec([unknowns, test.length], dtype);
    const each =
      choleskyFactorSpec.flops([matrix], { shift: 0 }) +
      choleskySolveSpec.flops([matrix, cross], {}) +
      gemmSpec.flops([cross, spec([unknowns, targets], dtype)], PLAIN);
    flops += alphas * each;
    if (equations.form === 'dual') continue;
    // The Gram matrix of the rows by which the fold differs from all rows, and the right-hand sides.
    const rest = trialsOf(equations) - train.length;
    const rows = rest === test.length && rest <= train.length ? rest : train.length;
    flops += gramSpec.flops([spec([rows, unknowns], dtype)], { columns: true, alpha: 1 });
    flops += 2 * train.length * unknowns * targets;
  }
  return flops;
}

const PLAIN = { transA: true, transB: false, alpha: 1, beta: 0 };
const spec = (shape: readonly number[], dtype: DType) => ({ shape, dtype });
