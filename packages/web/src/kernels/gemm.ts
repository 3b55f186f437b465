import { type GemmAttributes, gemmBatch } from '@fmri2image/core';
import { type Kernel, type KernelOperand, part } from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';

export const gemm: Kernel<GemmAttributes> = {
  programs: productPrograms,
  encode({ inputs: [a, b, c, bias], outputs: [y], attributes }, encoder) {
    const { batch } = gemmBatch([a, b]);
    if (batch === 0) return;
    // Planes follow each other by their rows; an operand of fewer axes belongs to all of them.
    const own = (x: KernelOperand, axes: number) => x.shape.length === axes;
    const first = (x: KernelOperand, axes = 3) => (own(x, axes) ? part(x, 0, x.rows / batch, 0, x.cols) : x);
    const step = (x: KernelOperand | undefined, axes = 3) =>
      x && own(x, axes) ? (x.rows / batch) * x.ld : 0;
    encodeProduct(encoder, {
      ...attributes,
      a: first(a!),
      b: first(b!),
      c: c && first(c),
      bias: bias && first(bias, 2),
      y: first(y!),
      planes: {
        count: batch,
        steps: { a: step(a), b: step(b), c: step(c), bias: step(bias, 2), y: step(y) },
      },
    });
  },
};
