import { pacer } from '../data/pause.ts';
import { gather, gemm, mul, type OpOptions } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Residuals of rows that were left out, from dual weights c = G y, G = (K + alpha I)⁻¹, of one fit to all rows. The residual
 * maker is I - H = alpha G - 1 1ᵀ / n (without an intercept alpha G), residuals are alpha c, and those of a group g that is
 * left out (I - H)_gg⁻¹ alpha c_g: nothing is fitted again (of single rows: Allen's PRESS; Hastie et al. 2009, The Elements of
 * Statistical Learning, equation 7.64).
 *
 * @param inverse G [n, n]
 * @param weights c [n], summed over targets of this penalty if there are several
 * @param groups of rows that are left out together
 */
export async function heldOutResiduals(
  inverse: Tensor,
  weights: Float64Array,
  alpha: number,
  groups: readonly (readonly number[])[],
  intercept: boolean,
  options: OpOptions,
): Promise<Float64Array> {
  const n = weights.length;
  const shared = intercept ? 1 / n : 0;
  const residuals = new Float64Array(n);
  if (groups.length === n) {
    const diagonal = await diagonalOf(inverse, options);
    for (let i = 0; i < n; i++) residuals[i] = (alpha * weights[i]!) / (alpha * diagonal[i]! - shared);
    return residuals;
  }
  const breathe = pacer(options.signal, 'intervals');
  for (const group of groups) {
    const rows = Int32Array.from(group);
    const [block] = await inverse.backend.compute(() => [gather(inverse, { ...options, rows, cols: rows })]);
    const matrix = Float64Array.from(block!, (value) => alpha * value - shared);
    const sides = Float64Array.from(rows, (row) => alpha * weights[row]!);
    await solveInPlace(matrix, sides, breathe);
    for (const [i, row] of group.entries()) residuals[row] = sides[i]!;
  }
  return residuals;
}

async function diagonalOf(matrix: Tensor, options: OpOptions): Promise<ArrayLike<number>> {
  const { backend, dtype } = matrix;
  const n = matrix.shape[0]!;
  const [diagonal] = await backend.compute(() => {
    const ones = backend.tensor(filled(n, dtype === 'f64'), [n, 1], dtype);
    return [gemm(mul(matrix, identity(matrix), options), ones, options)];
  });
  return diagonal!;
}

/** The identity of a matrix's size and type, on its device. */
export function identity({ backend, shape, dtype }: Tensor): Tensor {
  const n = shape[0]!;
  const values = dtype === 'f64' ? new Float64Array(n * n) : new Float32Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return backend.tensor(values, [n, n], dtype);
}

const filled = (n: number, isFloat64: boolean) =>
  isFloat64 ? new Float64Array(n).fill(1) : new Float32Array(n).fill(1);

/** Solves a positive definite system by Cholesky factors, in the arrays that are given. */
async function solveInPlace(
  matrix: Float64Array,
  sides: Float64Array,
  breathe: () => Promise<void> | undefined,
): Promise<void> {
  const n = sides.length;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let value = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) value -= matrix[i * n + k]! * matrix[j * n + k]!;
      matrix[i * n + j] = i === j ? Math.sqrt(value) : value / matrix[j * n + j]!;
    }
    await breathe();
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) sides[i]! -= matrix[i * n + k]! * sides[k]!;
    sides[i]! /= matrix[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) sides[i]! -= matrix[k * n + i]! * sides[k]!;
    sides[i]! /= matrix[i * n + i]!;
  }
}
