import type { SoftmaxAttributes } from '../ops/softmax.ts';
import type { ReferenceKernel } from './kernel.ts';

export const softmax: ReferenceKernel<SoftmaxAttributes> = ([x], [y], { log }) => {
  const width = x!.shape.at(-1)!;
  for (let start = 0; start < x!.data.length; start += width) {
    const row = x!.data.subarray(start, start + width);
    const largest = row.reduce((max, value) => Math.max(max, value), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    for (let j = 0; j < width; j++) {
      const difference = row[j]! - largest;
      y!.data[start + j] = log ? difference - Math.log(sum) : Math.exp(difference) / sum;
    }
  }
};
