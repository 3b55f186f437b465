import { type GroupNormAttributes, groupNormSpec } from '../../src/ops/group_norm.ts';
import { type Fill, normal, strewn } from '../fill.ts';
import { normalised } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

interface Extra extends Partial<Pick<GroupNormAttributes, 'eps' | 'activation'>> {
  gain?: boolean;
  bias?: boolean;
  fill?: Fill;
  within?: Operand['within'];
}

function norm(
  name: string,
  shape: readonly number[],
  groups: number,
  extra: Extra = {},
): OpCase<GroupNormAttributes> {
  const { eps = 1e-5, activation = 'none', fill = normal(0.5, 2), gain = true, bias = true, within } = extra;
  return {
    name: `${name} ${shape.join('x')} in ${groups}`,
    inputs: [
      { shape, fill, ...(within && { within }) },
      gain ? { shape: [shape[1]!], fill: normal(1, 0.5) } : undefined,
      bias ? { shape: [shape[1]!], fill: normal(0.5) } : undefined,
    ],
    attributes: { groups, eps, activation },
  };
}

const bad = (
  name: string,
  message: RegExp,
  inputs: OpCase['inputs'],
  groups = 2,
): OpCase<GroupNormAttributes> => ({
  name,
  inputs,
  attributes: { groups, eps: 1e-5, activation: 'none' },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<GroupNormAttributes>({
  op: groupNormSpec,
  check: normalised(({ inputs, attributes }) => {
    const { shape, data } = inputs[0]!;
    const [batch = 0, channels = 0] = shape;
    const pixels = data.length / (batch * channels);
    const size = (channels / attributes.groups) * pixels;
    return { size, column: (index) => Math.floor(index / pixels) % channels, stable: false };
  }),
  cases: [
    norm('pictures', [2, 64, 7, 6], 32, { eps: 1e-6 }),
    norm('one group', [2, 21, 5, 7], 1),
    norm('a group a channel', [3, 7, 5, 9], 7),
    norm('odd groups', [2, 15, 3, 11], 5),
    norm('without factors', [2, 12, 5, 5], 3, { gain: false, bias: false }),
    norm('a gain alone', [2, 12, 5, 5], 3, { bias: false }),
    norm('a bias alone', [2, 12, 5, 5], 3, { gain: false }),
    norm('silu', [2, 24, 5, 7], 8, { activation: 'silu' }),
    norm('silu, one group', [2, 10, 6, 7], 1, { activation: 'silu' }),
    norm('relu', [2, 24, 5, 7], 8, { activation: 'relu' }),
    norm('gelu_erf', [1, 24, 5, 7], 6, { activation: 'gelu_erf' }),
    norm('large groups', [1, 8, 61, 67], 2),
    norm('one pixel', [5, 24, 1, 1], 4),
    norm('no spatial axes', [5, 24], 4),
    norm('sequences', [2, 12, 35], 3),
    norm('volumes', [2, 6, 3, 4, 5], 2),
    norm('a large offset', [2, 8, 5, 7], 4, { fill: normal(1e3) }),
    norm('outliers', [2, 8, 5, 7], 4, { fill: strewn(normal(), 1e5, 70, 3) }),
    norm('small values: eps decides', [2, 8, 5, 7], 4, { fill: normal(0, 1e-3) }),
    norm('a view', [3, 8, 5, 3], 2, { within: [1, 2] }),
    norm('NaN stays in its group', [4, 8, 3, 5], 4, { fill: strewn(normal(), NaN, 271) }),
    norm('no pictures', [0, 8, 3, 5], 4),
    bad('groups that do not divide', /do not fall into groups/, [of(2, 7, 3), undefined, undefined]),
    bad('no groups', /do not fall into groups/, [of(2, 8, 3), undefined, undefined], 0),
    bad('no channels', /has no channels/, [of(8), undefined, undefined]),
    bad('empty pictures', /groups must have values/, [of(2, 8, 0, 4), undefined, undefined]),
    bad('a gain of another length', /gain has the wrong shape/, [of(2, 8, 3), of(3), undefined]),
  ],
});
