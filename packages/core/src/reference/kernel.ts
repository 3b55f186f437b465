import type { DType } from '../dtype.ts';
import type { ErrorCode } from '../error.ts';
import type { Attributes } from '../ops/op.ts';
import { type Shape, sizeOf } from '../tensor.ts';

/** An operand as the reference sees it: row-major float64 values, whatever the type says. */
export interface View {
  readonly data: Float64Array;
  readonly shape: Shape;
  /** Only ops whose meaning depends on the type (integer wrap-around, casts) look at it. */
  readonly dtype: DType;
}

/**
 * Computes one op in plain float64 loops: the oracle that every other backend is compared with. Inputs that were
 * not given are undefined; throws a DataError where the values do not allow it.
 */
export type ReferenceKernel<A extends Attributes = Attributes> = (
  inputs: readonly (View | undefined)[],
  outputs: readonly View[],
  attributes: A,
) => void;

/** The values do not allow the op; the backend adds the op and the place that enqueued it. */
export class DataError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: { readonly expected?: string; readonly found?: string },
  ) {
    super(message);
  }
}

export function rowsOf(view: View): number {
  return view.shape[0]!;
}

export function colsOf(view: View): number {
  return view.shape[1]!;
}

/** Sum of `length` products, one after the other. */
export function dot(a: Float64Array, fromA: number, b: Float64Array, fromB: number, length: number): number {
  let sum = 0;
  for (let l = 0; l < length; l++) sum += a[fromA + l]! * b[fromB + l]!;
  return sum;
}

/** Values of a matrix in column-major order. */
export function transposed(x: View): Float64Array {
  const rows = rowsOf(x);
  const cols = colsOf(x);
  const result = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) result[j * rows + i] = x.data[i * cols + j]!;
  return result;
}

/** Mean and population variance, in two passes. */
export function moments(values: Float64Array): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance };
}

/** How many elements apart neighbours along each axis are. */
export function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}
