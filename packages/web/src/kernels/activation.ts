import type { ActivationAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import source from './activation.wgsl';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, pieces, windowCapacity, windowOn } from './kernel.ts';

const program: Program = {
  name: 'activation',
  code: activateSource + grid + source,
  access: ['read', 'read_write'],
};

export const activation: Kernel<ActivationAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y], attributes: { kind } }, encoder) {
    for (const { start, size } of pieces(x!.rows * x!.cols, windowCapacity(encoder.limits))) {
      const wx = windowOn(x!, start, size);
      const wy = windowOn(y!, start, size);
      linearGrid(encoder.limits, size, 256, (first, count, stride, groups) => {
        const params = [first, count, stride, wx.base, wy.base, ACTIVATION_NUMBER[kind]];
        encoder.dispatch(program, [wx, wy], params, groups, 16 * count);
      });
    }
  },
};
