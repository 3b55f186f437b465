import { type RelativePositionBiasAttributes, sizeOf } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, rectangles, windowCapacity, windowOn } from './kernel.ts';
import source from './relative_position_bias.wgsl';

const program: Program = {
  name: 'relative_position_bias',
  code: grid + source,
  access: ['read', 'read', 'read_write'],
};

export const relativePositionBias: Kernel<RelativePositionBiasAttributes> = {
  programs: () => [program],
  refuses([table], _attributes, limits) {
    const capacity = windowCapacity(limits);
    return sizeOf(table!.shape) <= capacity
      ? undefined
      : `the table is longer than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [table], outputs: [y], attributes: { buckets } }, encoder) {
    const heads = table!.cols;
    const pairs = buckets.length;
    if (heads === 0 || pairs === 0) return;
    const list = encoder.constants(buckets);
    const wtable = windowOn(table!, 0, table!.rows * heads);
    for (const { row, rows, col, cols } of rectangles(heads, pairs, pairs, windowCapacity(encoder.limits))) {
      const wbuckets = windowOn(list, col, cols);
      const wy = windowOn(y!, row * pairs + col, rows * cols);
      const bases = [wtable.base, wbuckets.base, wy.base];
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        const params = [first, count, stride, cols, row, heads, ...bases];
        encoder.dispatch(program, [wtable, wbuckets, wy], params, groups, 8 * count);
      });
    }
  },
};
