import type { UpsampleNearestAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, rectangles, windowCapacity, windowOnPart } from './kernel.ts';
import source from './upsample_nearest.wgsl';

const program: Program = { name: 'upsample_nearest', code: grid + source, access: ['read', 'read_write'] };

export const upsampleNearest: Kernel<UpsampleNearestAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y], attributes: { factor } }, encoder) {
    const from = (position: number) => Math.floor(position / factor);
    const span = (start: number, size: number) => from(start + size - 1) - from(start) + 1;
    for (const { row, rows, col, cols } of rectangles(
      y!.rows,
      y!.cols,
      y!.ld,
      windowCapacity(encoder.limits),
    )) {
      const wx = windowOnPart(x!, from(row), span(row, rows), from(col), span(col, cols));
      const wy = windowOnPart(y!, row, rows, col, cols);
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        const piece = [cols, row % factor, col % factor];
        const params = [first, count, stride, ...piece, factor, wx.base, x!.ld, wy.base];
        encoder.dispatch(program, [wx, wy], params, groups, 4 * count);
      });
    }
  },
};
