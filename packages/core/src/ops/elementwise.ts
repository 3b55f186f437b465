import { sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export const BINARY_KINDS = ['add', 'sub', 'mul', 'div', 'max', 'min'] as const;
export const UNARY_KINDS = ['neg', 'abs', 'sqrt', 'square', 'exp', 'log'] as const;
export type BinaryKind = (typeof BINARY_KINDS)[number];
export type UnaryKind = (typeof UNARY_KINDS)[number];

export interface ElementwiseAttributes {
  readonly [name: string]: number | string;
  readonly kind: BinaryKind | UnaryKind;
  /** The second operand of a binary kind when no tensor is given. */
  readonly scalar: number;
}

const NOT_ON_INTEGERS: readonly string[] = ['div', 'sqrt', 'exp', 'log'];

/** Inputs: a, b?. */
export const elementwiseSpec: OpSpec<ElementwiseAttributes> = {
  name: 'elementwise',
  family: 'elementwise',
  infer([a, b], { kind, scalar }) {
    const dtype = sameFloat('elementwise', [a, b], ['f32', 'f64', 'i32']);
    if (dtype === 'i32' && scalar !== (scalar | 0)) {
      throw fail('elementwise', 'the scalar must be an integer of 32 bits', 'i32', `${scalar}`);
    }
    if (dtype === 'i32' && NOT_ON_INTEGERS.includes(kind)) {
      throw fail('elementwise', `${kind} is not defined on integers`, 'f32 or f64', 'i32');
    }
    if (b) {
      // As matrices: leading axes of a are rows, its last axis columns; b has a's extent or 1 in each.
      const [rows, cols] = asMatrix(a!.shape);
      const [bRows, bCols] = asMatrix(b.shape);
      if ((bRows !== rows && bRows !== 1) || (bCols !== cols && bCols !== 1)) {
        throw fail(
          'elementwise',
          'b does not broadcast to a',
          `[${rows} or 1, ${cols} or 1]`,
          `[${b.shape}]`,
        );
      }
    }
    return [{ shape: a!.shape, dtype }];
  },
  flops([a]) {
    return sizeOf(a!.shape);
  },
};

/** Rows and columns of a tensor of any rank; a vector is one row. */
export function asMatrix(shape: readonly number[]): [rows: number, cols: number] {
  if (shape.length === 0) return [1, 1];
  const cols = shape.at(-1)!;
  return [shape.length === 1 ? 1 : sizeOf(shape.slice(0, -1)), cols];
}

function binary(kind: BinaryKind) {
  return (a: Tensor, b: Tensor | number, options: OpOptions = {}): Tensor =>
    typeof b === 'number'
      ? runOp(elementwiseSpec, [a, undefined], { kind, scalar: b }, options)[0]!
      : runOp(elementwiseSpec, [a, b], { kind, scalar: 0 }, options)[0]!;
}

function unary(kind: UnaryKind) {
  return (a: Tensor, options: OpOptions = {}): Tensor =>
    runOp(elementwiseSpec, [a, undefined], { kind, scalar: 0 }, options)[0]!;
}

/** `a + b`; b is a number, has a's shape, or has extent 1 where it repeats ([1, v] or [v]: every row). */
export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
/** The larger of the two; NaN if either is NaN. */
export const maximum = binary('max');
export const minimum = binary('min');
export const neg = unary('neg');
export const abs = unary('abs');
export const sqrt = unary('sqrt');
export const squareOf = unary('square');
export const exp = unary('exp');
export const log = unary('log');
