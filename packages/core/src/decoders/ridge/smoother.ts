import type { Backend } from '../../backend.ts';
import type { DType } from '../../dtype.ts';
import { eighSpec } from '../../ops/eigh.ts';
import {
  add,
  choleskyFactor,
  choleskySolve,
  div,
  eigh,
  gemm,
  maximum,
  type OpOptions,
} from '../../ops/index.ts';
import type { OpSpec } from '../../ops/op.ts';
import type { Tensor } from '../../tensor.ts';

/** How the equations of many alphas are solved: a Cholesky factor for each, or one eigendecomposition for all. */
export type Factorisation = 'cholesky' | 'eigh';

/**
 * An eigendecomposition needs 14/3 n³ operations, most of them at a fraction of the speed of a Cholesky factor's
 * n³/3: below this many alphas it cannot win.
 */
const ALPHAS_FOR_EIGH = 32;

export function chooseFactorisation(
  backend: Backend,
  size: number,
  dtype: DType,
  alphas: number,
  asked: Factorisation | 'auto' = 'auto',
): Factorisation {
  if (asked !== 'auto') return asked;
  if (alphas < ALPHAS_FOR_EIGH) return 'cholesky';
  return backend.supports(eighSpec as unknown as OpSpec, [{ shape: [size, size], dtype }], {}) === true
    ? 'eigh'
    : 'cholesky';
}

/**
 * Solver of `(matrix + alpha I) z = cross` for one alpha after the other. Its result z [s, m] gives the held-out
 * predictions of all targets as one product, zᵀ times their right-hand sides: nothing is refitted for a target.
 *
 * @param matrix [s, s]
 * @param cross [s, m]
 */
export function smoother(
  matrix: Tensor,
  cross: Tensor,
  method: Factorisation,
  options: OpOptions,
): { z(alpha: number): Tensor; dispose(): void } {
  if (method === 'cholesky') {
    return {
      z: (alpha) => choleskySolve(choleskyFactor(matrix, { ...options, shift: alpha }), cross, options),
      dispose() {},
    };
  }
  const [eigenvalues, vectors, rotated] = matrix.backend.scope(() => {
    const { values, vectors } = eigh(matrix, options);
    // Rounding makes eigenvalues of a rank-deficient matrix slightly negative.
    const column = maximum(values, 0, options).reshape(values.size, 1);
    return [column, vectors, gemm(vectors, cross, { ...options, transA: true })] as const;
  });
  return {
    z: (alpha) => gemm(vectors, div(rotated, add(eigenvalues, alpha, options), options), options),
    dispose() {
      for (const tensor of [eigenvalues, vectors, rotated]) tensor.dispose();
    },
  };
}
