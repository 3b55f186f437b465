import { eighSpec } from '../../src/ops/eigh.ts';
import type { Attributes } from '../../src/ops/op.ts';
import { eigenpairs } from '../factorisation.ts';
import { lowerOnly, normal, positiveDefinite, symmetric, values } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

function decompose(
  name: string,
  n: number,
  fill: Operand['fill'],
  within?: Operand['within'],
): OpCase<Attributes> {
  const a: Operand = { shape: [n, n], fill: lowerOnly(fill), ...(within && { within }) };
  return { name: `${name}, n = ${n}`, inputs: [a], attributes: {} };
}

export default suite({
  op: eighSpec,
  check: eigenpairs,
  cases: [
    ...[1, 2, 3, 5, 16, 33, 64].map((n) =>
      decompose(
        'both signs',
        n,
        symmetric((k) => k + 0.5 - n / 3),
      ),
    ),
    decompose(
      'several blocks',
      150,
      symmetric((k) => Math.cos(3 * k)),
    ),
    decompose('positive definite', 40, positiveDefinite(1e6)),
    decompose(
      'repeated eigenvalues',
      24,
      symmetric((k) => (k % 4) + 1),
    ),
    decompose(
      'clusters',
      30,
      symmetric((k) => (k % 3) + 1e-6 * k + 1),
    ),
    decompose(
      'rank 5',
      28,
      symmetric((k) => (k < 5 ? k + 1 : 0)),
    ),
    decompose('large entries', 20, positiveDefinite(100, 1e15)),
    decompose('small entries', 20, positiveDefinite(100, 1e-15)),
    {
      ...decompose('already diagonal', 3, values(3, 0, 0, 0, 1, 0, 0, 0, 2)),
      constant: 'the eigenvectors are a permutation',
    },
    decompose(
      'a view',
      18,
      symmetric((k) => k - 4),
      [2, 2],
    ),
    {
      ...decompose('NaN', 4, normal(NaN)),
      rejects: { code: 'NO_CONVERGENCE', message: /./ },
    },
    {
      name: 'not square',
      inputs: [{ shape: [3, 4], fill: normal() }],
      attributes: {},
      throws: { code: 'INVALID_ARGUMENT', message: /a must be square/ },
    },
  ],
});
