import type { Tensor } from '../tensor.ts';
import { type OpOptions, type OpSpec, runOp, sameFloat, square } from './op.ts';

export interface CholeskyFactorAttributes {
  readonly [name: string]: number;
  readonly shift: number;
}

export const choleskyFactorSpec: OpSpec<CholeskyFactorAttributes> = {
  name: 'cholesky_factor',
  family: 'factorisation',
  infer([a]) {
    const dtype = sameFloat('cholesky_factor', [a]);
    const n = square('cholesky_factor', 'a', a);
    return [{ shape: [n, n], dtype }];
  },
  flops([a]) {
    const n = a!.shape[0]!;
    return (n * (n + 1) * (2 * n + 1)) / 6;
  },
};

export interface CholeskyFactorOptions extends OpOptions {
  /** Added to the diagonal first: the ridge penalty. */
  shift?: number;
}

/**
 * Lower factor l with `l lᵀ = a + shift I`; its strict upper triangle is zero. Only the lower triangle of `a` is
 * read. A pivot that is not positive rejects the next wait with NOT_POSITIVE_DEFINITE.
 *
 * @param a [n, n], symmetric
 * @returns [n, n]
 */
export function choleskyFactor(a: Tensor, options: CholeskyFactorOptions = {}): Tensor {
  return runOp(choleskyFactorSpec, [a], { shift: options.shift ?? 0 }, options)[0]!;
}
