import type { DType } from '../../src/dtype.ts';
import { type SliceAttributes, sliceSpec } from '../../src/ops/slice.ts';
import { integers, normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function cut(name: string, x: Operand, axis: number, start: number, end: number): OpCase<SliceAttributes> {
  return {
    name: `${name} ${x.shape.join('x')}, axis ${axis}, ${start} to ${end}`,
    inputs: [x],
    attributes: { axis, start, end },
  };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const everyType: readonly DType[] = ['f32', 'f64', 'f16', 'bf16', 'i32', 'u8'];
const bad = (name: string, message: RegExp, axis: number, start: number, end: number) => ({
  ...cut(name, of(5, 6), axis, start, end),
  throws: { code: 'INVALID_ARGUMENT' as const, message },
});

export default suite<SliceAttributes>({
  op: sliceSpec,
  check: exact,
  cases: [
    { ...cut('rows', { shape: [11, 7], fill: integers(0, 200) }, 0, 3, 8), dtypes: everyType },
    { ...cut('columns', { shape: [11, 17], fill: integers(0, 200) }, 1, 3, 14), dtypes: everyType },
    cut('tokens', of(2, 27, 13), 1, 14, 27),
    cut('queries of a bias', of(3, 13, 14), 1, 5, 13),
    cut('a patch', of(2, 3, 9, 11), 3, 2, 9),
    cut('one entry', of(5, 9, 4), 1, 8, 9),
    cut('all: a copy', of(5, 9), 1, 0, 9),
    cut('a vector', of(100), 0, 17, 92),
    cut('a view', { ...of(6, 8), within: [1, 2] }, 1, 2, 7),
    cut('NaN is copied', { shape: [9, 14], fill: strewn(normal(), NaN, 5) }, 1, 3, 12),
    cut('nothing', of(5, 6), 1, 3, 3),
    bad('beyond the end', /range out of bounds/, 1, 2, 7),
    bad('a negative start', /range out of bounds/, 0, -1, 3),
    bad('an end before its start', /range out of bounds/, 0, 3, 2),
    bad('no such axis', /no such axis/, 2, 0, 1),
  ],
});
