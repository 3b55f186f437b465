import { type GroupNormAttributes, sizeOf } from '@fmri2image/core';
import { type Kernel, type Matrix, windowCapacity } from './kernel.ts';
import { encodeNorm, normPrograms } from './norm.ts';

/** The channels of a group are neighbours: a row of the group's size. */
export const groupNorm: Kernel<GroupNormAttributes> = {
  programs: () => normPrograms,
  refuses([x], _attributes, limits) {
    const capacity = windowCapacity(limits);
    return x!.shape[1]! <= capacity
      ? undefined
      : `there are more channels than the device's bindings hold (${capacity} elements)`;
  },
  encode({ inputs: [x, gain, bias], outputs: [y], attributes: { groups, eps, activation } }, encoder) {
    const [batch = 0, channels = 0, ...spatial] = x!.shape;
    if (batch === 0) return;
    const pixels = sizeOf(spatial);
    const cols = (channels / groups) * pixels;
    const byGroup = (matrix: Matrix) => ({ ...matrix, rows: batch * groups, cols, ld: cols });
    const operands = { x: byGroup(x!), y: byGroup(y!), gain, bias };
    encodeNorm(encoder, { ...operands, groups, pixels, eps, stable: false, activation });
  },
};
