import type { Attributes } from '../../src/ops/op.ts';
import { standardizeSpec } from '../../src/ops/standardize.ts';
import { normal, strewn, uniform } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { elementwise } from '../tolerance.ts';

function standard(name: string, x: Operand, mean?: Operand, std?: Operand): OpCase<Attributes> {
  return { name: `${name}, ${x.shape.join('x')}`, inputs: [x, mean, std], attributes: {} };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal(3, 2) });
const spread = (v: number): Operand => ({ shape: [v], fill: uniform(0.5, 3) });

export default suite({
  op: standardizeSpec,
  check: elementwise(),
  cases: [
    standard('odd', of(37, 67), of(67), spread(67)),
    standard('one row', of(1, 129), of(129), spread(129)),
    standard('one column', of(129, 1), of(1), spread(1)),
    standard('wide', of(5, 1031), of(1031), spread(1031)),
    standard('mean only', of(21, 18), of(18)),
    standard('std only', of(21, 18), undefined, spread(18)),
    standard('neither', of(7, 9)),
    standard(
      'a large offset',
      { shape: [30, 20], fill: normal(1e4) },
      { shape: [20], fill: normal(1e4) },
      spread(20),
    ),
    standard('a zero std gives 0', of(20, 30), of(30), { shape: [30], fill: strewn(uniform(1, 2), 0, 4) }),
    standard(
      'a zero std gives 0 for NaN and infinity too',
      { shape: [20, 12], fill: strewn(normal(), NaN, 12, 5) },
      of(12),
      { shape: [12], fill: strewn(uniform(1, 2), 0, 12, 5) },
    ),
    standard(
      'NaN elsewhere stays',
      { shape: [20, 13], fill: strewn(normal(), NaN, 50, 7) },
      of(13),
      spread(13),
    ),
    standard('a view', { shape: [19, 23], fill: normal(), within: [3, 4] }, of(23), spread(23)),
    {
      ...standard('mean of the wrong length', of(4, 5), of(4), spread(5)),
      throws: { code: 'INVALID_ARGUMENT', message: /mean has the wrong shape/ },
    },
    {
      ...standard('std of the wrong length', of(4, 5), of(5), spread(6)),
      throws: { code: 'INVALID_ARGUMENT', message: /std has the wrong shape/ },
    },
  ],
});
