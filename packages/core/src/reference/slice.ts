import type { SliceAttributes } from '../ops/slice.ts';
import { sizeOf } from '../tensor.ts';
import type { ReferenceKernel } from './kernel.ts';

export const slice: ReferenceKernel<SliceAttributes> = ([x], [y], { axis, start }) => {
  const inner = sizeOf(x!.shape.slice(axis + 1));
  const [taken, whole] = [y!.shape[axis]! * inner, x!.shape[axis]! * inner];
  for (let index = 0; index < y!.data.length; index++) {
    y!.data[index] = x!.data[Math.floor(index / taken) * whole + start * inner + (index % taken)]!;
  }
};
