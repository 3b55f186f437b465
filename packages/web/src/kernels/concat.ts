import { type ConcatAttributes, sizeOf } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeMove, movePrograms, moveTypes } from './move.ts';

/** An operand at a time: bindings are few, and elements that share a word are written one operand after the other. */
export const concat: Kernel<ConcatAttributes> = {
  programs: () => movePrograms,
  dtypes: moveTypes,
  encode({ inputs, outputs: [y], attributes: { axis } }, encoder) {
    const outer = sizeOf(y!.shape.slice(0, axis));
    const row = sizeOf(y!.shape.slice(axis));
    let at = 0;
    for (const x of inputs) {
      const size = sizeOf(x!.shape.slice(axis));
      const axes = [
        { size: outer, x: size, y: row },
        { size, x: 1, y: 1 },
      ];
      encodeMove(encoder, x!, y!, { axes, x: 0, y: at });
      at += size;
    }
  },
};
