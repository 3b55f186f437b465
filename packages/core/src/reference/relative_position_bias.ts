import type { RelativePositionBiasAttributes } from '../ops/relative_position_bias.ts';
import { colsOf, type ReferenceKernel } from './kernel.ts';

export const relativePositionBias: ReferenceKernel<RelativePositionBiasAttributes> = (
  [table],
  [y],
  { buckets },
) => {
  const heads = colsOf(table!);
  for (let h = 0; h < heads; h++) {
    for (let pair = 0; pair < buckets.length; pair++) {
      y!.data[h * buckets.length + pair] = table!.data[buckets[pair]! * heads + h]!;
    }
  }
};
