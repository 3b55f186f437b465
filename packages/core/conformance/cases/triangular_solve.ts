import { triangularSolveSpec } from '../../src/ops/triangular_solve.ts';
import { triangularSolutions } from '../factorisation.ts';
import { lowerFactor, normal } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Attributes = { transpose: boolean };

function both(name: string, n: number, t: number, within?: Operand['within']): OpCase<Attributes>[] {
  const l: Operand = { shape: [n, n], fill: lowerFactor(), ...(within && { within }) };
  const b: Operand = { shape: [n, t], fill: normal(), ...(within && { within }) };
  return [false, true].map((transpose) => ({
    name: `${name}, l${transpose ? 'ᵀ' : ''}, n = ${n}, t = ${t}`,
    inputs: [l, b],
    attributes: { transpose },
  }));
}

export default suite<Attributes>({
  op: triangularSolveSpec,
  check: triangularSolutions,
  cases: [
    ...both('one number', 1, 1),
    ...both('one target', 33, 1),
    ...both('odd', 17, 5),
    ...both('a power of two', 64, 32),
    ...both('many targets', 20, 301),
    ...both('several blocks', 261, 70),
    ...both('views', 19, 7, [2, 3]),
    {
      name: 'types differ',
      inputs: [
        { shape: [4, 4], fill: normal() },
        { shape: [4, 2], fill: normal(), dtype: 'i32' },
      ],
      attributes: { transpose: false },
      throws: { code: 'INVALID_ARGUMENT', message: /one element type/ },
    },
  ],
});
