import { F2iError } from '../../../error.ts';
import { allocate, elementCount, type NdArray, type Place } from '../../ndarray.ts';
import type { SparseMatrix } from './matlab.ts';

/** Elements of a sparse matrix that is asked for with its zeros: a file of some bytes may state billions. */
const MAXIMUM_FILLED = 1 << 25;

/**
 * Checks where a file puts the elements of a sparse matrix.
 *
 * @param rows of each stored element, and of room beyond the last
 * @param starts [columns + 1]
 * @param room number of values that are there
 * @returns the number of elements
 * @throws FORMAT where columns do not follow each other, or rows do not ascend within a column
 */
export function checkSparse(
  [height, width]: readonly [rows: number, columns: number],
  rows: Int32Array,
  starts: Int32Array,
  room: number,
  place: { readonly file: string; readonly field: string },
): number {
  const fail = (part: string, message: string, expected: string, found: unknown): never => {
    const field = `${place.field}: ${part}`;
    throw new F2iError('FORMAT', message, { file: place.file, field, expected, found: `${found}` });
  };
  if (starts[0] !== 0) fail('column starts', 'the first column begins elsewhere', '0', starts[0]);
  for (let k = 0; k < width; k++) {
    const [from, to] = [starts[k]!, starts[k + 1]!];
    if (to < from)
      fail('column starts', 'a column ends before it begins', 'no descent', `${to} after ${from}`);
  }
  const count = starts[width]!;
  if (rows.length < count || room < count) {
    fail('values', 'fewer elements than the columns announce', `${count}`, Math.min(rows.length, room));
  }
  for (let column = 0; column < width; column++) {
    for (let k = starts[column]!; k < starts[column + 1]!; k++) {
      const least = k === starts[column] ? 0 : rows[k - 1]! + 1;
      if (rows[k]! < least || rows[k]! >= height) {
        fail('row indices', 'no row, or not in order', `${least} to ${height - 1}`, rows[k]);
      }
    }
  }
  return count;
}

/** A sparse matrix with its zeros, row-major. */
export function fillSparse({ shape, rows, starts, values }: SparseMatrix, { file, field }: Place): NdArray {
  const count = elementCount(shape) ?? Number.POSITIVE_INFINITY;
  if (count > MAXIMUM_FILLED) {
    throw new F2iError(
      'UNSUPPORTED',
      `a sparse matrix [${shape.join(', ')}] is not filled with zeros; readSparse() reads it`,
      { file, field },
    );
  }
  const data = allocate(values.dtype, count, file);
  for (let column = 0; column < shape[1]; column++) {
    for (let k = starts[column]!; k < starts[column + 1]!; k++) {
      data[rows[k]! * shape[1] + column] = values.data[k]!;
    }
  }
  return { dtype: values.dtype, shape: [...shape], data };
}
