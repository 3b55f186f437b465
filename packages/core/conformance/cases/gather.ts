import type { DType } from '../../src/dtype.ts';
import { type GatherAttributes, gatherSpec } from '../../src/ops/gather.ts';
import { integers, normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function take(
  name: string,
  x: Operand,
  rows: readonly number[] | undefined,
  cols: readonly number[] | undefined,
): OpCase<GatherAttributes> {
  return {
    name,
    inputs: [x],
    attributes: { rows: rows && Int32Array.from(rows), cols: cols && Int32Array.from(cols) },
  };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const every = (step: number, length: number) => Array.from({ length }, (_, i) => (i * step) % length);
const everyType: readonly DType[] = ['f32', 'f64', 'f16', 'bf16', 'i32', 'u8'];

export default suite<GatherAttributes>({
  op: gatherSpec,
  check: exact,
  cases: [
    {
      ...take('rows', { shape: [23, 17], fill: integers(0, 200) }, [5, 0, 22, 7], undefined),
      dtypes: everyType,
    },
    {
      ...take('columns', { shape: [23, 17], fill: integers(0, 200) }, undefined, [16, 3, 4]),
      dtypes: everyType,
    },
    take('rows and columns', of(23, 17), [1, 8, 2], [0, 16, 5, 6, 7]),
    take('all: a copy', of(9, 31), undefined, undefined),
    take('a permutation', of(37, 41), every(7, 37), every(5, 41)),
    take('repeated rows', of(6, 9), [2, 2, 5, 2, 0], undefined),
    take('more rows than there are', of(3, 40), every(1, 3).concat(every(2, 3), every(1, 3)), undefined),
    take('no rows', of(5, 6), [], undefined),
    take('a view', { shape: [12, 13], fill: normal(), within: [4, 2] }, [0, 11, 6], [12, 0, 1]),
    take(
      'NaN and infinities are copied',
      { shape: [9, 14], fill: strewn(strewn(normal(), NaN, 5), -Infinity, 7) },
      [8, 0, 3, 4],
      undefined,
    ),
    {
      ...take('a row out of range', of(5, 6), [0, 5], undefined),
      throws: { code: 'INVALID_ARGUMENT', message: /rows has an index out of range/ },
    },
    {
      ...take('a negative column', of(5, 6), undefined, [-1]),
      throws: { code: 'INVALID_ARGUMENT', message: /cols has an index out of range/ },
    },
  ],
});
