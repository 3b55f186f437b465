import { hostArray } from '../../dtype.ts';
import { F2iError } from '../../error.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import { pacer } from '../pause.ts';
import { checkBlock, type MatrixSink, type MatrixSource, reused, type Values } from './matrix.ts';

/** Asking the clock costs as much as copying a short row. */
const ROWS_BETWEEN_BREATHS = 32;

/**
 * A matrix that is in memory, as a source.
 *
 * @param rows [rows, ...]; not copied
 * @param name what errors call it
 */
export function matrixInMemory({ data, shape }: Rows, name = 'matrix'): MatrixSource {
  const [rows, columns] = rowExtents({ data, shape }, name);
  const source: MatrixSource = {
    name,
    rows,
    columns,
    shape: shape.slice(1),
    async read(wanted, from, to, signal, into) {
      checkBlock(source, wanted, [from, to]);
      const width = to - from;
      const block = valuesLike(data, wanted.length * width, into);
      const breathe = pacer(signal, `reading ${name}`);
      for (let i = 0; i < wanted.length; i++) {
        const start = wanted[i]! * columns;
        block.set(data.subarray(start + from, start + to), i * width);
        if (i % ROWS_BETWEEN_BREATHS === 0) await breathe();
      }
      return block;
    },
  };
  return source;
}

/** A sink that keeps what it is given. */
export interface MemorySink extends MatrixSink {
  /** [rows, columns] row-major; zeros where nothing was written. */
  readonly values: Values;
}

/** @param dtype of `values`; what is written is converted to it */
export function memorySink(rows: number, columns: number, dtype: 'f32' | 'f64' = 'f32'): MemorySink {
  const values = hostArray(dtype, rows * columns);
  return {
    values,
    async write(from, to, block) {
      checkWritten({ name: 'sink', rows, columns }, from, to, block);
      const width = to - from;
      const breathe = pacer(undefined, 'writing');
      for (let row = 0; row < rows; row++) {
        values.set(block.subarray(row * width, (row + 1) * width), row * columns + from);
        if (row % ROWS_BETWEEN_BREATHS === 0) await breathe();
      }
    },
  };
}

/**
 * Checks what a sink is given: for every sink to call first.
 *
 * @throws INVALID_ARGUMENT naming the sink
 */
export function checkWritten(
  { name, rows, columns }: { readonly name: string; readonly rows: number; readonly columns: number },
  from: number,
  to: number,
  values: Values,
): void {
  const inside = Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= columns;
  if (inside && values.length === rows * (to - from)) return;
  throw new F2iError('INVALID_ARGUMENT', 'not a block of columns of this matrix', {
    file: name,
    expected: `[${rows}, to - from] values, 0 <= from <= to <= ${columns}`,
    found: `${values.length} values for columns [${from}, ${to})`,
  });
}

/** An array of the same type: `into`, if it suits. */
export function valuesLike(data: Values, length: number, into?: Values): Values {
  const Type = data.constructor as Float32ArrayConstructor;
  return reused(into, Type, length) ?? new Type(length);
}
