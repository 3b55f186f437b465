import { bytesPerElement, type DType, type Operand, type Storage } from '@fmri2image/core';

/** Memory of the core as tensors hold it. */
export interface NativeStorage extends Storage {
  /** Number of the buffer; 0 once it is freed. */
  handle: number;
  /** It lies in memory that somebody waits for. */
  readonly lent?: true;
}

/** Element types by their number in `f2i.h`. */
export const DTYPES: Readonly<Record<DType, number>> = { f32: 0, f64: 1, f16: 2, bf16: 3, i32: 4, u8: 5 };

const SCALARS = 2;
const OPERANDS = 16;
const OPERAND = 6;
const LENGTH = 256;
/** As many as one op can have. */
export const MOST_OPERANDS = Math.floor((LENGTH - OPERANDS) / OPERAND);

/**
 * Packs the arguments of one op into an array that the native side reads in place; the layout is described in
 * `binding/arguments.hpp`. Writing a few numbers is all that a call costs on this side.
 */
export class Arguments {
  static readonly FIRST_OPERAND = OPERANDS;
  /** Given to the context once. */
  readonly values = new Float64Array(LENGTH);

  begin(tag: number, token: number): void {
    this.values[0] = tag;
    this.values[1] = token;
  }

  scalars(...scalars: readonly number[]): this {
    for (let i = 0; i < scalars.length; i++) this.values[SCALARS + i] = scalars[i]!;
    return this;
  }

  operands(...operands: readonly (Operand | undefined)[]): void {
    let at = OPERANDS;
    for (const operand of operands) {
      if (operand) this.#matrix(at, operand);
      else this.values.fill(0, at, at + OPERAND);
      at += OPERAND;
    }
  }

  /** Leading axes are rows, the last one columns; a vector is one row. */
  #matrix(at: number, { storage, offset, shape, dtype, rowStride }: Operand): void {
    const { values } = this;
    const rank = shape.length;
    const cols = rank === 0 ? 1 : shape[rank - 1]!;
    let rows = 1;
    for (let axis = 0; axis < rank - 1; axis++) rows *= shape[axis]!;
    values[at] = (storage as NativeStorage).handle;
    values[at + 1] = offset * bytesPerElement(dtype);
    values[at + 2] = rows;
    values[at + 3] = cols;
    values[at + 4] = rowStride ?? Math.max(1, cols);
    values[at + 5] = DTYPES[dtype];
  }
}
