import type { GemmAttributes } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';

export const gemm: Kernel<GemmAttributes> = {
  programs: productPrograms,
  encode({ inputs: [a, b, c, bias], outputs: [y], attributes }, encoder) {
    encodeProduct(encoder, { ...attributes, a: a!, b: b!, c, bias, y: y! });
  },
};
