import type { GatherAttributes } from '../ops/gather.ts';
import { colsOf, type ReferenceKernel, rowsOf } from './kernel.ts';

export const gather: ReferenceKernel<GatherAttributes> = ([x], [y], { rows, cols }) => {
  for (let i = 0; i < rowsOf(y!); i++) {
    for (let j = 0; j < colsOf(y!); j++) {
      y!.data[i * colsOf(y!) + j] = x!.data[(rows?.[i] ?? i) * colsOf(x!) + (cols?.[j] ?? j)]!;
    }
  }
};
