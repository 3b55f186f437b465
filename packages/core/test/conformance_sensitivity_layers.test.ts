/** The tolerances of the ops of networks: tight enough to catch mistakes, wide enough for honest float32. */
import { describe, expect, it } from 'vitest';
import { KnownCases, runConformance } from '../conformance/index.ts';
import { type Backend, roundTo } from '../src/index.ts';
import type { ReferenceKernel, View } from '../src/reference/kernel.ts';
import { philox } from '../src/reference/random_normal.ts';
import * as float32 from './float32_layers.ts';
import { after, before, failedTypes, mapped, withKernel } from './mutants.ts';

const known = new KnownCases();

async function failuresOf(backend: Backend, filter: RegExp, seed = 0): Promise<string[]> {
  const report = await runConformance(backend, { filter, seed, known });
  await backend.dispose();
  return report.results.filter(({ status }) => status === 'failed').map(({ id, worst }) => `${id}: ${worst}`);
}

describe('a correct float32 implementation passes', () => {
  it.each<[string, ReferenceKernel]>([
    ['activation', float32.activation],
    ['attention', float32.attention as unknown as ReferenceKernel],
    ['conv2d', float32.conv2d],
    ['gated_activation', float32.gatedActivation],
    ['group_norm', float32.groupNorm],
    ['layer_norm', float32.layerNorm],
    ['linear', float32.linear],
    ['resize2d', float32.resize2d],
    ['rotary', float32.rotary],
    ['softmax', float32.softmax],
  ])('%s', async (op, kernel) => {
    for (const seed of [0, 1]) {
      expect(await failuresOf(withKernel(op, kernel), new RegExp(`^${op}/f32/`), seed)).toEqual([]);
    }
  });
});

type Mutant = [op: string, name: string, kernel: ReferenceKernel, filter?: RegExp];

/** Attributes taken for others. */
const taken = (op: string, attributes: Record<string, number | string | boolean>) =>
  before(op, () => ({ attributes }));
/** Operands changed or left out. */
const given = (op: string, change: (inputs: readonly (View | undefined)[]) => (View | undefined)[]) =>
  before(op, (inputs) => ({ inputs: change(inputs) }));
const without = (op: string, ...positions: number[]) =>
  given(op, (inputs) => inputs.map((view, i) => (positions.includes(i) ? undefined : view)));
const coarse = (view: View | undefined) => view && mapped(view, (value) => roundTo('bf16', value));

/** Mistakes that every op of floats must show. */
const common: Mutant[] = [
  'activation',
  'attention',
  'conv2d',
  'gated_activation',
  'group_norm',
  'layer_norm',
  'linear',
  'random_normal',
  'resize2d',
  'rotary',
  'softmax',
].flatMap((op): Mutant[] => [
  [op, 'a result scaled by 1 + 1e-4', after(op, scale(1 + 1e-4))],
  [op, 'one entry forgotten', after(op, (y) => y.length > 1 && y.fill(0, y.length - 1))],
  ...(op === 'random_normal' ? [] : ([[op, 'a NaN replaced by 0', after(op, noNaN)]] as Mutant[])),
]);

