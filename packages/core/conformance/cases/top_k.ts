import { topKSpec } from '../../src/ops/top_k.ts';
import { type Fill, integers, normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

type Attributes = { k: number; smallest: boolean };

function both(name: string, shape: [number, number], k: number, fill: Fill, within?: Operand['within']) {
  return [false, true].map(
    (smallest): OpCase<Attributes> => ({
      name: `${name}, ${shape.join('x')}, ${k} ${smallest ? 'smallest' : 'largest'}`,
      inputs: [{ shape, fill, ...(within && { within }) }],
      attributes: { k, smallest },
    }),
  );
}

export default suite<Attributes>({
  op: topKSpec,
  check: exact,
  cases: [
    ...both('a few', [13, 67], 5, normal()),
    ...both('the best', [40, 129], 1, normal()),
    ...both('all: a stable sort', [11, 37], 37, normal()),
    ...both('one row', [1, 515], 20, normal()),
    ...both('one column', [9, 1], 1, normal()).map((each) => ({
      ...each,
      constant: 'the only column has index 0',
    })),
    ...both('long rows', [3, 5003], 64, normal()),
    ...both('ties by lower index', [12, 40], 15, integers(0, 9)),
    ...both('negative numbers', [8, 33], 6, normal(-50)),
    ...both('NaN last', [10, 21], 21, strewn(normal(), NaN, 4)),
    ...both('infinities', [10, 24], 9, strewn(strewn(normal(), Infinity, 11, 3), -Infinity, 7, 2)),
    ...both('zeros of both signs are equal', [9, 14], 10, strewn(strewn(normal(), 0, 6, 1), -0, 6, 2)),
    ...both('a view', [7, 31], 4, normal(), [3, 2]),
    ...[0, 8, 1.5].map(
      (k): OpCase<Attributes> => ({
        name: `k = ${k} of 7`,
        inputs: [{ shape: [3, 7], fill: normal() }],
        attributes: { k, smallest: false },
        throws: { code: 'INVALID_ARGUMENT', message: /k out of range/ },
      }),
    ),
  ],
});
