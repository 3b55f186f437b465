import type { GatedActivationAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import source from './gated_activation.wgsl';
import grid from './grid.wgsl';
import { dispatchCapacity, type Kernel, linearGrid, rectangles, windowOnPart } from './kernel.ts';

const program: Program = {
  name: 'gated_activation',
  code: activateSource + grid + source,
  access: ['read', 'read', 'read_write'],
};

/** Of a result: mostly its exponential. */
const FLOPS = 16;

export const gatedActivation: Kernel<GatedActivationAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y], attributes: { kind } }, encoder) {
    const half = y!.cols;
    for (const { row, rows, col, cols } of rectangles(
      y!.rows,
      half,
      x!.ld,
      dispatchCapacity(encoder.limits, FLOPS),
    )) {
      const wvalue = windowOnPart(x!, row, rows, col, cols);
      const wgate = windowOnPart(x!, row, rows, half + col, cols);
      const wy = windowOnPart(y!, row, rows, col, cols);
      const bases = [wvalue.base, wgate.base, wy.base];
      linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
        const params = [first, count, stride, cols, x!.ld, ...bases, ACTIVATION_NUMBER[kind]];
        encoder.dispatch(program, [wvalue, wgate, wy], params, groups, FLOPS * count);
      });
    }
  },
};
