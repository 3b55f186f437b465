import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

/**
 * Pearson correlation of each row of `a` with the same row of `b`, over all their values (or the chosen ones).
 *
 * @param a [n, ...]
 * @param b [n, ...], of the same extents
 * @param chosen which of a row's values count: one truth value for each; all when absent
 * @returns [n]; 0 where either side has no variance
 * @throws INVALID_ARGUMENT for extents that differ, a choice of nothing, or NaN
 */
export function pairedCorrelation(a: Rows, b: Rows, chosen?: ArrayLike<boolean | number>): Float64Array {
  const [n, d] = rowExtents(a, 'a');
  const [m, dOther] = rowExtents(b, 'b');
  if (n !== m || d !== dOther) {
    throw new F2iError(
      'INVALID_ARGUMENT',
      'correlations of pairs need as many rows and values on both sides',
      {
        field: 'b',
        expected: `${n} rows of ${d}`,
        found: `${m} rows of ${dOther}`,
      },
    );
  }
  const places = placesOf(chosen, d);
  return Float64Array.from({ length: n }, (_, row) => {
    const r = correlation(a.data, b.data, places, row * d);
    if (Number.isNaN(r)) {
      throw new F2iError('INVALID_ARGUMENT', 'values are NaN or infinite', { found: `row ${row}` });
    }
    return r;
  });
}

function placesOf(chosen: ArrayLike<boolean | number> | undefined, d: number): Int32Array {
  const all = new Int32Array(d);
  for (let j = 0; j < d; j++) all[j] = j;
  if (!chosen) return all;
  const places = all.filter((j) => chosen[j]);
  if (chosen.length === d && places.length > 0) return places;
  throw new F2iError('INVALID_ARGUMENT', 'not a choice among the values', {
    field: 'chosen',
    expected: `${d} truth values, one of them true`,
    found: `${chosen.length}, ${places.length} of them true`,
  });
}

/** In two passes: means, then products of what differs from them. */
function correlation(a: Rows['data'], b: Rows['data'], places: Int32Array, start: number): number {
  let [meanA, meanB] = [0, 0];
  let [flatA, flatB] = [true, true];
  const [firstA, firstB] = [a[start + places[0]!]!, b[start + places[0]!]!];
  for (const j of places) {
    const x = a[start + j]!;
    const y = b[start + j]!;
    meanA += x;
    meanB += y;
    flatA &&= x === firstA;
    flatB &&= y === firstB;
  }
  meanA /= places.length;
  meanB /= places.length;
  let [ab, aa, bb] = [0, 0, 0];
  for (const j of places) {
    const x = a[start + j]! - meanA;
    const y = b[start + j]! - meanB;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (!Number.isFinite(ab)) return Number.NaN;
  if (flatA || flatB || aa === 0 || bb === 0) return 0;
  return Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb)));
}
