import type { DType } from '../../src/dtype.ts';
import { type PermuteAttributes, permuteSpec } from '../../src/ops/permute.ts';
import { integers, normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function order(name: string, x: Operand, ...axes: number[]): OpCase<PermuteAttributes> {
  const attributes = { axes: Int32Array.from(axes) };
  return { name: `${name} ${x.shape.join('x')} as ${axes.join(' ')}`, inputs: [x], attributes };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const everyType: readonly DType[] = ['f32', 'f64', 'f16', 'bf16', 'i32', 'u8'];
const bad = (name: string, message: RegExp, x: Operand, ...axes: number[]): OpCase<PermuteAttributes> => ({
  ...order(name, x, ...axes),
  throws: { code: 'INVALID_ARGUMENT', message },
});

export default suite<PermuteAttributes>({
  op: permuteSpec,
  check: exact,
  cases: [
    { ...order('a transpose', { shape: [23, 17], fill: integers(0, 200) }, 1, 0), dtypes: everyType },
    { ...order('of odd rows', { shape: [5, 3, 7], fill: integers(0, 200) }, 1, 0, 2), dtypes: everyType },
    order('heads before tokens', of(2, 13, 3, 20), 0, 2, 1, 3),
    order('channels last', of(2, 5, 7, 9), 0, 2, 3, 1),
    order('channels first', of(2, 7, 9, 5), 0, 3, 1, 2),
    order('batches of transposes', of(3, 11, 17), 0, 2, 1),
    order('reversed', of(2, 3, 5, 7, 4), 4, 3, 2, 1, 0),
    order('mixed', of(2, 3, 5, 7, 4), 2, 0, 4, 1, 3),
    order('as it was', of(3, 5, 7), 0, 1, 2),
    order('a vector', of(41), 0),
    order('one number', of(), ...[]),
    order('axes of one', of(1, 9, 1, 5), 3, 2, 1, 0),
    order('several blocks', of(275, 150), 1, 0),
    order('a view', { ...of(6, 5, 4), within: [2, 1] }, 2, 0, 1),
    order('NaN and infinities are copied', { shape: [9, 14], fill: strewn(normal(), NaN, 5) }, 1, 0),
    order('no values', of(3, 0, 4), 2, 0, 1),
    bad('an axis twice', /not an order of the axes/, of(3, 4, 5), 0, 1, 1),
    bad('an axis that is missing', /not an order of the axes/, of(3, 4, 5), 0, 1),
    bad('an axis that is none', /not an order of the axes/, of(3, 4), 0, 2),
    bad('six axes', /too many axes/, of(1, 2, 1, 2, 1, 2), 0, 1, 2, 3, 4, 5),
  ],
});
