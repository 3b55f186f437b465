import type { Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp } from './op.ts';

/** Axes that a tensor may have. */
const LARGEST_RANK = 5;

export interface PermuteAttributes {
  readonly [name: string]: Int32Array;
  /** Axis of x that each axis of the result is. */
  readonly axes: Int32Array;
}

/** Inputs: x. */
export const permuteSpec: OpSpec<PermuteAttributes> = {
  name: 'permute',
  family: 'exact',
  infer([x], { axes }) {
    const { shape, dtype } = x!;
    const each = shape.map((_, axis) => axis);
    if (shape.length > LARGEST_RANK) {
      throw fail('permute', 'x has too many axes', `${LARGEST_RANK} at most`, `${shape.length}`);
    }
    if (axes.length !== shape.length || !each.every((axis) => axes.includes(axis))) {
      throw fail(
        'permute',
        'not an order of the axes of x',
        `each of [${each.join(', ')}] once`,
        `[${axes}]`,
      );
    }
    return [{ shape: Array.from(axes, (axis) => shape[axis]!), dtype }];
  },
  flops() {
    return 0;
  },
};

/**
 * The axes of x in another order, copied: `y.shape[i] = x.shape[axes[i]]`.
 *
 * @param x any type, five axes at most
 * @example heads before tokens: permute(x.reshape(b, n, h, d), [0, 2, 1, 3])
 */
export function permute(x: Tensor, axes: readonly number[], options: OpOptions = {}): Tensor {
  return runOp(permuteSpec, [x], { axes: Int32Array.from(axes) }, options)[0]!;
}
