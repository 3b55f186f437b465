import type { DType } from '../dtype.ts';
import { sizeOf, type Tensor } from '../tensor.ts';
import { type OpOptions, type OpSpec, runOp } from './op.ts';

export interface CastAttributes {
  readonly [name: string]: string;
  readonly dtype: DType;
}

export const castSpec: OpSpec<CastAttributes> = {
  name: 'cast',
  family: 'exact',
  infer([x], { dtype }) {
    return [{ shape: x!.shape, dtype }];
  },
  flops([x]) {
    return sizeOf(x!.shape);
  },
};

/** Converts the element type: to floats by rounding to nearest even, to integers by truncation with saturation (NaN gives 0). */
export function cast(x: Tensor, dtype: DType, options: OpOptions = {}): Tensor {
  return runOp(castSpec, [x], { dtype }, options)[0]!;
}
