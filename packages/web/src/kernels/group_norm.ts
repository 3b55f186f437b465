import { type GroupNormAttributes, sizeOf } from '@fmri2image/core';
import type { Kernel, Matrix } from './kernel.ts';
import { encodeNorm, normPrograms } from './norm.ts';

/** The channels of a group are neighbours: a row of the group's size. */
export const groupNorm: Kernel<GroupNormAttributes> = {
  programs: () => normPrograms,
  encode({ inputs: [x, gain, bias], outputs: [y], attributes: { groups, eps, activation } }, encoder) {
    const [batch = 0, channels = 0, ...spatial] = x!.shape;
    if (batch === 0) return;
    const pixels = sizeOf(spatial);
    const cols = (channels / groups) * pixels;
    const byGroup = (matrix: Matrix) => ({ ...matrix, rows: batch * groups, cols, ld: cols });
    const factors = { gain, bias, groups, pixels };
    encodeNorm(encoder, {
      ...{ x: byGroup(x!), y: byGroup(y!) },
      ...factors,
      ...{ eps, stable: false, activation },
    });
  },
};
