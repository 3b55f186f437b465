import type { Attributes } from '../../src/ops/op.ts';
import { pearsonColumnsSpec } from '../../src/ops/pearson_columns.ts';
import { constantColumns, type Fill, normal, shiftedColumns, strewn } from '../fill.ts';
import { correlations } from '../statistics.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

function correlate(name: string, shape: [number, number], a: Fill, b: Fill, within?: Operand['within']) {
  const operand = (fill: Fill): Operand => ({ shape, fill, ...(within && { within }) });
  return {
    name: `${name}, ${shape.join('x')}`,
    inputs: [operand(a), operand(b)],
    attributes: {},
  } satisfies OpCase<Attributes>;
}

export default suite({
  op: pearsonColumnsSpec,
  check: correlations,
  cases: [
    correlate('odd', [41, 67], normal(), normal()),
    correlate('tall', [1031, 7], normal(), normal(2, 3)),
    correlate('wide', [9, 515], normal(), normal()),
    correlate('one column', [130, 1], normal(), normal()),
    correlate('three rows', [3, 40], normal(), normal()),
    correlate('large offsets', [100, 21], normal(1e4), normal(-300)),
    correlate('different scales', [60, 18], normal(0, 1e10), normal(0, 1e-10)),
    correlate('means far apart', [80, 33], shiftedColumns(normal(), 100), shiftedColumns(normal(), -10)),
    correlate('constant columns of a', [50, 30], constantColumns(normal()), normal()),
    correlate('constant columns of b', [50, 30], normal(), constantColumns(normal(), 4, 7e5 / 3)),
    correlate('outliers', [70, 25], strewn(normal(), 1e4, 83), normal()),
    correlate('NaN stays in its column', [20, 17], strewn(normal(), NaN, 101, 9), normal()),
    correlate('views', [31, 19], normal(), normal(), [2, 3]),
    {
      ...correlate('shapes differ', [4, 5], normal(), normal()),
      inputs: [
        { shape: [4, 5], fill: normal() },
        { shape: [5, 4], fill: normal() },
      ],
      throws: { code: 'INVALID_ARGUMENT', message: /shapes differ/ },
    },
  ],
});
