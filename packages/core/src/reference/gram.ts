import type { GramAttributes } from '../ops/gram.ts';
import { colsOf, dot, type ReferenceKernel, rowsOf, transposed } from './kernel.ts';

export const gram: ReferenceKernel<GramAttributes> = ([x], [y], { columns, alpha }) => {
  const n = rowsOf(y!);
  const k = columns ? rowsOf(x!) : colsOf(x!);
  const items = columns ? transposed(x!) : x!.data;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = alpha * dot(items, i * k, items, j * k, k);
      y!.data[i * n + j] = value;
      y!.data[j * n + i] = value;
    }
  }
};
