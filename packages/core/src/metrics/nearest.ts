import { type Rows, rowExtents } from '../rows.ts';
import { type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';

export interface NearestPictures {
  /** For each query the row of `pictures` that correlates most with it, the first of equals; -1 for a constant query. */
  readonly rows: Int32Array;
  /** [queries, ...]: those pictures; zeros for a constant query, to which nothing is near. */
  readonly pictures: Rows;
}

/** Correlations closer than this are equal: their last bits depend on the order of sums. */
const ROUNDING = 1e-12;

/** Queries whose correlations with all pictures are held at a time. */
const QUERIES_AT_ONCE = 1024;

/**
 * Looks each query up in a set of pictures: the one of largest Pearson correlation. For reconstructions as queries and
 * training pictures as the set, this is the answer of a look-up where the decoder's own was a picture: if it scores as
 * well, the reconstructions show nothing that choosing among known pictures would not. For the true pictures as
 * queries, it is the best answer that any choice among the training pictures could give.
 *
 * @param pictures [m, ...]
 * @param queries [n, ...], of the same trailing extents
 */
export async function nearestPictures(
  pictures: Rows,
  queries: Rows,
  options: CorrelationOptions = {},
): Promise<NearestPictures> {
  const [m, length] = rowExtents(pictures, 'pictures');
  const [n] = rowExtents(queries, 'queries');
  const rows = new Int32Array(n).fill(-1);
  const nearest = new Float32Array(n * length);
  for (let first = 0; first < n; first += QUERIES_AT_ONCE) {
    const count = Math.min(QUERIES_AT_ONCE, n - first);
    const data = queries.data.subarray(first * length, (first + count) * length);
    const { values } = await correlationMatrix(pictures, { data, shape: [count, length] }, options);
    for (let i = 0; i < count; i++) {
      const query = first + i;
      if (isConstant(queries, query, length)) continue;
      let best = 0;
      for (let row = 1; row < m; row++) {
        if (values[row * count + i]! > values[best * count + i]! + ROUNDING) best = row;
      }
      rows[query] = best;
      nearest.set(pictures.data.subarray(best * length, (best + 1) * length), query * length);
    }
  }
  return { rows, pictures: { data: nearest, shape: [n, ...pictures.shape.slice(1)] } };
}

function isConstant({ data }: Rows, row: number, length: number): boolean {
  const start = row * length;
  for (let j = 1; j < length; j++) if (data[start + j] !== data[start]) return false;
  return true;
}
