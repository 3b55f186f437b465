import type { DType } from '../../src/dtype.ts';
import { ACTIVATION_KINDS } from '../../src/ops/activation.ts';
import { type Conv2dAttributes, conv2dSpec } from '../../src/ops/conv2d.ts';
import { sizeOf } from '../../src/tensor.ts';
import { type Fill, normal, strewn, uniform } from '../fill.ts';
import { fusedSums } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Geometry = Pick<
  Conv2dAttributes,
  'stride' | 'top' | 'bottom' | 'left' | 'right' | 'groups' | 'activation'
>;

const plain: Geometry = {
  ...{ stride: 1, top: 0, bottom: 0, left: 0, right: 0 },
  ...{ groups: 1, activation: 'none' },
};
const padded = (each: number) => ({ top: each, bottom: each, left: each, right: each });

interface Extra extends Partial<Geometry> {
  bias?: boolean;
  residual?: boolean;
  /** Type of the weights, of a case on f32. */
  stored?: DType;
  fill?: Fill;
  within?: Operand['within'];
}

/** A kernel [o, c, kh, kw] over pictures [b, c, h, w]. */
function convolve(
  name: string,
  x: readonly [b: number, c: number, h: number, w: number],
  kernel: readonly [o: number, kh: number, kw: number],
  extra: Extra = {},
): OpCase<Conv2dAttributes> {
  const { bias, residual, stored, fill = normal(), within, ...given } = extra;
  const attributes = { ...plain, ...given };
  const { stride, top, bottom, left, right, groups } = attributes;
  const [outputs, kh, kw] = kernel;
  const shape = [
    x[0],
    outputs,
    Math.floor((x[2] + top + bottom - kh) / stride) + 1,
    Math.floor((x[3] + left + right - kw) / stride) + 1,
  ];
  const place = within && { within };
  return {
    name: `${name} ${x.join('x')} to ${outputs} by ${kh}x${kw}`,
    inputs: [
      { shape: x, fill, ...place },
      { shape: [outputs, x[1] / groups, kh, kw], fill: normal(), ...(stored && { dtype: stored }), ...place },
      bias ? { shape: [outputs], fill: normal(2) } : undefined,
      residual ? { shape, fill: normal() } : undefined,
    ],
    attributes,
    ...(stored && { dtypes: ['f32' as const] }),
  };
}

