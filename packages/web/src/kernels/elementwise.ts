import { type BinaryKind, type ElementwiseAttributes, roundTo, type UnaryKind } from '@fmri2image/core';
import { f32Bits, type Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import source from './elementwise.wgsl';
import exponential from './exponential.wgsl';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, rectangles, windowCapacity, windowOn, windowOnPart } from './kernel.ts';

/** Numbers of the kinds in the shader; those from 16 are unary. */
const KINDS: Record<BinaryKind | UnaryKind, number> = {
  ...{ add: 0, sub: 1, mul: 2, div: 3, max: 4, min: 5 },
  ...{ neg: 16, abs: 17, sqrt: 18, square: 19, exp: 20, log: 21 },
};

function program(kind: BinaryKind | UnaryKind, integer: boolean): Program {
  return {
    name: `elementwise ${kind}`,
    code: bits + exponential + grid + source,
    access: ['read', 'read', 'read_write'],
    constants: { KIND: KINDS[kind], INTEGER: Number(integer) },
  };
}

const kinds = Object.keys(KINDS) as (BinaryKind | UnaryKind)[];
const onFloats = new Map(kinds.map((kind) => [kind, program(kind, false)]));
const onIntegers = new Map(kinds.map((kind) => [kind, program(kind, true)]));

export const elementwise: Kernel<ElementwiseAttributes> = {
  // Sums of integers are rare: compiled when there is one.
  programs: () => [...onFloats.values()],
  dtypes: ['f32', 'i32'],
  encode({ inputs: [a, b], outputs: [y], attributes: { kind, scalar } }, encoder) {
    const integer = a!.dtype === 'i32';
    const chosen = (integer ? onIntegers : onFloats).get(kind)!;
    const rowStep = b && b.rows > 1 ? b.ld : 0;
    const colStep = b && b.cols > 1 ? 1 : 0;
    const capacity = windowCapacity(encoder.limits);
    for (const { row, rows, col, cols } of rectangles(a!.rows, a!.cols, a!.cols, capacity)) {
      const wa = windowOnPart(a!, row, rows, col, cols);
      const wb = b
        ? windowOn(b, row * rowStep + col * colStep, (rows - 1) * rowStep + (cols - 1) * colStep + 1)
        : wa;
      const wy = windowOnPart(y!, row, rows, col, cols);
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        encoder.dispatch(
          chosen,
          [wa, wb, wy],
          [
            ...[first, count, stride, cols],
            ...[wa.base, wb.base, wy.base],
            ...[rowStep, colStep, Number(b !== undefined)],
            integer ? roundTo('i32', scalar) : f32Bits(scalar),
          ],
          groups,
          4 * count,
        );
      });
    }
  },
};
