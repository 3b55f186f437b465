import type { ActivationAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import source from './activation.wgsl';
import grid from './grid.wgsl';
import { dispatchCapacity, type Kernel, linearGrid, pieces, windowOn } from './kernel.ts';

const program: Program = {
  name: 'activation',
  code: activateSource + grid + source,
  access: ['read', 'read_write'],
};

/** Of a value: mostly its exponential. */
const FLOPS = 16;

export const activation: Kernel<ActivationAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y], attributes: { kind } }, encoder) {
    for (const { start, size } of pieces(x!.rows * x!.cols, dispatchCapacity(encoder.limits, FLOPS))) {
      const wx = windowOn(x!, start, size);
      const wy = windowOn(y!, start, size);
      linearGrid(encoder.limits, size, 256, (first, count, stride, groups) => {
        const params = [first, count, stride, wx.base, wy.base, ACTIVATION_NUMBER[kind]];
        encoder.dispatch(program, [wx, wy], params, groups, FLOPS * count);
      });
    }
  },
};