const bad = (
  name: string,
  message: RegExp,
  inputs: OpCase['inputs'],
  attributes: Partial<Geometry> = {},
): OpCase<Conv2dAttributes> => ({
  name,
  inputs,
  attributes: { ...plain, ...attributes },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<Conv2dAttributes>({
  op: conv2dSpec,
  check: fusedSums(3, ({ inputs }) => sizeOf(inputs[1]!.shape.slice(1)) + 2),
  cases: [
    convolve('1x1', [2, 9, 11, 13], [17, 1, 1], { bias: true }),
    convolve('1x1, one pixel', [3, 33, 1, 1], [140, 1, 1]),
    convolve('1x1, stride 2', [1, 5, 9, 12], [7, 1, 1], { stride: 2 }),
    convolve('3x3', [2, 8, 12, 14], [16, 3, 3], { ...padded(1), bias: true }),
    convolve('3x3, odd channels', [1, 5, 7, 9], [3, 3, 3], padded(1)),
    convolve('3x3 without padding', [2, 3, 9, 8], [5, 3, 3]),
    convolve('3x3, stride 2', [2, 8, 12, 14], [16, 3, 3], { ...padded(1), stride: 2, bias: true }),
    convolve('3x3, stride 2 leaves the last row out', [1, 4, 10, 8], [6, 3, 3], { stride: 2 }),
    convolve('3x3, the padding of a VAE encoder', [2, 8, 12, 14], [16, 3, 3], {
      stride: 2,
      bottom: 1,
      right: 1,
    }),
    convolve('3x3, four paddings', [1, 4, 7, 6], [5, 3, 3], { top: 2, bottom: 0, left: 1, right: 3 }),
    convolve('11x11, stride 4', [1, 3, 67, 67], [16, 11, 11], { ...padded(2), stride: 4, bias: true }),
    convolve('14x14 patches', [2, 3, 28, 42], [19, 14, 14], { stride: 14 }),
    convolve('1x7', [1, 6, 5, 12], [7, 1, 7], { left: 3, right: 3 }),
    convolve('7x1', [1, 6, 12, 5], [7, 7, 1], { top: 3, bottom: 3 }),
    convolve('as large as the picture', [2, 5, 4, 6], [9, 4, 6]),
    convolve('padding wider than the picture', [1, 3, 2, 3], [4, 3, 3], padded(2)),
    convolve('one channel', [1, 1, 17, 19], [3, 5, 5], padded(2)),
    convolve('one output', [2, 13, 9, 9], [1, 3, 3], padded(1)),
    convolve('several blocks in every direction', [2, 37, 13, 11], [70, 3, 3], { ...padded(1), bias: true }),
    convolve('several blocks of a wide row', [1, 3, 3, 301], [9, 3, 3], padded(1)),
    ...ACTIVATION_KINDS.map((activation) =>
      convolve(`${activation},`, [1, 6, 9, 7], [11, 3, 3], { ...padded(1), activation, bias: true }),
    ),
    convolve('silu and a residual,', [2, 6, 9, 7], [11, 3, 3], {
      ...{ ...padded(1), activation: 'silu', bias: true, residual: true },
    }),
    convolve('a residual', [2, 6, 9, 7], [11, 3, 3], { ...padded(1), residual: true }),
    convolve('a residual of a 1x1', [2, 6, 9, 7], [11, 1, 1], { residual: true, bias: true }),
    ...(['f16', 'bf16'] as const).flatMap((stored) => [
      convolve(`${stored} weights`, [2, 7, 9, 11], [13, 3, 3], { ...padded(1), stored, bias: true }),
      convolve(`${stored} weights, 1x1`, [1, 7, 9, 11], [13, 1, 1], { stored, residual: true }),
      convolve(`${stored} weights that are views`, [1, 5, 6, 7], [8, 3, 3], { stored, within: [1, 2] }),
    ]),
    convolve('groups: two', [2, 10, 7, 9], [14, 3, 3], { ...padded(1), groups: 2, bias: true }),
    convolve('groups: one a channel', [2, 9, 11, 8], [9, 7, 7], { ...padded(3), groups: 9, bias: true }),
    convolve('groups: two outputs a channel', [1, 5, 8, 9], [10, 3, 3], { groups: 5, activation: 'silu' }),
    convolve('long sums of one sign', [1, 61, 5, 6], [4, 5, 5], { ...padded(2), fill: uniform(0.5, 1.5) }),
    convolve('a cancelled offset', [1, 9, 8, 8], [6, 3, 3], { fill: normal(1000) }),
    convolve('outliers', [1, 9, 8, 8], [6, 3, 3], { ...padded(1), fill: strewn(normal(), 1e5, 71) }),
    convolve('NaN reaches its windows only', [2, 3, 11, 12], [6, 3, 3], {
      ...{ ...padded(1), fill: strewn(normal(), NaN, 400, 40) },
    }),
    convolve('views', [3, 4, 6, 5], [5, 3, 3], { ...padded(1), within: [2, 1], bias: true }),
    convolve('no pictures', [0, 4, 6, 5], [5, 3, 3]),
    convolve('no outputs', [2, 4, 6, 5], [0, 3, 3]),
    convolve('no channels: the bias remains', [1, 0, 4, 5], [3, 3, 3], { bias: true, ...padded(1) }),
    bad('x of three axes', /x must have four axes/, [of(3, 8, 8), of(4, 3, 3, 3), undefined, undefined]),
    bad('w of two axes', /w must have four axes/, [of(1, 3, 8, 8), of(4, 3), undefined, undefined]),
    bad('other channels', /does not fit the channels/, [
      of(1, 3, 8, 8),
      of(4, 2, 3, 3),
      undefined,
      undefined,
    ]),
    bad('a kernel too large', /does not fit the padded/, [
      of(1, 3, 4, 8),
      of(4, 3, 5, 5),
      undefined,
      undefined,
    ]),
    bad('a stride of 0', /stride out of range/, [of(1, 3, 8, 8), of(4, 3, 3, 3), undefined, undefined], {
      stride: 0,
    }),
    bad('a negative padding', /left out of range/, [of(1, 3, 8, 8), of(4, 3, 3, 3), undefined, undefined], {
      left: -1,
    }),
    bad(
      'groups that do not divide the outputs',
      /does not fit the channels/,
      [of(1, 4, 8, 8), of(5, 2, 3, 3), undefined, undefined],
      { groups: 2 },
    ),
    bad('a bias of another length', /bias has the wrong shape/, [
      of(1, 3, 8, 8),
      of(4, 3, 3, 3),
      of(3),
      undefined,
    ]),
    bad('a residual of another shape', /residual has the wrong shape/, [
      of(1, 3, 8, 8),
      of(4, 3, 3, 3),
      undefined,
      of(1, 4, 8, 8),
    ]),
    bad('weights of integers', /unsupported element type of weights/, [
      of(1, 3, 8, 8),
      { ...of(4, 3, 3, 3), dtype: 'i32' },
      undefined,
      undefined,
    ]),
  ],
});
