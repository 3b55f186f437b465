import { describe, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface UpsampleNearestAttributes {
  readonly [name: string]: number;
  readonly factor: number;
}

/** Inputs: x. */
export const upsampleNearestSpec: OpSpec<UpsampleNearestAttributes> = {
  name: 'upsample_nearest',
  family: 'exact',
  infer([x], { factor }) {
    const dtype = sameFloat('upsample_nearest', [x]);
    if (x!.shape.length < 2) throw fail('upsample_nearest', 'x is no picture', '[..., h, w]', describe(x!));
    if (!Number.isSafeInteger(factor) || factor < 1) {
      throw fail('upsample_nearest', 'factor out of range', 'an integer, 1 or more', `${factor}`);
    }
    const [height = 0, width = 0] = x!.shape.slice(-2);
    return [{ shape: [...x!.shape.slice(0, -2), height * factor, width * factor], dtype }];
  },
  flops() {
    return 0;
  },
};

/**
 * Repeats every pixel `factor` times in both directions: `y[..., i, j] = x[..., floor(i / factor), floor(j / factor)]`.
 *
 * @param x [..., h, w]
 * @returns [..., factor h, factor w]
 */
export function upsampleNearest(x: Tensor, factor = 2, options: OpOptions = {}): Tensor {
  return runOp(upsampleNearestSpec, [x], { factor }, options)[0]!;
}
