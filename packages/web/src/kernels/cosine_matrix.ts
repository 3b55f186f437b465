import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import source from './cosine_matrix.wgsl';
import {
  type Encoder,
  type Kernel,
  linearGrid,
  type Matrix,
  rectangles,
  windowCapacity,
  windowOnPart,
} from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';

const normalise: Program = {
  name: 'cosine_matrix normalise',
  code: bits + source,
  access: ['read', 'read_write'],
};

/** The matrix product of rows that have been brought to unit length. */
export const cosineMatrix: Kernel = {
  programs: (limits) => [normalise, ...productPrograms(limits)],
  refuses([a], _attributes, limits) {
    const capacity = windowCapacity(limits);
    return a!.shape[1]! <= capacity
      ? undefined
      : `rows are longer than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [a, b], outputs: [y] }, encoder) {
    const operands = { a: unitRows(encoder, a!), transA: false, b: unitRows(encoder, b!), transB: true };
    encodeProduct(encoder, { ...operands, y: y!, alpha: 1 });
  },
};

function unitRows(encoder: Encoder, x: Matrix): Matrix {
  const unit = encoder.scratch(x.rows, x.cols);
  for (const { row, rows } of rectangles(x.rows, x.cols, x.ld, windowCapacity(encoder.limits))) {
    const wx = windowOnPart(x, row, rows, 0, x.cols);
    const wy = windowOnPart(unit, row, rows, 0, x.cols);
    linearGrid(encoder.limits, rows, 1, (first, count, stride, groups) => {
      const params = [first, rows, x.cols, stride, wx.base, x.ld, wy.base];
      encoder.dispatch(normalise, [wx, wy], params, groups, 6 * count * x.cols);
    });
  }
  return unit;
}