const mutants: Mutant[] = [
  ...common,
  ['linear', 'a result scaled by 1 + 1e-5', after('linear', scale(1 + 1e-5))],
  ['linear', 'x rounded to bfloat16', given('linear', ([x, ...rest]) => [coarse(x), ...rest])],
  ['linear', 'bias ignored', without('linear', 1)],
  ['linear', 'residual ignored', without('linear', 2)],
  ['linear', 'activation ignored', taken('linear', { activation: 'none' })],
  ['linear', 'shards in reverse', given('linear', ([x, b, r, ...w]) => [x, b, r, ...w.reverse()])],
  [
    'linear',
    'the activation after the residual',
    (inputs, [y], attributes) => {
      before('linear', () => ({ attributes: { activation: 'none' } }))(inputs, [y!], attributes);
      const copy = { ...y!, data: y!.data.slice() };
      if (attributes.activation !== 'none') {
        before('activation', () => ({}))([copy], [y!], { kind: attributes.activation });
      }
    },
  ],
  ['conv2d', 'x rounded to bfloat16', given('conv2d', ([x, ...rest]) => [coarse(x), ...rest])],
  ['conv2d', 'bias ignored', without('conv2d', 2)],
  ['conv2d', 'residual ignored', without('conv2d', 3)],
  ['conv2d', 'activation ignored', taken('conv2d', { activation: 'none' })],
  ['conv2d', 'stride ignored', taken('conv2d', { stride: 1 })],
  [
    'conv2d',
    'padding at the wrong end',
    before('conv2d', (_, { bottom, right }) => ({
      attributes: { top: bottom!, left: right! },
    })),
  ],
  ['conv2d', 'the kernel turned round', given('conv2d', ([x, w, ...rest]) => [x, turned(w!), ...rest])],
  [
    'activation',
    'the approximation taken for erf',
    before('activation', (_, { kind }) => ({
      attributes: { kind: kind === 'gelu_erf' ? 'gelu_tanh' : kind! },
    })),
  ],
  [
    'activation',
    'erf taken for the approximation',
    before('activation', (_, { kind }) => ({
      attributes: { kind: kind === 'gelu_tanh' ? 'gelu_erf' : kind! },
    })),
  ],
  ['activation', 'a result scaled by 1 + 1e-5', after('activation', scale(1 + 1e-5))],
  ['gated_activation', 'halves exchanged', given('gated_activation', ([x]) => [exchanged(x!)])],
  ['layer_norm', 'gain ignored', without('layer_norm', 1)],
  ['layer_norm', 'bias ignored', without('layer_norm', 2)],
  ['layer_norm', 'eps ignored', taken('layer_norm', { eps: 0 })],
  ['layer_norm', 'eps of another model', taken('layer_norm', { eps: 1e-6 })],
  ['layer_norm', 'stable ignored', taken('layer_norm', { stable: false })],
  ['layer_norm', 'activation ignored', taken('layer_norm', { activation: 'none' })],
  [
    'layer_norm',
    'the variance of a sample',
    (inputs, [y], attributes) => {
      const width = y!.shape.at(-1)!;
      const scaled = Math.sqrt((width - 1) / width);
      const gain = inputs[1] ?? { ...y!, shape: [width], data: new Float64Array(width).fill(1) };
      const less = mapped(gain, (value) => value * scaled);
      before('layer_norm', () => ({ inputs: [inputs[0], less, inputs[2]] }))(inputs, [y!], attributes);
    },
  ],
  ['layer_norm', 'the textbook variance', textbook, /^layer_norm\/f32\/a large offset/],
  ['group_norm', 'gain ignored', without('group_norm', 1)],
  ['group_norm', 'bias ignored', without('group_norm', 2)],
  ['group_norm', 'eps ignored', taken('group_norm', { eps: 0 })],
  ['group_norm', 'one group', taken('group_norm', { groups: 1 })],
  ['group_norm', 'activation ignored', taken('group_norm', { activation: 'none' })],
  [
    'group_norm',
    'factors in another order',
    given('group_norm', ([x, gain, bias]) => [
      x,
      gain && { ...gain, data: gain.data.slice().reverse() },
      bias,
    ]),
  ],
  ['softmax', 'log ignored', taken('softmax', { log: false })],
  ['softmax', 'the maximum left in', overflowing, /^softmax\/f32\/rows far from 0/],
  ['attention', 'scale ignored', taken('attention', { scale: 1 })],
  ['attention', 'cosine ignored', taken('attention', { cosine: false })],
  ['attention', 'causal ignored', taken('attention', { causal: false })],
  ['attention', 'bias ignored', without('attention', 5)],
  ['attention', 'mask ignored', without('attention', 6)],
  [
    'attention',
    'mask of the first item for all',
    given('attention', (inputs) => [
      ...inputs.slice(0, 6),
      inputs[6] && mapped(inputs[6], (_, i) => inputs[6]!.data[i % inputs[6]!.shape[1]!]!),
    ]),
  ],
  ['attention', 'keys rounded to bfloat16', given('attention', ([q, k, ...rest]) => [q, coarse(k), ...rest])],
  [
    'attention',
    'values rounded to bfloat16',
    given('attention', ([q, k, v, ...rest]) => [q, k, coarse(v), ...rest]),
  ],
  [
    'attention',
    'the null key not normalised',
    before('attention', ([q, k, v, nullKey, ...rest], { cosine }) => ({
      inputs: [q, k, v, nullKey && cosine ? mapped(nullKey, () => 0) : nullKey, ...rest],
    })),
  ],
  [
    'attention',
    'the null value forgotten',
    given('attention', ([q, k, v, n, nullValue, ...rest]) => [
      ...[q, k, v, n],
      nullValue && mapped(nullValue, () => 0),
      ...rest,
    ]),
  ],
  [
    'attention',
    'one null key for all heads',
    given('attention', ([q, k, v, n, nullValue, ...rest]) => [
      ...[q, k, v],
      n && { ...n, shape: [n.shape.at(-1)!] },
      nullValue,
      ...rest,
    ]),
  ],
  [
    'attention',
    'causal from the left',
    (inputs, outputs, attributes) => {
      const [q, k, v, , , bias] = inputs;
      const queries = q!.shape[2]!;
      const keys = k!.shape.at(-2)!;
      const plain = attributes.layout === 'bhnd' && attributes.causal === true && !inputs[3] && !bias;
      const left = plain && {
        ...q!,
        shape: [1, queries, keys],
        data: Float64Array.from({ length: queries * keys }, (_, pair) =>
          pair % keys > Math.floor(pair / keys) ? -Infinity : 0,
        ),
      };
      const changed = left
        ? { inputs: [q, k, v, undefined, undefined, left], attributes: { causal: false } }
        : {};
      before('attention', () => changed)(inputs, outputs, attributes);
    },
  ],
  [
    'attention',
    'the log-sum-exp in bits',
    after('attention', (_, [, lse]) => {
      lse?.data.forEach((value, i) => {
        lse.data[i] = value / Math.LN2;
      });
    }),
  ],
  [
    'attention',
    'a query without keys gives NaN',
    after('attention', (y, [, lse]) => {
      const length = y.length / (lse?.data.length ?? 1);
      lse?.data.forEach((value, i) => {
        if (value === -Infinity) y.fill(NaN, i * length, (i + 1) * length);
      });
    }),
  ],
  ['rotary', 'turned the other way', given('rotary', ([x, c, s]) => [x, c, mapped(s, (value) => -value)])],
  [
    'rotary',
    'positions of the wrong axis',
    before('rotary', ([x], { positionAxis }) => ({
      inputs: [
        positionAxis === 3 ? { ...x!, shape: [x!.shape.at(-3)!, x!.shape.at(-2)!, x!.shape.at(-1)!] } : x,
      ],
      attributes: { positionAxis: 2 },
    })),
  ],
  [
    'relative_position_bias',
    'heads in reverse',
    before('relative_position_bias', ([table]) => ({
      inputs: [{ ...table!, data: reversedRows(table!) }],
    })),
  ],
  [
    'relative_position_bias',
    'queries and keys exchanged',
    before('relative_position_bias', (_, { buckets, queries, keys }) => ({
      attributes: {
        buckets: (buckets as Int32Array).map(
          (_, i) =>
            (buckets as Int32Array)[
              (i % (queries as number)) * (keys as number) + Math.floor(i / (queries as number))
            ]!,
        ),
      },
    })),
  ],
  ['upsample_nearest', 'pixels interleaved', after('upsample_nearest', (y) => y.reverse())],
  [
    'resize2d',
    'antialias ignored',
    before('resize2d', (_, { mode }) => ({
      attributes: mode === 'lanczos' ? {} : { antialias: false },
    })),
  ],
  [
    'resize2d',
    'linear taken for cubic',
    before('resize2d', (_, { mode }) => ({
      attributes: { mode: mode === 'bicubic' ? 'bilinear' : mode! },
    })),
  ],
  [
    'resize2d',
    'linear taken for nearest',
    before('resize2d', (_, { mode }) => ({
      attributes: { mode: mode === 'nearest' ? 'bilinear' : mode! },
    })),
  ],
  [
    'adaptive_max_pool1d',
    'windows that end too early',
    ([x], [y], { size }) => {
      const [n, m] = [x!.shape.at(-1)!, size as number];
      y!.data.forEach((_, index) => {
        const [row, i] = [Math.floor(index / m), index % m];
        const [start, end] = [
          Math.floor((i * n) / m),
          Math.max(Math.floor(((i + 1) * n) / m), Math.floor((i * n) / m) + 1),
        ];
        y!.data[index] = Math.max(...x!.data.subarray(row * n + start, row * n + end));
      });
    },
  ],
  ['adaptive_max_pool1d', 'a NaN that is lost', after('adaptive_max_pool1d', noNaN)],
  ['random_normal', 'offset ignored', taken('random_normal', { offset: 0 })],
  [
    'random_normal',
    'an offset of 32 bits',
    before('random_normal', (_, { offset }) => ({
      attributes: { offset: (offset as number) % 2 ** 32 },
    })),
  ],
  ['random_normal', 'half of the seed', taken('random_normal', { seedHigh: 0 })],
  ['random_normal', 'an error of 2e-6', after('random_normal', (y) => y.set(y.map((value) => value + 2e-6)))],
  [
    'permute',
    'the inverse order',
    before('permute', (_, { axes }) => ({
      attributes: { axes: (axes as Int32Array).map((_, i) => (axes as Int32Array).indexOf(i)) },
    })),
  ],
  ['concat', 'in reverse', given('concat', (inputs) => [...inputs].reverse())],
  ['slice', 'from the beginning', taken('slice', { start: 0 })],
];

