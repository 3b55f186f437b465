import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

/**
 * The mean training picture: the best answer of a decoder that never looked at the brain. Any score must be read
 * beside its score.
 *
 * @param pictures all training pictures [n, ...]
 * @param rows which of them to average; all when absent
 * @returns one picture [1, ...]
 */
export function meanPicture(pictures: Rows, rows?: ArrayLike<number>): Rows {
  const [n, length] = rowExtents(pictures, 'pictures');
  const list = rows ? Array.from(rows) : Array.from({ length: n }, (_, i) => i);
  if (list.length === 0) {
    throw new F2iError('INVALID_ARGUMENT', 'a mean picture needs pictures', { field: 'rows', found: 'none' });
  }
  const sum = new Float64Array(length);
  for (const row of list) {
    if (!(Number.isInteger(row) && row >= 0 && row < n)) {
      throw new F2iError('INVALID_ARGUMENT', 'no such picture', {
        field: 'rows',
        expected: `0 to ${n - 1}`,
        found: `${row}`,
      });
    }
    const start = row * length;
    for (let j = 0; j < length; j++) sum[j]! += pictures.data[start + j]!;
  }
  return { data: sum.map((value) => value / list.length), shape: [1, ...pictures.shape.slice(1)] };
}
