import { choleskySolveSpec } from '../../src/ops/cholesky_solve.ts';
import type { Attributes } from '../../src/ops/op.ts';
import { choleskySolutions } from '../factorisation.ts';
import { lowerFactor, normal } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

function solve(name: string, n: number, t: number, within?: Operand['within']): OpCase<Attributes> {
  const l: Operand = { shape: [n, n], fill: lowerFactor(), ...(within && { within }) };
  const b: Operand = { shape: [n, t], fill: normal(), ...(within && { within }) };
  return { name: `${name}, n = ${n}, t = ${t}`, inputs: [l, b], attributes: {} };
}

export default suite({
  op: choleskySolveSpec,
  check: choleskySolutions,
  cases: [
    solve('one number', 1, 1),
    solve('one target', 33, 1),
    solve('odd', 17, 5),
    solve('a power of two', 64, 32),
    solve('many targets', 20, 301),
    solve('several blocks', 261, 70),
    solve('views', 19, 7, [2, 3]),
    solve('no targets', 5, 0),
    {
      name: 'row counts differ',
      inputs: [
        { shape: [4, 4], fill: normal() },
        { shape: [5, 2], fill: normal() },
      ],
      attributes: {},
      throws: { code: 'INVALID_ARGUMENT', message: /wrong number of rows/ },
    },
    {
      name: 'l is not square',
      inputs: [
        { shape: [4, 5], fill: normal() },
        { shape: [4, 2], fill: normal() },
      ],
      attributes: {},
      throws: { code: 'INVALID_ARGUMENT', message: /l must be square/ },
    },
  ],
});
