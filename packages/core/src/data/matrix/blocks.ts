import { F2iError } from '../../error.ts';
import { type ElementType, type NdArray, toFloat32, toFloat64 } from '../ndarray.ts';
import { reused, type Values } from './matrix.ts';
import type { Span } from './spans.ts';

/** A class of typed arrays. */
export type ArrayType<T> = {
  new (length: number): T;
  new (buffer: ArrayBuffer, offset: number, length: number): T;
};

/** Do values of the type need float64? */
export function isWide(dtype: ElementType): boolean {
  return ['f64', 'i32', 'u32', 'i64', 'u64'].includes(dtype);
}

/** The class of arrays that hold values of a type of files. */
export function typeFor(dtype: ElementType): ArrayType<Values> {
  return isWide(dtype) ? Float64Array : Float32Array;
}

/** Values of a file as the blocks hold them. @param name of the matrix, for errors */
export function asValues(array: NdArray, name: string): Values {
  return isWide(array.dtype) ? toFloat64(array, { file: name }) : toFloat32(array, { file: name });
}

/** An array for each block of columns; those of `into` that suit. */
export function newBlocks<T extends Values | Uint16Array>(
  Type: ArrayType<T>,
  rows: number,
  edges: readonly number[],
  name: string,
  into: readonly T[] = [],
): T[] {
  return edges.slice(1).map((to, i) => {
    const length = rows * (to - edges[i]!);
    try {
      return reused(into[i], Type, length) ?? new Type(length);
    } catch (cause) {
      throw new F2iError('OUT_OF_MEMORY', `no room for a block of ${length} values`, { file: name, cause });
    }
  });
}

/** Puts rows of a span, which hold columns from `begin` on, into their places of each block. */
export function scatter<T extends Values | Uint16Array>(
  values: T,
  span: Span,
  begin: number,
  width: number,
  blocks: readonly T[],
  edges: readonly number[],
): void {
  for (const [i, row] of span.rows.entries()) {
    const start = (row - span.first) * width - begin;
    for (const [b, block] of blocks.entries()) {
      const [from, to] = [edges[b]!, edges[b + 1]!];
      block.set(values.subarray(start + from, start + to), span.places[i]! * (to - from));
    }
  }
}
