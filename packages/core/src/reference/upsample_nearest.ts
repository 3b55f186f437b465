import type { UpsampleNearestAttributes } from '../ops/upsample_nearest.ts';
import type { ReferenceKernel } from './kernel.ts';

export const upsampleNearest: ReferenceKernel<UpsampleNearestAttributes> = ([x], [y], { factor }) => {
  const [rows = 0, cols = 0] = y!.shape.slice(-2);
  const [height, width] = [rows / factor, cols / factor];
  for (let index = 0; index < y!.data.length; index++) {
    const picture = Math.floor(index / (rows * cols));
    const i = Math.floor((Math.floor(index / cols) % rows) / factor);
    const j = Math.floor((index % cols) / factor);
    y!.data[index] = x!.data[(picture * height + i) * width + j]!;
  }
};
