import type { LinearAttributes } from '../ops/linear.ts';
import { activate } from './activation.ts';
import { dot, type ReferenceKernel, rowsOf } from './kernel.ts';

export const linear: ReferenceKernel<LinearAttributes> = (
  [x, bias, residual, ...weights],
  [y],
  { activation },
) => {
  const k = x!.shape.at(-1)!;
  const n = y!.shape.at(-1)!;
  for (let row = 0; row * n < y!.data.length; row++) {
    let j = 0;
    for (const weight of weights) {
      for (let i = 0; i < rowsOf(weight!); i++, j++) {
        const sum = dot(x!.data, row * k, weight!.data, i * k, k) + (bias ? bias.data[j]! : 0);
        const index = row * n + j;
        y!.data[index] = activate(activation, sum) + (residual ? residual.data[index]! : 0);
      }
    }
  }
};
