import { gramSpec } from '../../src/ops/gram.ts';
import { constantColumns, normal, strewn, uniform } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { reduction } from '../tolerance.ts';

type Attributes = { columns: boolean; alpha: number };

function both(name: string, x: Operand, alpha = 1): OpCase<Attributes>[] {
  return [false, true].map((columns) => ({
    name: `${name}, ${columns ? 'xᵀ x' : 'x xᵀ'} of ${x.shape.join('x')}`,
    inputs: [x],
    attributes: { columns, alpha },
  }));
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<Attributes>({
  op: gramSpec,
  check: reduction(({ inputs, attributes }) => inputs[0]!.shape[attributes.columns ? 0 : 1]!),
  cases: [
    ...both('one number', of(1, 1)),
    ...both('wide', of(13, 131)),
    ...both('tall', of(131, 13)),
    ...both('several blocks', of(150, 275)),
    ...both('a power of two', of(64, 32)),
    ...both('one row', of(1, 37)),
    ...both('one column', of(37, 1)),
    ...both('alpha', of(21, 34), -0.125),
    ...both('a view', { shape: [19, 27], fill: normal(), within: [4, 3] }),
    ...both('long sums of one sign', { shape: [7, 1500], fill: uniform(0.5, 1.5) }).slice(0, 1),
    ...both('long sums of one sign', { shape: [1500, 7], fill: uniform(0.5, 1.5) }).slice(1),
    ...both('large offset', { shape: [40, 30], fill: normal(1e4) }),
    ...both('constant columns', { shape: [12, 18], fill: constantColumns(normal()) }),
    ...both('outliers', { shape: [22, 33], fill: strewn(normal(), 1e6, 97) }),
    {
      name: 'not a matrix',
      inputs: [of(4)],
      attributes: { columns: false, alpha: 1 },
      throws: { code: 'INVALID_ARGUMENT', message: /x must be a matrix/ },
    },
    {
      name: 'integers',
      inputs: [{ shape: [4, 4], fill: normal(), dtype: 'i32' }],
      attributes: { columns: false, alpha: 1 },
      throws: { code: 'INVALID_ARGUMENT', message: /unsupported element type/ },
    },
  ],
});
