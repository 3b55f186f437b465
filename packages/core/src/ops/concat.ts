import { describe, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp } from './op.ts';

export interface ConcatAttributes {
  readonly [name: string]: number;
  readonly axis: number;
}

/** Inputs: one tensor or more. */
export const concatSpec: OpSpec<ConcatAttributes> = {
  name: 'concat',
  family: 'exact',
  infer(inputs, { axis }) {
    const first = inputs[0]!;
    const rank = first.shape.length;
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
      throw fail('concat', 'no such axis', `0 to ${rank - 1}`, `${axis}`);
    }
    let extent = 0;
    for (const [i, input] of inputs.entries()) {
      const { shape, dtype } = input!;
      const fits = shape.length === rank && shape.every((size, a) => a === axis || size === first.shape[a]);
      if (!fits || dtype !== first.dtype) {
        const wanted = describe({ ...first, shape: first.shape.map((size, a) => (a === axis ? -1 : size)) });
        throw fail(
          'concat',
          `input ${i} does not fit the first`,
          wanted.replace('-1', 'any'),
          describe(input!),
        );
      }
      extent += shape[axis]!;
    }
    return [{ shape: first.shape.map((size, a) => (a === axis ? extent : size)), dtype: first.dtype }];
  },
  flops() {
    return 0;
  },
};

/**
 * Tensors one behind the other along an axis: tokens before tokens, channels beside channels.
 *
 * @param list of any one type; all extents but that of `axis` agree
 */
export function concat(list: readonly Tensor[], axis: number, options: OpOptions = {}): Tensor {
  if (list.length === 0) throw fail('concat', 'nothing to put together', 'one tensor or more', 'none');
  return runOp(concatSpec, list, { axis }, options)[0]!;
}
