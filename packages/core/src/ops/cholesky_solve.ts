import type { Tensor } from '../tensor.ts';
import { type Attributes, type OpOptions, type OpSpec, runOp } from './op.ts';
import { inferSolve } from './triangular_solve.ts';

export const choleskySolveSpec: OpSpec<Attributes> = {
  name: 'cholesky_solve',
  family: 'factorisation',
  infer(inputs) {
    return inferSolve('cholesky_solve', inputs);
  },
  flops([l, b]) {
    return 2 * l!.shape[0]! ** 2 * b!.shape[1]!;
  },
};

/**
 * x with `l lᵀ x = b`: the second half of a ridge solve, after `choleskyFactor`.
 *
 * @param l [n, n] lower factor
 * @param b [n, t]
 * @returns [n, t]
 */
export function choleskySolve(l: Tensor, b: Tensor, options: OpOptions = {}): Tensor {
  return runOp(choleskySolveSpec, [l, b], {}, options)[0]!;
}
