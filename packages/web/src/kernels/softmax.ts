import type { SoftmaxAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import exponential from './exponential.wgsl';
import grid from './grid.wgsl';
import {
  dispatchCapacity,
  type Kernel,
  linearGrid,
  part,
  rectangles,
  windowOn,
  windowOnPart,
} from './kernel.ts';
import { dispatchChunks, dispatchRows, rowBlocks, rowPrograms, rowsSource } from './rows.ts';
import source from './softmax.wgsl';
import applySource from './softmax_apply.wgsl';
import share from './softmax_share.wgsl';

const TOTALS = {
  code: rowsSource + exponential + share + grid + source,
  access: ['read', 'read_write'],
} as const;
const chunk = rowPrograms({ ...TOTALS, name: 'softmax chunk', entry: 'chunk' });
const merge: Program = { ...TOTALS, name: 'softmax merge', entry: 'merge', constants: { LANES: 1 } };
const apply: Program = {
  name: 'softmax apply',
  code: bits + exponential + share + grid + applySource,
  access: ['read', 'read', 'read_write'],
};

/** Words of a chunk: its largest value, and the sum of exponentials. */
const WORDS = 2;
/** Flops of a value in each pass: mostly its exponential. */
const FLOPS = 16;

export const softmax: Kernel<SoftmaxAttributes> = {
  programs: () => [...chunk.values(), merge, apply],
  encode({ inputs: [x], outputs: [y], attributes: { log } }, encoder) {
    const { limits } = encoder;
    for (const block of rowBlocks(limits, x!, WORDS)) {
      const { row: first, chunks } = block;
      const here = block.x;
      const partials = encoder.scratch(here.rows * chunks, WORDS);
      const wpartials = windowOn(partials, 0, partials.rows * WORDS);
      dispatchChunks(encoder, chunk, block, (wx) => [wx, wpartials], { option: 0, flops: FLOPS });
      if (chunks > 1) dispatchRows(encoder, merge, block, [windowOn(here, 0, 1), wpartials]);

      const out = part(y!, first, here.rows, 0, y!.cols);
      for (const { row, rows, col, cols } of rectangles(
        ...([here.rows, here.cols, here.cols] as const),
        dispatchCapacity(limits, FLOPS),
      )) {
        const wx = windowOnPart(here, row, rows, col, cols);
        const wy = windowOnPart(out, row, rows, col, cols);
        linearGrid(limits, rows * cols, 256, (start, count, stride, groups) => {
          const params = [start, count, stride, cols, wx.base, wy.base, row, chunks, Number(log)];
          encoder.dispatch(apply, [wx, wpartials, wy], params, groups, FLOPS * count);
        });
      }
    }
  },
};
