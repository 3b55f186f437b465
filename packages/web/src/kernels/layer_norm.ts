import type { LayerNormAttributes } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeNorm, normPrograms } from './norm.ts';

export const layerNorm: Kernel<LayerNormAttributes> = {
  programs: () => normPrograms,
  encode({ inputs: [x, gain, bias], outputs: [y], attributes }, encoder) {
    encodeNorm(encoder, { ...attributes, x: x!, y: y!, gain, bias, groups: 1, pixels: 1 });
  },
};
