import { ACTIVATION_KINDS } from '../../src/ops/activation.ts';
import { type LayerNormAttributes, layerNormSpec } from '../../src/ops/layer_norm.ts';
import { type Fill, normal, strewn, uniform } from '../fill.ts';
import { normalised } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

interface Extra extends Partial<Pick<LayerNormAttributes, 'eps' | 'stable' | 'activation'>> {
  gain?: boolean;
  bias?: boolean;
  fill?: Fill;
  within?: Operand['within'];
  constant?: string;
}

const affine = { gain: true, bias: true };

function norm(name: string, shape: readonly number[], extra: Extra = {}): OpCase<LayerNormAttributes> {
  const { eps = 1e-5, stable = false, activation = 'none', fill = normal(0.5, 2), within, constant } = extra;
  const width = shape.at(-1)!;
  return {
    name: `${name} ${shape.join('x')}`,
    inputs: [
      { shape, fill, ...(within && { within }) },
      extra.gain ? { shape: [width], fill: normal(1, 0.5) } : undefined,
      extra.bias ? { shape: [width], fill: normal(0.5) } : undefined,
    ],
    attributes: { eps, stable, activation },
    ...(constant && { constant }),
  };
}

const constantRows: Fill = (shape, random) => {
  const width = shape.at(-1)!;
  return normal(2)(shape, random).map((value, i) => (Math.floor(i / width) % 3 === 1 ? 0.1 : value));
};

const bad = (
  name: string,
  message: RegExp,
  inputs: OpCase['inputs'],
  eps = 1e-5,
): OpCase<LayerNormAttributes> => ({
  name,
  inputs,
  attributes: { eps, stable: false, activation: 'none' },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<LayerNormAttributes>({
  op: layerNormSpec,
  check: normalised(({ inputs, attributes }) => {
    const size = inputs[0]!.shape.at(-1)!;
    return { size, column: (index) => index % size, stable: attributes.stable };
  }),
  cases: [
    norm('plain', [13, 29]),
    norm('gain and bias', [5, 7, 48], affine),
    norm('a gain alone', [5, 7, 48], { gain: true }),
    norm('a bias alone', [9, 31], { bias: true }),
    norm('a vector', [67], affine),
    norm('long rows', [5, 1667], affine),
    norm('very long rows', [2, 16411], affine),
    norm('many short rows', [613, 3], affine),
    norm('two values', [31, 2], { ...affine, eps: 0.1 }),
    norm('one value: its bias', [41, 1], { ...affine, constant: 'what is left of a lone value is the bias' }),
    norm('four axes', [2, 3, 4, 37], affine),
    ...ACTIVATION_KINDS.map((activation) => norm(`${activation},`, [11, 43], { ...affine, activation })),
    norm('gelu_erf without factors,', [7, 19], { activation: 'gelu_erf' }),
    norm('a large eps', [9, 24], { ...affine, eps: 0.7 }),
    norm('no eps', [9, 24], { ...affine, eps: 0 }),
    norm('small values: eps decides', [9, 40], { ...affine, fill: normal(0, 1e-3) }),
    norm('a large offset', [9, 48], { ...affine, fill: normal(1e3) }),
    norm('an outlier in each row', [12, 71], { ...affine, fill: strewn(normal(), 1e5, 71, 5) }),
    norm('constant rows', [15, 23], { ...affine, fill: constantRows }),
    norm('stable', [5, 7, 48], { gain: true, stable: true }),
    norm('stable, long rows', [3, 1667], { gain: true, stable: true }),
    norm('stable, large values', [6, 33], { gain: true, stable: true, fill: normal(0, 1e4) }),
    norm('stable, a negative maximum', [6, 33], { gain: true, stable: true, fill: uniform(-9, -0.5) }),
    norm('a view', [6, 21], { ...affine, within: [2, 1] }),
    norm('NaN stays in its row', [9, 30], { ...affine, fill: strewn(normal(), NaN, 91) }),
    norm('no rows', [0, 5], affine),
    bad('no values', /rows must have values/, [of(3, 0), undefined, undefined]),
    bad('no axis', /rows must have values/, [of(), undefined, undefined]),
    bad('a gain of another length', /gain has the wrong shape/, [of(3, 4), of(3), undefined]),
    bad('a bias of another length', /bias has the wrong shape/, [of(3, 4), undefined, of(5)]),
    bad('a negative eps', /eps out of range/, [of(3, 4), undefined, undefined], -1e-5),
  ],
});
