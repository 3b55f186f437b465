import { type UpsampleNearestAttributes, upsampleNearestSpec } from '../../src/ops/upsample_nearest.ts';
import { normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function enlarge(name: string, x: Operand, factor: number): OpCase<UpsampleNearestAttributes> {
  return { name: `${name} ${x.shape.join('x')} by ${factor}`, inputs: [x], attributes: { factor } };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<UpsampleNearestAttributes>({
  op: upsampleNearestSpec,
  check: exact,
  cases: [
    enlarge('pictures', of(2, 8, 12, 14), 2),
    enlarge('odd', of(3, 5, 7), 3),
    enlarge('one picture', of(9, 13), 4),
    enlarge('once', of(2, 5, 7), 1),
    enlarge('one row', of(2, 3, 1, 119), 3),
    enlarge('one column', of(2, 3, 19, 1), 5),
    enlarge('a view', { ...of(4, 5, 6), within: [1, 2] }, 2),
    enlarge('NaN is copied', { shape: [2, 5, 7], fill: strewn(normal(), NaN, 9) }, 2),
    enlarge('no pictures', of(0, 5, 7), 2),
    enlarge('no pixels', of(2, 0, 7), 2),
    {
      ...enlarge('no picture', of(9), 2),
      throws: { code: 'INVALID_ARGUMENT', message: /x is no picture/ },
    },
    {
      ...enlarge('a fraction', of(9, 9), 1.5),
      throws: { code: 'INVALID_ARGUMENT', message: /factor out of range/ },
    },
  ],
});
