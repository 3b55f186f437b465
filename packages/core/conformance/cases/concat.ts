import type { DType } from '../../src/dtype.ts';
import { type ConcatAttributes, concatSpec } from '../../src/ops/concat.ts';
import { integers, normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function join(name: string, axis: number, ...inputs: Operand[]): OpCase<ConcatAttributes> {
  return { name: `${name}, axis ${axis}`, inputs, attributes: { axis } };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const bytes = (...shape: number[]): Operand => ({ shape, fill: integers(0, 200) });
const everyType: readonly DType[] = ['f32', 'f64', 'f16', 'bf16', 'i32', 'u8'];
const bad = (
  name: string,
  message: RegExp,
  axis: number,
  ...inputs: Operand[]
): OpCase<ConcatAttributes> => ({
  ...join(name, axis, ...inputs),
  throws: { code: 'INVALID_ARGUMENT', message },
});

export default suite<ConcatAttributes>({
  op: concatSpec,
  check: exact,
  cases: [
    { ...join('rows', 0, bytes(3, 7), bytes(5, 7)), dtypes: everyType },
    { ...join('columns', 1, bytes(7, 3), bytes(7, 5)), dtypes: everyType },
    join('tokens', 1, of(2, 13, 24), of(2, 1, 24), of(2, 13, 24)),
    join('channels', 1, of(2, 5, 7, 9), of(2, 3, 7, 9)),
    join('the last of four axes', 3, of(2, 3, 5, 1), of(2, 3, 5, 4)),
    join('one tensor: a copy', 1, of(5, 9)),
    join('nine tensors', 1, ...Array.from({ length: 9 }, (_, i) => of(4, 2 * i + 1))),
    join('vectors', 0, of(17), of(1), of(30)),
    join('an empty one among them', 1, of(4, 3), of(4, 0), of(4, 5)),
    join('views', 1, { ...of(6, 5), within: [2, 1] }, { ...of(6, 4), within: [0, 3] }),
    join('NaN is copied', 0, { shape: [4, 9], fill: strewn(normal(), NaN, 5) }, of(2, 9)),
    join('no rows', 1, of(0, 3), of(0, 4)),
    bad('other extents', /input 1 does not fit the first/, 1, of(3, 4), of(5, 4)),
    bad('other ranks', /input 1 does not fit the first/, 0, of(3, 4), of(4)),
    bad('other types', /input 1 does not fit the first/, 0, of(3, 4), { ...of(3, 4), dtype: 'i32' }),
    bad('no such axis', /no such axis/, 2, of(3, 4), of(3, 4)),
  ],
});
