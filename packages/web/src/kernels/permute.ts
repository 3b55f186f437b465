import type { PermuteAttributes } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeMove, movePrograms, moveTypes, stridesOf } from './move.ts';

export const permute: Kernel<PermuteAttributes> = {
  programs: () => movePrograms,
  dtypes: moveTypes,
  encode({ inputs: [x], outputs: [y], attributes: { axes } }, encoder) {
    const from = stridesOf(x!.shape);
    const to = stridesOf(y!.shape);
    const each = y!.shape.map((size, i) => ({ size, x: from[axes[i]!]!, y: to[i]! }));
    encodeMove(encoder, x!, y!, { axes: each, x: 0, y: 0 });
  },
};