/** A mistake must show in small cases already. */
function smallCasesOf(op: string): RegExp {
  return new RegExp(`^${op}/(?!.*(several blocks|long|many|large groups|three repeats|a head of 512))`);
}

describe('a wrong implementation fails', () => {
  it.each(mutants.map(([op, name, kernel, filter]) => ({ op, name, kernel, filter })))(
    '$op: $name',
    async ({ op, kernel, filter }) => {
      const failed = await failedTypes(withKernel(op, kernel), filter ?? smallCasesOf(op), known);
      expect(failed.size).toBeGreaterThan(0);
      if (!filter) expect([...failed]).toEqual(expect.arrayContaining(['f32', 'f64']));
    },
  );
});

/** Known answers of Philox4x32-10 that its authors publish with Random123 (kat_vectors). */
describe('philox', () => {
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('of counter %j and key %j', (counter, key, words) => {
    expect(philox(counter as [number, number, number, number], key as [number, number])).toEqual(words);
  });
});

function scale(factor: number) {
  return (y: Float64Array) =>
    y.forEach((value, i) => {
      y[i] = value * factor;
    });
}

function noNaN(y: Float64Array): void {
  y.forEach((value, i) => {
    if (Number.isNaN(value)) y[i] = 0;
  });
}

/** A kernel read from its last tap to its first. */
function turned(w: View): View {
  const taps = w.shape[2]! * w.shape[3]!;
  return mapped(w, (_, i) => w.data[i - (i % taps) + taps - 1 - (i % taps)]!);
}

