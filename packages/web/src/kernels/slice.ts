import { type SliceAttributes, sizeOf } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeMove, movePrograms, moveTypes } from './move.ts';

export const slice: Kernel<SliceAttributes> = {
  programs: () => movePrograms,
  dtypes: moveTypes,
  encode({ inputs: [x], outputs: [y], attributes: { axis, start, end } }, encoder) {
    const inner = sizeOf(x!.shape.slice(axis + 1));
    const axes = [
      { size: sizeOf(x!.shape.slice(0, axis)), x: x!.shape[axis]! * inner, y: (end - start) * inner },
      { size: (end - start) * inner, x: 1, y: 1 },
    ];
    encodeMove(encoder, x!, y!, { axes, x: start * inner, y: 0 });
  },
};
