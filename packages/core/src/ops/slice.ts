import type { Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp } from './op.ts';

export interface SliceAttributes {
  readonly [name: string]: number;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/** Inputs: x. */
export const sliceSpec: OpSpec<SliceAttributes> = {
  name: 'slice',
  family: 'exact',
  infer([x], { axis, start, end }) {
    const { shape, dtype } = x!;
    const extent = Number.isInteger(axis) ? shape[axis] : undefined;
    if (extent === undefined) throw fail('slice', 'no such axis', `0 to ${shape.length - 1}`, `${axis}`);
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= extent)) {
      throw fail('slice', 'range out of bounds', `0 <= start <= end <= ${extent}`, `[${start}, ${end})`);
    }
    return [{ shape: shape.map((size, a) => (a === axis ? end - start : size)), dtype }];
  },
  flops() {
    return 0;
  },
};

/**
 * The entries [start, end) of an axis, copied. Along the first axis, `x.rows(start, end)` is the same without a copy.
 *
 * @param x any type
 */
export function slice(x: Tensor, axis: number, start: number, end: number, options: OpOptions = {}): Tensor {
  return runOp(sliceSpec, [x], { axis, start, end }, options)[0]!;
}
