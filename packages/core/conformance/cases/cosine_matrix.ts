import { cosineMatrixSpec } from '../../src/ops/cosine_matrix.ts';
import type { Attributes } from '../../src/ops/op.ts';
import { type Fill, normal, strewn, uniform, zeroRows } from '../fill.ts';
import { cosines } from '../statistics.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

function compare(
  name: string,
  [n, m, d]: [number, number, number],
  a: Fill = normal(),
  b: Fill = normal(),
  within?: Operand['within'],
): OpCase<Attributes> {
  const rows = { ...(within && { within }) };
  return {
    name: `${name}, ${n}x${m}x${d}`,
    inputs: [
      { shape: [n, d], fill: a, ...rows },
      { shape: [m, d], fill: b, ...rows },
    ],
    attributes: {},
  };
}

export default suite({
  op: cosineMatrixSpec,
  check: cosines,
  cases: [
    compare('odd', [9, 13, 33]),
    compare('long rows', [21, 34, 1031]),
    compare('one row', [1, 67, 40]),
    compare('one column', [67, 1, 40]),
    compare('several blocks', [130, 75, 290]),
    compare('two entries', [11, 12, 2]),
    compare('rows of one sign', [15, 17, 64], uniform(0.1, 1), uniform(0.1, 1)),
    compare('zero rows', [12, 14, 31], zeroRows(normal(), 4), zeroRows(normal(), 5)),
    compare('huge and tiny rows', [13, 11, 25], normal(0, 1e12), normal(0, 1e-12)),
    compare('outliers', [16, 18, 48], strewn(normal(), 1e5, 131), normal()),
    compare('NaN reaches its row only', [14, 12, 20], strewn(normal(), NaN, 181, 63)),
    compare('views', [17, 15, 26], normal(), normal(), [2, 3]),
    {
      name: 'row lengths differ',
      inputs: [
        { shape: [4, 5], fill: normal() },
        { shape: [4, 6], fill: normal() },
      ],
      attributes: {},
      throws: { code: 'INVALID_ARGUMENT', message: /row lengths differ/ },
    },
  ],
});
