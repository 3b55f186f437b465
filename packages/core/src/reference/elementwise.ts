import { roundTo } from '../convert.ts';
import { asMatrix, type BinaryKind, type ElementwiseAttributes, type UnaryKind } from '../ops/elementwise.ts';
import type { ReferenceKernel } from './kernel.ts';

type Scalar = (a: number, b: number) => number;

/** Unary kinds ignore b. `Math.max` and `Math.min` return NaN if either is NaN, as the op promises. */
const onFloats: Record<BinaryKind | UnaryKind, Scalar> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  sqrt: (a) => Math.sqrt(a),
  square: (a) => a * a,
  exp: (a) => Math.exp(a),
  log: (a) => Math.log(a),
};

/** 32-bit integers wrap around. */
const onIntegers: Partial<typeof onFloats> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  max: Math.max,
  min: Math.min,
  neg: (a) => -a | 0,
  abs: (a) => Math.abs(a) | 0,
  square: (a) => Math.imul(a, a),
};

export const elementwise: ReferenceKernel<ElementwiseAttributes> = ([a, b], [y], { kind, scalar }) => {
  const apply = (a!.dtype === 'i32' ? onIntegers : onFloats)[kind]!;
  // A scalar is an operand of the type of a, like any other.
  const constant = roundTo(a!.dtype, scalar);
  const [rows, cols] = asMatrix(a!.shape);
  const [bRows, bCols] = b ? asMatrix(b.shape) : [1, 1];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      const other = b ? b.data[(bRows === 1 ? 0 : i) * bCols + (bCols === 1 ? 0 : j)]! : constant;
      y!.data[i * cols + j] = apply(a!.data[i * cols + j]!, other);
    }
  }
};
