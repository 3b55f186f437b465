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

/** The first half of each row is hidden, whole blocks of it; all of the second row is; one value of the third is NaN. */
const hiddenHalves: Fill = (shape, random) => {
  const width = shape.at(-1)!;
  return normal(0.5, 2)(shape, random).map((value, i) => {
    if (i % width < width / 2 || Math.floor(i / width) === 1) return -Infinity;
    return i === 3 * width - 7 ? NaN : value;
  });
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
    ...both('very long rows', [2, 8301], normal(0, 4)),
    ...both('many rows', [1031, 5]),
    ...both('rows far from 0', [7, 57], shiftedRows),
    ...both('ties', [9, 41], integers(-2, 2)),
    ...both('outliers', [9, 33], strewn(normal(), 60, 33, 7)),
    ...both('far apart', [5, 21], normal(0, 30)),
    ...both('values that are hidden', [9, 33], strewn(normal(), -Infinity, 4)),
    ...both('rows that are hidden by halves', [5, 8301], hiddenHalves),
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
