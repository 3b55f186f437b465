import type { GramAttributes } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';

/** The matrix product of x with itself, on the tiles of one triangle. */
export const gram: Kernel<GramAttributes> = {
  programs: productPrograms,
  encode({ inputs: [x], outputs: [y], attributes: { columns, alpha } }, encoder) {
    const operands = { a: x!, transA: columns, b: x!, transB: !columns };
    encodeProduct(encoder, { ...operands, y: y!, alpha, triangle: 'mirrored' });
  },
};
