import { choleskyFactorSpec } from '../../src/ops/cholesky_factor.ts';
import { choleskyFactors } from '../factorisation.ts';
import { lowerOnly, normal, positiveDefinite, symmetric, values } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Attributes = { shift: number };

function factor(name: string, n: number, fill: Operand['fill'], shift = 0, within?: Operand['within']) {
  const a: Operand = { shape: [n, n], fill: lowerOnly(fill), ...(within && { within }) };
  return { name: `${name}, n = ${n}`, inputs: [a], attributes: { shift } } satisfies OpCase<Attributes>;
}

export default suite<Attributes>({
  op: choleskyFactorSpec,
  check: choleskyFactors,
  cases: [
    ...[1, 2, 3, 8, 17, 32, 63, 64, 65, 130].map((n) => factor('well conditioned', n, positiveDefinite(50))),
    factor('several blocks', 300, positiveDefinite(1e3)),
    factor('condition 1e4', 40, positiveDefinite(1e4)),
    factor('large entries', 25, positiveDefinite(100, 1e12)),
    factor('small entries', 25, positiveDefinite(100, 1e-12)),
    factor(
      'a shift rescues a singular matrix',
      35,
      symmetric((k) => (k < 10 ? 1 : 0)),
      0.5,
    ),
    factor(
      'a shift rescues an indefinite matrix',
      33,
      symmetric((k) => k / 16 - 1),
      1.5,
    ),
    factor('a view', 21, positiveDefinite(50), 0.25, [3, 1]),
    {
      ...factor(
        'an indefinite matrix',
        30,
        symmetric((k) => 1 - k / 20),
      ),
      rejects: { code: 'NOT_POSITIVE_DEFINITE', message: /pivot/ },
    },
    {
      ...factor(
        'indefinite in a later block',
        200,
        symmetric((k) => (k === 0 ? -1e-2 : 1 + k / 100)),
      ),
      rejects: { code: 'NOT_POSITIVE_DEFINITE', message: /pivot/ },
    },
    {
      ...factor('a zero pivot', 2, values(1, 1, 1, 1)),
      rejects: { code: 'NOT_POSITIVE_DEFINITE', message: /pivot 1/ },
    },
    {
      ...factor('a negative first pivot', 3, values(-1, 0, 0, 0, 1, 0, 0, 0, 1)),
      rejects: { code: 'NOT_POSITIVE_DEFINITE', message: /pivot 0/ },
    },
    {
      ...factor('NaN', 3, values(1, 0, 0, 0, NaN, 0, 0, 0, 1)),
      rejects: { code: 'NOT_POSITIVE_DEFINITE', message: /pivot 1/ },
    },
    {
      name: 'not square',
      inputs: [{ shape: [3, 4], fill: normal() }],
      attributes: { shift: 0 },
      throws: { code: 'INVALID_ARGUMENT', message: /a must be square/ },
    },
  ],
});