function exchanged(x: View): View {
  const half = x.shape.at(-1)! / 2;
  return mapped(x, (_, i) => x.data[i % (2 * half) < half ? i + half : i - half]!);
}

function reversedRows(table: View): Float64Array {
  const width = table.shape[1]!;
  return table.data.map((_, i) => table.data[i - (i % width) + width - 1 - (i % width)]!);
}

/** Mean square less squared mean, in float32. */
function textbook(inputs: readonly (View | undefined)[], [y]: readonly View[]): void {
  const f = Math.fround;
  const [x, gain, bias] = inputs;
  const width = x!.shape.at(-1)!;
  for (let start = 0; start < x!.data.length; start += width) {
    const row = x!.data.subarray(start, start + width);
    const mean = f(row.reduce((sum, value) => f(sum + value), 0) / width);
    const square = f(row.reduce((sum, value) => f(sum + f(value * value)), 0) / width);
    const deviation = Math.sqrt(Math.max(f(square - f(mean * mean)), 0) + 1e-5);
    row.forEach((value, j) => {
      y!.data[start + j] = f(((value - mean) / deviation) * (gain?.data[j] ?? 1) + (bias?.data[j] ?? 0));
    });
  }
}

/** Softmax of float32 exponentials of the values themselves. */
function overflowing([x]: readonly (View | undefined)[], [y]: readonly View[]): void {
  const width = x!.shape.at(-1)!;
  for (let start = 0; start < x!.data.length; start += width) {
    const row = x!.data.subarray(start, start + width).map((value) => Math.fround(Math.exp(value)));
    const sum = Math.fround(row.reduce((total, value) => total + value, 0));
    row.forEach((value, j) => {
      y!.data[start + j] = value / sum;
    });
  }
}
