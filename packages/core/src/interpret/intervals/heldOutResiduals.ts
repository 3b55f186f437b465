import { pacer } from '../../data/pause.ts';
import { F2iError } from '../../error.ts';

/** Rows and columns `rows` of an inverse, [rows, rows] row-major. */
export type BlockOfInverse = (rows: Int32Array) => Promise<ArrayLike<number>>;

/** What residuals follow from. */
export interface FittedRows {
  /** Blocks of G = (K + mean 1 1ᵀ / n + alpha I)⁻¹ [n, n]: no more of it is needed. */
  readonly inverse: BlockOfInverse;
  /** Dual weights c [n] of each target of this penalty. */
  readonly weights: readonly Float64Array[];
  readonly alpha: number;
  /** By how much K was raised; undefined without an intercept. */
  readonly mean: number | undefined;
}

/** Rows whose diagonal is looked up at once. */
export const DIAGONAL_BLOCK = 256;

/**
 * Residuals of rows that were left out, from dual weights c = (K + alpha I)⁻¹ y of one fit to all rows. Residuals are alpha c,
 * and those of a group g that is left out (I - H)_gg⁻¹ alpha c_g: nothing is fitted again (of single rows: Allen's PRESS; Hastie
 * et al. 2009, The Elements of Statistical Learning, equation 7.64).
 *
 * Without an intercept I - H = alpha (K + alpha I)⁻¹. With one, K is of centred rows: it leaves the mean alone, whose part of the
 * inverse, 1 1ᵀ / (n alpha), is no residual. Taking it away at the end would leave nothing but rounding where a penalty is small;
 * so K is raised there first, by `mean` 1 1ᵀ / n, and the part is (mean + alpha)⁻¹ 1 1ᵀ / n.
 *
 * @param groups of rows that are left out together
 * @returns [n] for each target
 * @throws NOT_POSITIVE_DEFINITE where rounding is all that is left of the residuals
 */
export async function heldOutResiduals(
  { inverse, weights, alpha, mean }: FittedRows,
  groups: readonly (readonly number[])[],
  signal?: AbortSignal,
): Promise<Float64Array[]> {
  const n = weights[0]!.length;
  const shared = mean === undefined ? 0 : alpha / (mean + alpha) / n;
  const residuals = weights.map(() => new Float64Array(n));
  if (groups.length === n) {
    for (let from = 0; from < n; from += DIAGONAL_BLOCK) {
      const rows = Int32Array.from({ length: Math.min(DIAGONAL_BLOCK, n - from) }, (_, i) => from + i);
      const block = await inverse(rows);
      for (const [i, row] of rows.entries()) {
        const left = positive(alpha * block[i * rows.length + i]! - shared);
        for (const [t, own] of residuals.entries()) own[row] = (alpha * weights[t]![row]!) / left;
      }
    }
    return residuals;
  }
  const breathe = pacer(signal, 'intervals');
  for (const group of groups) {
    const rows = Int32Array.from(group);
    const factor = Float64Array.from(await inverse(rows), (value) => alpha * value - shared);
    await factorInPlace(factor, rows.length, breathe);
    for (const [t, own] of residuals.entries()) {
      const sides = Float64Array.from(rows, (row) => alpha * weights[t]![row]!);
      solveInPlace(factor, sides);
      for (const [i, row] of rows.entries()) own[row] = sides[i]!;
      await breathe();
    }
  }
  return residuals;
}

function positive(value: number): number {
  if (value > 0) return value;
  throw new F2iError('NOT_POSITIVE_DEFINITE', 'the penalty is too small to tell residuals from rounding', {
    field: 'alpha',
    expected: 'a larger penalty, or float64',
    found: `${value} of a residual`,
  });
}

/** The lower Cholesky factor of a positive definite matrix [n, n], in its place. */
async function factorInPlace(
  matrix: Float64Array,
  n: number,
  breathe: () => Promise<void> | undefined,
): Promise<void> {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let value = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) value -= matrix[i * n + k]! * matrix[j * n + k]!;
      matrix[i * n + j] = i === j ? Math.sqrt(positive(value)) : value / matrix[j * n + j]!;
    }
    await breathe();
  }
}

/** Solves with a lower factor and its transpose, in the place of the right-hand sides. */
function solveInPlace(factor: Float64Array, sides: Float64Array): void {
  const n = sides.length;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) sides[i]! -= factor[i * n + k]! * sides[k]!;
    sides[i]! /= factor[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) sides[i]! -= factor[k * n + i]! * sides[k]!;
    sides[i]! /= factor[i * n + i]!;
  }
}
