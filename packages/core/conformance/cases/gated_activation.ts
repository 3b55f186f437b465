import { ACTIVATION_KINDS } from '../../src/ops/activation.ts';
import { type GatedActivationAttributes, gatedActivationSpec } from '../../src/ops/gated_activation.ts';
import { normal, strewn, uniform } from '../fill.ts';
import { gatedActivations } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Kind = GatedActivationAttributes['kind'];

function gate(name: string, kind: Kind, x: Operand): OpCase<GatedActivationAttributes> {
  return { name: `${kind}: ${name}`, inputs: [x], attributes: { kind } };
}

export default suite<GatedActivationAttributes>({
  op: gatedActivationSpec,
  check: gatedActivations,
  cases: [
    ...ACTIVATION_KINDS.flatMap((kind) => [
      gate('rows of odd halves', kind, { shape: [3, 5, 74], fill: normal(0.3, 2) }),
      gate('far out', kind, { shape: [7, 22], fill: uniform(-9, 20) }),
    ]),
    gate('halves of one', 'silu', { shape: [31, 2], fill: normal() }),
    gate('a vector', 'gelu_erf', { shape: [514], fill: normal() }),
    gate('outliers', 'silu', { shape: [9, 26], fill: strewn(strewn(normal(0.5), 1e4, 19), -1e4, 17) }),
    gate('NaN reaches one value', 'gelu_erf', { shape: [9, 26], fill: strewn(normal(), NaN, 31) }),
    gate('a view', 'silu', { shape: [5, 38], fill: normal(), within: [1, 2] }),
    gate('no rows', 'silu', { shape: [0, 8], fill: normal() }),
    {
      ...gate('an odd axis', 'silu', { shape: [4, 7], fill: normal() }),
      throws: { code: 'INVALID_ARGUMENT', message: /no two halves/ },
    },
    {
      ...gate('without a function', 'none' as Kind, { shape: [4, 8], fill: normal() }),
      throws: { code: 'INVALID_ARGUMENT', message: /no such activation/ },
    },
  ],
});
