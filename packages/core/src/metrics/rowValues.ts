import type { MatrixSource, Values } from '../data/matrix/matrix.ts';
import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

/** Rows that stay where they lie, in a file say: row i is row `rows[i]` of the matrix. */
export interface MatrixRows {
  readonly source: MatrixSource;
  readonly rows: ArrayLike<number>;
}

/** Rows to compare: in memory, or read in windows of columns. */
export type ComparedRows = Rows | MatrixRows;

/** Some columns of all rows: value j of row i is `values[i * stride + j - first]`. */
export interface Stretch {
  readonly values: Values;
  readonly stride: number;
  readonly first: number;
}

/** How rows are gone over, wherever they lie. */
export interface RowValues {
  readonly rows: number;
  readonly length: number;
  /** What an error says of a row: file and row of it, where there is a file. */
  place(row: number): { readonly file?: string; readonly found: string };
  /** Columns [from, to). */
  read(from: number, to: number, signal?: AbortSignal): Promise<Stretch>;
}

const isMatrix = (rows: ComparedRows): rows is MatrixRows => 'source' in rows;

/**
 * Number of rows and values in each.
 *
 * @throws INVALID_ARGUMENT, naming `field`, where shape and data disagree
 */
export function comparedExtents(rows: ComparedRows, field: string): [rows: number, length: number] {
  if (!isMatrix(rows)) return rowExtents(rows, field);
  if (rows.rows.length > 0) return [rows.rows.length, rows.source.columns];
  throw new F2iError('INVALID_ARGUMENT', 'there are no rows', { file: rows.source.name, field });
}

/** Some of the rows, in the order given: those of a matrix stay where they lie. */
export function pickRows(rows: ComparedRows, picked: ArrayLike<number>): ComparedRows {
  if (isMatrix(rows)) {
    return { source: rows.source, rows: Int32Array.from(picked, (row) => rows.rows[row]!) };
  }
  const { data, shape } = rows;
  const length = data.length / shape[0]!;
  const taken = new Float64Array(picked.length * length);
  for (let i = 0; i < picked.length; i++) {
    taken.set(data.subarray(picked[i]! * length, (picked[i]! + 1) * length), i * length);
  }
  return { data: taken, shape: [picked.length, ...shape.slice(1)] };
}

export function rowValues(compared: ComparedRows, field: string): RowValues {
  const [rows, length] = comparedExtents(compared, field);
  if (!isMatrix(compared)) {
    const whole = { values: compared.data, stride: length, first: 0 };
    return { rows, length, place: (row) => ({ found: `row ${row}` }), read: async () => whole };
  }
  const { source, rows: own } = compared;
  return {
    rows,
    length,
    place: (row) => ({ file: source.name, found: `row ${own[row]}` }),
    read: async (from, to, signal) => ({
      values: await source.read(own, from, to, signal),
      stride: to - from,
      first: from,
    }),
  };
}
