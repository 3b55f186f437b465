import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, rectangles, windowCapacity, windowOn, windowOnPart } from './kernel.ts';
import source from './standardize.wgsl';

const program: Program = {
  name: 'standardize',
  code: grid + source,
  access: ['read', 'read', 'read', 'read_write'],
};

export const standardize: Kernel = {
  programs: () => [program],
  encode({ inputs: [x, mean, std], outputs: [y] }, encoder) {
    const capacity = windowCapacity(encoder.limits);
    for (const { row, rows, col, cols } of rectangles(x!.rows, x!.cols, x!.cols, capacity)) {
      const wx = windowOnPart(x!, row, rows, col, cols);
      const wmean = mean ? windowOn(mean, col, cols) : wx;
      const wstd = std ? windowOn(std, col, cols) : wx;
      const wy = windowOnPart(y!, row, rows, col, cols);
      const given = [Number(mean !== undefined), Number(std !== undefined)];
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        const bases = [wx.base, wmean.base, wstd.base, wy.base];
        const params = [first, count, stride, cols, ...bases, ...given];
        encoder.dispatch(program, [wx, wmean, wstd, wy], params, groups, 4 * count);
      });
    }
  },
};
