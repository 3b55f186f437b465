import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface SoftmaxAttributes {
  readonly [name: string]: boolean;
  readonly log: boolean;
}

/** Inputs: x. */
export const softmaxSpec: OpSpec<SoftmaxAttributes> = {
  name: 'softmax',
  family: 'reduction',
  infer([x]) {
    const dtype = sameFloat('softmax', [x]);
    if (x!.shape.length === 0) throw fail('softmax', 'x must have an axis', '[..., n]', describe(x!));
    return [{ shape: x!.shape, dtype }];
  },
  /** Maximum, difference, exponential, sum, quotient. */
  flops([x]) {
    return 5 * sizeOf(x!.shape);
  },
};

export interface SoftmaxOptions extends OpOptions {
  /** The logarithm of the result, without going through it. */
  log?: boolean;
}

/**
 * `exp(x - max) / sum exp(x - max)` over the last axis, or its logarithm. A value of -Infinity has probability 0; a
 * row of nothing else gives NaN, as does one with a NaN or +Infinity.
 *
 * @param x [..., n]
 * @returns [..., n]
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return runOp(softmaxSpec, [x], { log: options.log ?? false }, options)[0]!;
}
