import type { Backend } from '../../backend.ts';
import { F2iError } from '../../error.ts';
import type { Tensor } from '../../tensor.ts';

/**
 * Numbers of a matrix that may lie on disk: one row a trial, a volume or a picture, one column a voxel or a value of a
 * target. What does not fit in memory is read in blocks.
 */
export interface MatrixSource {
  /** For errors and ledgers: the file, and the array in it. */
  readonly name: string;
  readonly rows: number;
  /** Values of a row, all its axes multiplied. */
  readonly columns: number;
  /** Axes of one row: [257, 768]; their product is `columns`. */
  readonly shape: readonly number[];
  /**
   * Columns [from, to) of some rows, in the order given; a row may stand twice. Row-major [rows.length, to - from], in an
   * array that the caller may give away.
   *
   * @param into an array that a source may fill instead of making one, if it is of its type and long enough: its beginning
   *   is what is returned then. Memory that was used before costs no page faults
   * @throws FORMAT or IO naming the file; INVALID_ARGUMENT for rows and columns that there are not; CANCELLED
   */
  read(
    rows: ArrayLike<number>,
    from: number,
    to: number,
    signal?: AbortSignal,
    into?: Values,
  ): Promise<Values>;
  /**
   * The same for neighbouring blocks of columns, [edges[i], edges[i + 1]), each in an array of its own: a file whose rows
   * lie far apart is read once for all of them. `readBlocks` does without.
   *
   * @param into arrays that may be filled, as in `read`
   */
  readBlocks?(
    rows: ArrayLike<number>,
    edges: readonly number[],
    signal?: AbortSignal,
    into?: readonly Values[],
  ): Promise<Values[]>;
  /**
   * The whole matrix as a tensor [rows, columns] in the memory where it lies, if it and the device allow that. The caller
   * disposes it, and lets no work on it outlive the source.
   */
  inPlace?(backend: Backend): Tensor | undefined;
  /** Files of half precision: their values as they lie, for devices to convert. */
  readonly halves?: HalfSource | undefined;
  close?(): void;
}

/** Reads what a matrix holds in half precision, as raw patterns. */
export interface HalfSource {
  readonly dtype: 'f16' | 'bf16';
  /** As `MatrixSource.readBlocks`. */
  readBlocks(
    rows: ArrayLike<number>,
    edges: readonly number[],
    signal?: AbortSignal,
    into?: readonly Uint16Array[],
  ): Promise<Uint16Array[]>;
}

/** Where blocks of columns of a matrix go, by ascending columns, each once. */
export interface MatrixSink {
  /** @param values columns [from, to) of all rows, row-major [rows, to - from]; the sink's until the promise settles */
  write(from: number, to: number, values: Values): Promise<void>;
}

export type Values = Float32Array | Float64Array;

/** Neighbouring blocks of columns, each in an array of its own: `MatrixSource.readBlocks` of any source. */
export async function readBlocks(
  source: MatrixSource,
  rows: ArrayLike<number>,
  edges: readonly number[],
  signal?: AbortSignal,
  into: readonly Values[] = [],
): Promise<Values[]> {
  if (source.readBlocks) return source.readBlocks(rows, edges, signal, into);
  const blocks: Values[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    blocks.push(await source.read(rows, edges[i]!, edges[i + 1]!, signal, into[i]));
  }
  return blocks;
}

/** The beginning of an array that was used before, if it is of the type and long enough. */
export function reused<T extends Values | Uint16Array>(
  into: T | undefined,
  type: { new (length: number): T },
  length: number,
): T | undefined {
  if (!into || into.constructor !== type || into.length < length) return undefined;
  return into.subarray(0, length) as T;
}

/**
 * Checks what a source is asked for.
 *
 * @throws INVALID_ARGUMENT naming the matrix
 */
export function checkBlock(
  { name, rows: count, columns }: Pick<MatrixSource, 'name' | 'rows' | 'columns'>,
  rows: ArrayLike<number>,
  edges: readonly number[],
): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (Number.isInteger(row) && row >= 0 && row < count) continue;
    throw new F2iError('INVALID_ARGUMENT', 'no such row', {
      file: name,
      field: 'rows',
      expected: `0 to ${count - 1}`,
      found: `${row}`,
    });
  }
  const ascend = edges.every((edge, i) => Number.isInteger(edge) && edge >= (i === 0 ? 0 : edges[i - 1]!));
  if (!ascend || edges.length < 2 || edges.at(-1)! > columns) {
    throw new F2iError('INVALID_ARGUMENT', 'no such columns', {
      file: name,
      field: 'columns',
      expected: `ascending, 0 to ${columns}`,
      found: edges.join(', '),
    });
  }
}
