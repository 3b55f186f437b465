import { type SoftmaxAttributes, softmaxSpec } from '../../src/ops/softmax.ts';
import { probabilities } from '../attention.ts';
import { type Fill, integers, normal, strewn } from '../fill.ts';
import { type OpCase, suite } from '../suite.ts';

function both(
  name: string,
  shape: readonly number[],
  fill: Fill = normal(0.5, 2),
  extra: Partial<OpCase<SoftmaxAttributes>> = {},
): OpCase<SoftmaxAttributes>[] {
  return [false, true].map((log) => ({
    name: `${log ? 'log, ' : ''}${name} ${shape.join('x')}`,
    inputs: [{ shape, fill }],
    attributes: { log },
    ...extra,
  }));
}

/** Row i lies at 100 (i - 3): a maximum that is not taken off shows at once. */
const shiftedRows: Fill = (shape, random) => {
  const width = shape.at(-1)!;
  return normal(0, 3)(shape, random).map((value, i) => value + 100 * (Math.floor(i / width) - 3));
};

export default suite<SoftmaxAttributes>({
  op: softmaxSpec,
  check: probabilities,
  cases: [
    ...both('odd', [13, 29]),
    ...both('three axes', [3, 5, 37]),
    ...both('a vector', [263]),
    ...both('two values', [41, 2]),
    ...both('one value', [9, 1], normal(), { constant: 'a lone value has probability 1' }),
    ...both('long rows', [3, 2503]),
    ...both('many rows', [1031, 5]),
    ...both('rows far from 0', [7, 57], shiftedRows),
    ...both('ties', [9, 41], integers(-2, 2)),
    ...both('outliers', [9, 33], strewn(normal(), 60, 33, 7)),
    ...both('far apart', [5, 21], normal(0, 30)),
    ...both('values that are hidden', [9, 33], strewn(normal(), -Infinity, 4)),
    ...both('NaN stays in its row', [9, 33], strewn(normal(), NaN, 100)),
    {
      name: 'a view 6x21',
      inputs: [{ shape: [6, 21], fill: normal(), within: [2, 1] }],
      attributes: { log: false },
    },
    ...both('no rows', [0, 5]),
    ...both('no values', [3, 0]),
    {
      name: 'no axis',
      inputs: [{ shape: [], fill: normal() }],
      attributes: { log: false },
      throws: { code: 'INVALID_ARGUMENT', message: /must have an axis/ },
    },
  ],
});
