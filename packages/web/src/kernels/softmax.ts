import type { SoftmaxAttributes } from '@fmri2image/core';
import exponential from './exponential.wgsl';
import { type Kernel, windowOn } from './kernel.ts';
import { encodeChunks, encodeMerge, rowBlocks, rowPasses } from './rows.ts';
import source from './softmax.wgsl';

const passes = rowPasses(
  'softmax',
  exponential + source,
  ['read', 'read_write', 'read_write'],
  ['whole', 'totals', 'merge', 'apply'],
);

/** Words of a chunk: its largest value, and the sum of exponentials. */
const WORDS = 2;
/** Flops of a value in a pass: mostly its exponential. */
const FLOPS = 16;

export const softmax: Kernel<SoftmaxAttributes> = {
  programs: () => Object.values(passes),
  encode({ inputs: [x], outputs: [y], attributes: { log } }, encoder) {
    for (const block of rowBlocks(encoder.limits, x!, y!, WORDS)) {
      const count = block.chunks === 1 ? 1 : block.x.rows * block.chunks;
      const partials = windowOn(encoder.scratch(count, WORDS), 0, count * WORDS);
      const extras = () => ({ windows: [partials], params: [Number(log)] });
      if (block.chunks === 1) {
        encodeChunks(encoder, passes.whole, block, 2 * FLOPS, extras);
      } else {
        encodeChunks(encoder, passes.totals, block, FLOPS, extras);
        encodeMerge(encoder, passes.merge, block, extras);
        encodeChunks(encoder, passes.apply, block, FLOPS, extras);
      }
    }
  },
};
