import type { Tensor, TensorSpec } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat, square } from './op.ts';

export interface TriangularSolveAttributes {
  readonly [name: string]: boolean;
  readonly transpose: boolean;
}

/** Shape rule shared with `cholesky_solve`: l [n, n], b [n, t] -> [n, t]. */
export function inferSolve(op: string, [l, b]: readonly (TensorSpec | undefined)[]): TensorSpec[] {
  const dtype = sameFloat(op, [l, b]);
  const n = square(op, 'l', l);
  const [rows, t] = matrix(op, 'b', b);
  if (rows !== n) throw fail(op, 'b has the wrong number of rows', `${n}`, `${rows}`);
  return [{ shape: [n, t], dtype }];
}

export const triangularSolveSpec: OpSpec<TriangularSolveAttributes> = {
  name: 'triangular_solve',
  family: 'factorisation',
  infer(inputs) {
    return inferSolve('triangular_solve', inputs);
  },
  flops([l, b]) {
    return l!.shape[0]! ** 2 * b!.shape[1]!;
  },
};

export interface TriangularSolveOptions extends OpOptions {
  /** Solves with lᵀ instead of l. */
  transpose?: boolean;
}

/**
 * x with `l x = b` (or `lᵀ x = b`), l lower triangular; its upper part is never read.
 *
 * @param l [n, n]
 * @param b [n, t]
 * @returns [n, t]
 */
export function triangularSolve(l: Tensor, b: Tensor, options: TriangularSolveOptions = {}): Tensor {
  return runOp(triangularSolveSpec, [l, b], { transpose: options.transpose ?? false }, options)[0]!;
}
