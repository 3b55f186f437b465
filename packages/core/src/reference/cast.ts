import { roundTo } from '../convert.ts';
import type { CastAttributes } from '../ops/cast.ts';
import type { ReferenceKernel } from './kernel.ts';

export const cast: ReferenceKernel<CastAttributes> = ([x], [y], { dtype }) => {
  for (let i = 0; i < x!.data.length; i++) y!.data[i] = roundTo(dtype, x!.data[i]!);
};
