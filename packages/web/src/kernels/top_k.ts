import type { TopKAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, pieces, rectangles, windowCapacity, windowOnPart } from './kernel.ts';
import source from './top_k.wgsl';

const TOP_K = {
  code: bits + grid + source,
  access: ['read', 'read_write', 'read_write', 'read_write', 'read_write'],
} as const;
const choose: Program = { ...TOP_K, name: 'top_k choose', entry: 'choose' };
const rank: Program = { ...TOP_K, name: 'top_k rank', entry: 'rank' };

export const topK: Kernel<TopKAttributes> = {
  programs: () => [choose, rank],
  refuses([x], _attributes, limits) {
    const capacity = windowCapacity(limits);
    return x!.shape[1]! <= capacity
      ? undefined
      : `rows are longer than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [x], outputs: [values, indices], attributes: { k, smallest } }, encoder) {
    const { limits } = encoder;
    const { cols, ld } = x!;
    const chosen = encoder.scratch(x!.rows, k);
    const chosenIndex = encoder.scratch(x!.rows, k, 'i32');
    for (const { row, rows } of rectangles(x!.rows, cols, ld, windowCapacity(limits))) {
      const windows = [
        windowOnPart(x!, row, rows, 0, cols),
        ...[chosen, chosenIndex, values!, indices!].map((y) => windowOnPart(y, row, rows, 0, k)),
      ];
      const [wx, ...others] = windows.map(({ base }) => base) as [number, ...number[]];
      const shape = [cols, k, Number(smallest), wx, ld, ...others];
      linearGrid(limits, rows, 1, (first, count, stride, groups) => {
        encoder.dispatch(choose, windows, [first, count, stride, ...shape], groups, 10 * count * cols);
      });
      // Ranking compares each with all others of its row: dispatches of bounded work.
      const step = Math.max(64, Math.floor(limits.maxDispatchFlops / k));
      for (const { start, size } of pieces(rows * k, step)) {
        linearGrid(limits, size, 64, (first, count, stride, groups) => {
          encoder.dispatch(rank, windows, [start + first, count, stride, ...shape], groups, 2 * count * k);
        });
      }
    }
  },
};
