import { F2iError } from '../error.ts';
import type { Arithmetic } from '../nn/network.ts';
import type { WeightType } from '../weights/round.ts';
import { PRECISIONS, type Precision } from './loaded.ts';

/** What `precision` means for a network. */
export interface ChosenPrecision {
  /** Type of matrices; as they are stored when absent. */
  readonly dtype: WeightType | undefined;
  readonly arithmetic: Arithmetic;
  readonly warnings: readonly string[];
}

/** @throws INVALID_ARGUMENT for one that there is not */
export function precisionOf(precision: Precision | undefined): ChosenPrecision {
  if (precision === undefined) return { dtype: undefined, arithmetic: 'f32', warnings: [] };
  if (!PRECISIONS.includes(precision)) {
    const expected = PRECISIONS.join(', ');
    throw new F2iError('INVALID_ARGUMENT', 'no such precision', {
      field: 'precision',
      expected,
      found: `${precision}`,
    });
  }
  if (precision !== 'autocast-f16') return { dtype: precision, arithmetic: 'f32', warnings: [] };
  return {
    dtype: 'f16',
    arithmetic: 'autocast-f16',
    warnings: ['autocast to float16 is emulated, not verified against a GPU run'],
  };
}
