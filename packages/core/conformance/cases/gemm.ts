import { gemmSpec } from '../../src/ops/gemm.ts';
import { normal, strewn, uniform } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { reduction } from '../tolerance.ts';

type GemmCase = OpCase<typeof plain>;

const plain = { transA: false, transB: false, alpha: 1, beta: 0 };

/** A product of random matrices, stored as the transpose flags want them. */
function product(
  name: string,
  [m, n, k]: readonly [number, number, number],
  options: Partial<typeof plain> = {},
  extra: { c?: Operand; bias?: Operand; fill?: Operand['fill']; within?: Operand['within'] } = {},
): GemmCase {
  const attributes = { ...plain, ...options };
  const { fill = normal(), within } = extra;
  const a: Operand = { shape: attributes.transA ? [k, m] : [m, k], fill, ...(within && { within }) };
  const b: Operand = { shape: attributes.transB ? [n, k] : [k, n], fill, ...(within && { within }) };
  return { name: `${name} ${m}x${n}x${k}`, inputs: [a, b, extra.c, extra.bias], attributes };
}

const transposes = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
];

const shapes = [
  [1, 1, 1],
  [2, 3, 5],
  [1, 67, 33],
  [67, 1, 33],
  [17, 31, 1],
  [8, 8, 8],
  [16, 32, 64],
  [13, 29, 131],
  [129, 65, 40],
] as const;

const bad = (
  name: string,
  message: RegExp,
  inputs: GemmCase['inputs'],
  attributes: Partial<typeof plain> = {},
): GemmCase => ({
  name,
  inputs,
  attributes: { ...plain, ...attributes },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite({
  op: gemmSpec,
  check: reduction(({ inputs, attributes }) => inputs[0]!.shape[attributes.transA ? 0 : 1]! + 2),
  cases: [
    ...transposes.flatMap((flags) =>
      shapes.map((shape) => product(`a${flags.transA ? 'ᵀ' : ''} b${flags.transB ? 'ᵀ' : ''}`, shape, flags)),
    ),
    product('long sums of one sign', [9, 21, 2039], {}, { fill: uniform(0.5, 1.5) }),
    product('long sums of mixed signs', [21, 9, 2039], { transB: true }),
    product('several blocks in every direction', [150, 275, 530]),
    product('several blocks, both transposed', [275, 150, 530], { transA: true, transB: true }),
    product('alpha', [19, 23, 37], { alpha: -0.375 }),
    product('c', [19, 23, 37], { beta: 1 }, { c: of(19, 23) }),
    product('alpha, beta and c', [35, 18, 70], { alpha: 2.5, beta: -1.25, transB: true }, { c: of(35, 18) }),
    product('a zero beta does not read c', [9, 10, 11], {}, { c: { shape: [9, 10], fill: normal(NaN) } }),
    product('alpha zero leaves beta c', [9, 10, 11], { alpha: 0, beta: 2 }, { c: of(9, 10) }),
    product('bias', [33, 65, 17], { transB: true }, { bias: of(65) }),
    product('bias and c', [12, 7, 40], { alpha: 0.5, beta: 3 }, { bias: of(7), c: of(12, 7) }),
    product('no terms: beta c and bias remain', [6, 5, 0], { beta: 1 }, { bias: of(5), c: of(6, 5) }),
    product('no rows', [0, 5, 4]),
    product('no columns', [5, 0, 4]),
    product('operands are views', [23, 38, 29], {}, { within: [3, 2] }),
    product(
      'operands are views, transposed',
      [23, 38, 29],
      { transA: true, transB: true },
      { within: [1, 5] },
    ),
    {
      name: 'c and bias are views',
      inputs: [
        of(7, 12),
        of(12, 9),
        { shape: [7, 9], fill: normal(), within: [2, 1] },
        { shape: [9], fill: normal() },
      ],
      attributes: { ...plain, beta: 1 },
    },
    {
      name: 'large and small numbers',
      inputs: [
        { shape: [20, 15], fill: normal(0, 1e12) },
        { shape: [15, 25], fill: normal(0, 1e-12) },
        undefined,
        undefined,
      ],
      attributes: plain,
    },
    {
      name: 'a cancelled offset',
      inputs: [
        { shape: [20, 150], fill: normal(1000) },
        { shape: [150, 18], fill: normal() },
        undefined,
        undefined,
      ],
      attributes: plain,
    },
    {
      name: 'NaN reaches its row only',
      inputs: [{ shape: [24, 30], fill: strewn(normal(), NaN, 217, 95) }, of(30, 20), undefined, undefined],
      attributes: plain,
    },
    bad('inner extents differ', /inner extents differ/, [of(3, 4), of(5, 6), undefined, undefined]),
    bad('inner extents differ, transposed', /inner extents/, [of(3, 4), of(3, 6), undefined, undefined], {
      transB: true,
    }),
    bad('a is no matrix', /a must be a matrix/, [of(4), of(4, 4), undefined, undefined]),
    bad('b is no matrix', /b must be a matrix/, [of(4, 4), of(2, 2, 4), undefined, undefined]),
    bad('c has the wrong shape', /c has the wrong shape/, [of(3, 4), of(4, 5), of(5, 3), undefined], {
      beta: 1,
    }),
    bad('bias has the wrong length', /bias has the wrong shape/, [of(3, 4), of(4, 5), undefined, of(3)]),
    bad('types differ', /one element type/, [
      of(3, 4),
      { shape: [4, 5], fill: normal(), dtype: 'i32' },
      undefined,
      undefined,
    ]),
  ],
});
