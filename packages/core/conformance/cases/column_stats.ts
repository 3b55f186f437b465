import { columnStatsSpec } from '../../src/ops/column_stats.ts';
import { constantColumns, normal, shiftedColumns, strewn } from '../fill.ts';
import { columnStatistics } from '../statistics.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Attributes = { ddof: number };

function stats(name: string, x: Operand, ddof = 0): OpCase<Attributes> {
  return { name: `${name}, ${x.shape.join('x')}, ddof ${ddof}`, inputs: [x], attributes: { ddof } };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal(0.5, 2) });

export default suite<Attributes>({
  op: columnStatsSpec,
  check: columnStatistics,
  cases: [
    stats('tall', of(301, 13)),
    stats('tall', of(301, 13), 1),
    stats('wide', of(9, 1031), 1),
    stats('odd', of(37, 67)),
    stats('one column', of(257, 1)),
    stats('two rows', of(2, 35), 1),
    {
      ...stats('one row', of(1, 19)),
      constant: 'the standard deviation of one number is 0',
    },
    stats('a large offset', { shape: [120, 21], fill: normal(1e4) }),
    stats('means far apart', { shape: [90, 40], fill: shiftedColumns(normal(), 500) }, 1),
    stats('small deviations on a large mean', { shape: [64, 11], fill: normal(300, 0.01) }),
    stats('constant columns', { shape: [45, 23], fill: constantColumns(normal(2)) }),
    stats('constant columns, large', { shape: [45, 23], fill: constantColumns(normal(), 3, 12345.678) }, 1),
    stats('outliers', { shape: [60, 31], fill: strewn(normal(), 1e5, 71) }),
    stats('NaN stays in its column', { shape: [30, 16], fill: strewn(normal(), NaN, 95, 8) }),
    stats('huge and tiny', { shape: [25, 14], fill: strewn(normal(0, 1e15), 1e-3, 5) }),
    stats('a long column', { shape: [20_011, 3], fill: normal(3, 0.5) }),
    stats('a view', { shape: [33, 17], fill: normal(-1), within: [5, 2] }),
    {
      ...stats('too few rows', of(1, 4), 1),
      throws: { code: 'INVALID_ARGUMENT', message: /too few rows/ },
    },
    {
      ...stats('a negative ddof', of(5, 4), -1),
      throws: { code: 'INVALID_ARGUMENT', message: /ddof/ },
    },
  ],
});
