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

/** Products of a batch, or of one `b` for all, with a bias for each plane or for all. */
function batched(
  name: string,
  [batch, m, n, k]: readonly [number, number, number, number],
  options: Partial<typeof plain> = {},
  extra: { shared?: boolean; c?: boolean; bias?: 'plane' | 'all'; within?: Operand['within'] } = {},
): GemmCase {
  const attributes = { ...plain, ...options };
  const { shared, c, bias, within } = extra;
  const own = (shape: number[]): Operand => ({ shape, fill: normal(), ...(within && { within }) });
  const b = attributes.transB ? [n, k] : [k, n];
  return {
    name: `${name} ${batch}x${m}x${n}x${k}`,
    inputs: [
      own([batch, ...(attributes.transA ? [k, m] : [m, k])]),
      own(shared ? b : [batch, ...b]),
      c ? own([batch, m, n]) : undefined,
      bias && of(...(bias === 'plane' ? [batch, n] : [n])),
    ],
    attributes,
  };
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
  check: reduction(({ inputs, attributes }) => inputs[0]!.shape.at(attributes.transA ? -2 : -1)! + 2),
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
    ...transposes.flatMap((flags) => {
      const name = `a batch of a${flags.transA ? 'ᵀ' : ''} b${flags.transB ? 'ᵀ' : ''}`;
      return [
        batched(name, [7, 13, 21, 35], flags, { bias: 'plane' }),
        batched(`${name}, one b`, [7, 19, 9, 20], flags, { shared: true, c: true }),
        batched(`${name}, views`, [2, 33, 18, 70], flags, { within: [1, 3] }),
      ];
    }),
    batched('a batch of one', [1, 9, 11, 17], { alpha: -0.5 }, { bias: 'all' }),
    batched('a batch of numbers', [301, 1, 1, 3]),
    batched('a batch of rows, each by its own matrix', [5, 1, 67, 33], { transB: true }),
    batched('a batch of columns', [5, 67, 1, 33], { transA: true }),
    batched(
      'a batch: alpha, beta, c and bias',
      [3, 12, 7, 40],
      { alpha: 0.5, beta: 3 },
      { c: true, bias: 'all' },
    ),
    batched('a batch of planes of several tiles', [2, 150, 275, 130], { transB: true }, { bias: 'plane' }),
    batched('a batch of long sums, one b', [3, 21, 9, 2039], {}, { shared: true, bias: 'plane' }),
    batched('a batch of planes as heads have them', [12, 52, 64, 52]),
    batched('no planes', [0, 3, 5, 4]),
    batched('planes without rows', [3, 0, 5, 4]),
    batched(
      'planes without terms: beta c and bias remain',
      [3, 4, 5, 0],
      { beta: 1 },
      { c: true, bias: 'plane' },
    ),
    {
      name: 'NaN reaches its plane only',
      inputs: [
        { shape: [4, 6, 30], fill: strewn(normal(), NaN, 720, 395) },
        of(4, 30, 20),
        undefined,
        undefined,
      ],
      attributes: plain,
    },
    bad('inner extents differ', /inner extents differ/, [of(3, 4), of(5, 6), undefined, undefined]),
    bad('inner extents differ, transposed', /inner extents/, [of(3, 4), of(3, 6), undefined, undefined], {
      transB: true,
    }),
    bad('a is no matrix', /a has the wrong number of axes/, [of(4), of(4, 4), undefined, undefined]),
    bad('b is no matrix', /b has the wrong number of axes/, [of(4, 4), of(2, 2, 4), undefined, undefined]),
    bad('c has the wrong shape', /c has the wrong shape/, [of(3, 4), of(4, 5), of(5, 3), undefined], {
      beta: 1,
    }),
    bad('bias has the wrong length', /bias has the wrong shape/, [of(3, 4), of(4, 5), undefined, of(3)]),
    bad('four axes', /a has the wrong number of axes.*or \[batch, m, k\]/, [
      of(2, 2, 3, 4),
      of(4, 6),
      undefined,
      undefined,
    ]),
    bad('the planes of b are others', /b must have the planes of a/, [
      of(2, 3, 4),
      of(3, 4, 5),
      undefined,
      undefined,
    ]),
    bad('inner extents of planes differ', /inner extents differ/, [
      of(2, 3, 4),
      of(2, 5, 6),
      undefined,
      undefined,
    ]),
    bad('planes of b alone', /b has the wrong number of axes.*three beside three/, [
      of(3, 4),
      of(2, 4, 5),
      undefined,
      undefined,
    ]),
    bad(
      'c has other planes',
      /c has the wrong shape.*\[2, 3, 5\]/,
      [of(2, 3, 4), of(4, 5), of(3, 5), undefined],
      {
        beta: 1,
      },
    ),
    bad('bias of other planes', /bias has the wrong shape.*\[5\] or \[2, 5\]/, [
      of(2, 3, 4),
      of(4, 5),
      undefined,
      of(3, 5),
    ]),
    bad('types differ', /one element type/, [
      of(3, 4),
      { shape: [4, 5], fill: normal(), dtype: 'i32' },
      undefined,
      undefined,
    ]),
  ],
});
