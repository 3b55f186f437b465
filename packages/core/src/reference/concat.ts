import type { ConcatAttributes } from '../ops/concat.ts';
import { sizeOf } from '../tensor.ts';
import type { ReferenceKernel } from './kernel.ts';

export const concat: ReferenceKernel<ConcatAttributes> = (inputs, [y], { axis }) => {
  // Whatever stands before the axis repeats; the axis and what stands behind it is one run.
  const outer = sizeOf(y!.shape.slice(0, axis));
  let index = 0;
  for (let o = 0; o < outer; o++) {
    for (const input of inputs) {
      const run = sizeOf(input!.shape.slice(axis));
      for (let i = 0; i < run; i++) y!.data[index++] = input!.data[o * run + i]!;
    }
  }
};
