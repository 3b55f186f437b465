import type { PermuteAttributes } from '../ops/permute.ts';
import { type ReferenceKernel, stridesOf } from './kernel.ts';

export const permute: ReferenceKernel<PermuteAttributes> = ([x], [y], { axes }) => {
  const from = stridesOf(x!.shape);
  const to = stridesOf(y!.shape);
  for (let index = 0; index < y!.data.length; index++) {
    let source = 0;
    for (const [i, axis] of axes.entries()) {
      source += (Math.floor(index / to[i]!) % y!.shape[i]!) * from[axis]!;
    }
    y!.data[index] = x!.data[source]!;
  }
};
