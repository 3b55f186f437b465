import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface AdaptiveMaxPool1dAttributes {
  readonly [name: string]: number;
  readonly size: number;
}

/** Inputs: x. */
export const adaptiveMaxPool1dSpec: OpSpec<AdaptiveMaxPool1dAttributes> = {
  name: 'adaptive_max_pool1d',
  family: 'exact',
  infer([x], { size }) {
    const dtype = sameFloat('adaptive_max_pool1d', [x]);
    if (!x!.shape.at(-1)) {
      throw fail('adaptive_max_pool1d', 'rows must have values', '[..., n] with n > 0', describe(x!));
    }
    if (!Number.isSafeInteger(size) || size < 1) {
      throw fail('adaptive_max_pool1d', 'size out of range', 'an integer, 1 or more', `${size}`);
    }
    return [{ shape: [...x!.shape.slice(0, -1), size], dtype }];
  },
  flops([x]) {
    return sizeOf(x!.shape);
  },
};

/**
 * The maximum of each of `size` windows that cover a row: window i is [floor(i n / size), ceil((i + 1) n / size)), as
 * in PyTorch. Pools rows longer than `size`, repeats values of shorter ones; a NaN makes its windows NaN. MindBridge
 * brings the voxels of every subject to one number with it.
 *
 * @param x [..., n]
 * @returns [..., size]
 */
export function adaptiveMaxPool1d(x: Tensor, size: number, options: OpOptions = {}): Tensor {
  return runOp(adaptiveMaxPool1dSpec, [x], { size }, options)[0]!;
}
