import { colsOf, type ReferenceKernel, rowsOf } from './kernel.ts';

export const standardize: ReferenceKernel = ([x, mean, std], [y]) => {
  const n = rowsOf(x!);
  const v = colsOf(x!);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < v; j++) {
      const scale = std?.data[j] ?? 1;
      y!.data[i * v + j] = scale === 0 ? 0 : (x!.data[i * v + j]! - (mean?.data[j] ?? 0)) / scale;
    }
  }
};
