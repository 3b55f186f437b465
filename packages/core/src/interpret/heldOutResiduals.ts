import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import { gather, type OpOptions } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Residuals of rows that were left out, from dual weights c = (K + alpha I)⁻¹ y of one fit to all rows. Residuals are alpha c,
 * and those of a group g that is left out (I - H)_gg⁻¹ alpha c_g: nothing is fitted again (of single rows: Allen's PRESS; Hastie
 * et al. 2009, The Elements of Statistical Learning, equation 7.64).
 *
 * Without an intercept I - H = alpha (K + alpha I)⁻¹. With one, K is of centred rows: it leaves the mean alone, whose part of the
 * inverse, 1 1ᵀ / (n alpha), is no residual. Taking it away at the end would leave nothing but rounding where a penalty is small;
 * so K is raised there first, by `mean` 1 1ᵀ / n, and the part is (mean + alpha)⁻¹ 1 1ᵀ / n.
 *
 * @param inverse G = (K + mean 1 1ᵀ / n + alpha I)⁻¹ [n, n]
 * @param weights c [n], summed over targets of this penalty if there are several
 * @param groups of rows that are left out together
 * @param mean by how much K was raised; undefined without an intercept
 * @throws NOT_POSITIVE_DEFINITE where rounding is all that is left of the residuals
 */
export async function heldOutResiduals(
  inverse: Tensor,
  weights: Float64Array,
  alpha: number,
  groups: readonly (readonly number[])[],
  mean: number | undefined,
  options: OpOptions,
): Promise<Float64Array> {
  const n = weights.length;
  const shared = mean === undefined ? 0 : alpha / (mean + alpha) / n;
  const residuals = new Float64Array(n);
  if (groups.length === n) {
    const diagonal = await diagonalOf(inverse, options);
    for (let i = 0; i < n; i++)
      residuals[i] = (alpha * weights[i]!) / positive(alpha * diagonal[i]! - shared);
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

/** Rows and columns of a block around the diagonal. */
const BLOCK = 256;

/** The diagonal of a matrix [n, n]. */
export async function diagonalOf(matrix: Tensor, options: OpOptions): Promise<Float64Array> {
  const n = matrix.shape[0]!;
  const diagonal = new Float64Array(n);
  for (let from = 0; from < n; from += BLOCK) {
    const rows = Int32Array.from({ length: Math.min(BLOCK, n - from) }, (_, i) => from + i);
    const [block] = await matrix.backend.compute(() => [gather(matrix, { ...options, rows, cols: rows })]);
    for (const [i, row] of rows.entries()) diagonal[row] = block![i * rows.length + i]!;
  }
  return diagonal;
}

function positive(value: number): number {
  if (value > 0) return value;
  throw new F2iError('NOT_POSITIVE_DEFINITE', 'the penalty is too small to tell residuals from rounding', {
    field: 'alpha',
    expected: 'a larger penalty, or float64',
    found: `${value} of a residual`,
  });
}

/** The identity of a matrix's size and type, on its device. */
export function identity({ backend, shape, dtype }: Tensor): Tensor {
  const n = shape[0]!;
  const values = dtype === 'f64' ? new Float64Array(n * n) : new Float32Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return backend.adopt(values.buffer, [n, n], dtype);
}

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
      matrix[i * n + j] = i === j ? Math.sqrt(positive(value)) : value / matrix[j * n + j]!;
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
