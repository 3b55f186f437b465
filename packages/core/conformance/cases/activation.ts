import { ACTIVATION_KINDS, type ActivationAttributes, activationSpec } from '../../src/ops/activation.ts';
import { normal, strewn, uniform } from '../fill.ts';
import { activations } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Kind = ActivationAttributes['kind'];

function apply(name: string, kind: Kind, x: Operand): OpCase<ActivationAttributes> {
  return { name: `${kind}: ${name}`, inputs: [x], attributes: { kind } };
}

export default suite<ActivationAttributes>({
  op: activationSpec,
  check: activations,
  cases: [
    ...ACTIVATION_KINDS.flatMap((kind) => [
      apply('an odd matrix', kind, { shape: [17, 31], fill: normal(0.3, 2) }),
      apply('a vector', kind, { shape: [263], fill: uniform(-1, 1.5) }),
      apply('far out', kind, { shape: [3, 5, 29], fill: uniform(-12, 30) }),
      apply('outliers', kind, { shape: [9, 14], fill: strewn(strewn(normal(0.5), 1e4, 9), -1e4, 7) }),
      apply('NaN stays', kind, { shape: [9, 14], fill: strewn(normal(0.5), NaN, 11) }),
      apply('a view', kind, { shape: [5, 13], fill: normal(0.3, 2), within: [2, 1] }),
    ]),
    apply('no values', 'silu', { shape: [0, 7], fill: normal() }),
    apply('one number', 'gelu_erf', { shape: [], fill: normal(1) }),
    {
      ...apply('integers', 'relu', { shape: [3, 4], fill: normal(), dtype: 'i32' }),
      throws: { code: 'INVALID_ARGUMENT', message: /unsupported element type/ },
    },
    {
      ...apply('of no such name', 'gelu' as Kind, { shape: [3, 4], fill: normal() }),
      throws: { code: 'INVALID_ARGUMENT', message: /no such activation/ },
    },
  ],
});
