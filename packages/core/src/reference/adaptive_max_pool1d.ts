import type { AdaptiveMaxPool1dAttributes } from '../ops/adaptive_max_pool1d.ts';
import type { ReferenceKernel } from './kernel.ts';

export const adaptiveMaxPool1d: ReferenceKernel<AdaptiveMaxPool1dAttributes> = ([x], [y], { size }) => {
  const length = x!.shape.at(-1)!;
  for (let index = 0; index < y!.data.length; index++) {
    const [row, i] = [Math.floor(index / size), index % size];
    const start = Math.floor((i * length) / size);
    const end = Math.ceil(((i + 1) * length) / size);
    const range = x!.data.subarray(row * length + start, row * length + end);
    y!.data[index] = range.reduce((max, value) => Math.max(max, value), -Infinity);
  }
};
