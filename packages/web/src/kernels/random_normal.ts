import type { RandomNormalAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, pieces, windowCapacity, windowOn } from './kernel.ts';
import source from './random_normal.wgsl';

/** Integer operations of an element: its share of ten rounds, a logarithm, a root and two sines. */
const COST = 300;

function program(name: string, words: boolean): Program {
  return { name, code: grid + source, access: ['read_write'], constants: { WORDS: Number(words) } };
}

const normals = program('random_normal', false);
const words = program('random_normal words', true);

export const randomNormal: Kernel<RandomNormalAttributes> = {
  programs: () => [normals, words],
  refuses(_inputs, { dtype }) {
    return dtype === 'f64' ? 'WGSL has no 64-bit floats' : undefined;
  },
  encode({ outputs: [y], attributes: { dtype, seedLow, seedHigh, offset } }, encoder) {
    const { limits } = encoder;
    const most = Math.min(windowCapacity(limits), Math.max(1024, Math.floor(limits.maxDispatchFlops / COST)));
    for (const { start, size } of pieces(y!.rows * y!.cols, most)) {
      const wy = windowOn(y!, start, size);
      const [block, lane] = [Math.floor((offset + start) / 4), (offset + start) % 4];
      linearGrid(limits, Math.ceil((lane + size) / 4), 256, (first, count, stride, groups) => {
        const counter = [block % 2 ** 32, Math.floor(block / 2 ** 32), lane];
        const params = [first, count, stride, ...counter, seedLow, seedHigh, size, wy.base];
        encoder.dispatch(dtype === 'i32' ? words : normals, [wy], params, groups, 4 * COST * count);
      });
    }
  },
};
