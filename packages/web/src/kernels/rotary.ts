import { type RotaryAttributes, sizeOf } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, rectangles, windowCapacity, windowOn, windowOnPart } from './kernel.ts';
import source from './rotary.wgsl';

const program: Program = {
  name: 'rotary',
  code: grid + source,
  access: ['read', 'read', 'read', 'read_write'],
};

export const rotary: Kernel<RotaryAttributes> = {
  programs: () => [program],
  refuses([x, cosines], _attributes, limits) {
    const capacity = windowCapacity(limits);
    return Math.max(x!.shape.at(-1)!, sizeOf(cosines!.shape)) <= capacity
      ? undefined
      : `rows or the table are longer than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [x, cosines, sines], outputs: [y], attributes: { positionAxis } }, encoder) {
    const { shape } = x!;
    const positions = shape.at(-positionAxis)!;
    // Rows of one position: the heads, where they stand inside.
    const inner = sizeOf(shape.slice(shape.length - positionAxis + 1, -1));
    const pairs = cosines!.cols;
    const wcos = windowOn(cosines!, 0, positions * pairs);
    const wsin = windowOn(sines!, 0, positions * pairs);
    const { cols } = x!;
    for (const { row, rows } of rectangles(x!.rows, cols, cols, windowCapacity(encoder.limits))) {
      const wx = windowOnPart(x!, row, rows, 0, cols);
      const wy = windowOnPart(y!, row, rows, 0, cols);
      const bases = [wx.base, wy.base, wcos.base, wsin.base];
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        const params = [first, count, stride, cols, ...bases, row, inner, positions, pairs];
        encoder.dispatch(program, [wx, wcos, wsin, wy], params, groups, 6 * count);
      });
    }
  },
};
