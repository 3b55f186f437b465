/** What the ops of networks mean: relations between them, rather than numbers. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  attention,
  attentionWithLse,
  cast,
  concat,
  conv2d,
  createRandom,
  createReferenceBackend,
  gelu,
  gemm,
  groupNorm,
  layerNorm,
  linear,
  permute,
  randomNormal,
  randomWords,
  relativePositionBias,
  relativePositionBuckets,
  resize2d,
  rotary,
  rotaryFrequencies,
  rotaryTables,
  slice,
  softmax,
  swiglu,
  type Tensor,
  upsampleNearest,
} from '../src/index.ts';
import { attentionSpec } from '../src/ops/attention.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());
const random = createRandom(7);

function normal(...shape: number[]): Tensor {
  return backend.tensor(random.normals(shape.reduce((a, b) => a * b, 1)), shape);
}

async function expectSame(a: Tensor, b: Tensor): Promise<void> {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [await a.download(), await b.download()];
  for (const [i, value] of x.entries()) expect(value).toBeCloseTo(y[i]!, 12);
}

describe('attention', () => {
  const [b, h, n, m, d] = [2, 3, 5, 7, 4];

  it('is two products with a softmax between them', async () => {
    const [q, k, v] = [normal(1, 1, n, d), normal(1, 1, m, d), normal(1, 1, m, d)];
    const flat = (x: Tensor) => x.reshape(x.shape[2]!, d);
    const weights = softmax(gemm(flat(q), flat(k), { transB: true, alpha: 1 / Math.sqrt(d) }));
    await expectSame(flat(attention(q, k, v)), gemm(weights, flat(v)));
  });

  it('with heads inside is the same on permuted axes', async () => {
    const [q, k, v] = [normal(b, h, n, d), normal(b, h, m, d), normal(b, h, m, d)];
    const swap = (x: Tensor) => permute(x, [0, 2, 1, 3]);
    const inside = attentionWithLse(swap(q), swap(k), swap(v), { layout: 'bnhd', causal: true });
    const outside = attentionWithLse(q, k, v, { causal: true });
    await expectSame(swap(inside.y), outside.y);
    await expectSame(inside.lse, outside.lse);
  });

  it('with shared keys and a null key is the same on keys repeated and put together', async () => {
    const [q, k, v] = [normal(b, h, n, d), normal(b, m, d), normal(b, m, d)];
    const [nullKey, nullValue] = [normal(d), normal(d)];
    const bias = normal(h, n, m + 1);
    const options = { cosine: true, scale: 16, bias };
    const whole = (x: Tensor, first: Tensor) => {
      const heads = Array.from({ length: h }, () => x.reshape(b, 1, m, d));
      const nulls = Array.from({ length: b * h }, () => first.reshape(1, d));
      return concat([concat(nulls, 0).reshape(b, h, 1, d), concat(heads, 1)], 2);
    };
    await expectSame(
      attention(q, k, v, { ...options, nullKey, nullValue }),
      attention(q, whole(k, nullKey), whole(v, nullValue), options),
    );
  });

  it('of the last queries is the last rows of all: bias, rotation and causality follow', async () => {
    const from = 2;
    const tables = rotaryTables(m, rotaryFrequencies(4));
    const [cos, sin] = [tables.cos, tables.sin].map((table) => backend.tensor(table, [m, 2]));
    const [x, k, v] = [normal(b, h, m, d), normal(b, h, m, d), normal(b, h, m, d)];
    const table = normal(32, h);
    const bias = relativePositionBias(table, relativePositionBuckets(m, m));
    const later = relativePositionBias(table, relativePositionBuckets(m - from, m, { firstQuery: from }));
    await expectSame(later, slice(bias, 1, from, m));
    const all = attention(rotary(x, cos!, sin!), k, v, { bias, causal: true });
    const queries = rotary(slice(x, 2, from, m), cos!.rows(from, m), sin!.rows(from, m));
    await expectSame(attention(queries, k, v, { bias: later, causal: true }), slice(all, 2, from, m));
  });

  it('passes over masked keys as if they were not there', async () => {
    const [q, k, v] = [normal(1, h, n, d), normal(1, h, m, d), normal(1, h, m, d)];
    const mask = backend.tensor(
      Uint8Array.from({ length: m }, (_, j) => Number(j < 4)),
      [1, m],
    );
    const some = (x: Tensor) => slice(x, 2, 0, 4);
    await expectSame(attention(q, k, v, { mask }), attention(q, some(k), some(v)));
  });

  it('counts the products of what is seen', () => {
    const shape = { shape: [1, 2, 4, 8], dtype: 'f32' } as const;
    const attributes = { layout: 'bhnd', scale: 1, cosine: false, lse: false } as const;
    const flops = (causal: boolean) => attentionSpec.flops([shape, shape, shape], { ...attributes, causal });
    expect(flops(false)).toBe(2 * 2 * 4 * 4 * 16);
    expect(flops(true)).toBe(2 * 2 * 10 * 16);
  });
});

describe('layers', () => {
  it('on shards of a weight are the layer on the whole, half precision among them', async () => {
    const w = backend.tensor(
      Uint16Array.from({ length: 9 * 6 }, () => 0x3f00 + random.integer(256)),
      [9, 6],
      'bf16',
    );
    const x = cast(normal(2, 5, 6), 'f32');
    const bias = cast(normal(9), 'f32');
    await expectSame(linear(x, [w.rows(0, 4), w.rows(4, 9)], { bias }), linear(x, w, { bias }));
  });

  it('add the residual last', async () => {
    const [x, w, residual] = [normal(4, 6), normal(5, 6), normal(4, 5)];
    const plain = await gelu(linear(x, w)).download();
    const added = await residual.download();
    const fused = await linear(x, w, { activation: 'gelu_erf', residual }).download();
    for (const [i, value] of fused.entries()) expect(value).toBeCloseTo(plain[i]! + added[i]!, 12);
  });

  it('of a 1x1 convolution are those of a linear layer on pixels', async () => {
    const [x, w, bias] = [normal(2, 6, 3, 4), normal(5, 6), normal(5)];
    const pixels = linear(permute(x, [0, 2, 3, 1]), w, { bias, activation: 'silu' });
    const pictures = conv2d(x, w.reshape(5, 6, 1, 1), { bias, activation: 'silu' });
    await expectSame(pictures, permute(pixels, [0, 3, 1, 2]));
  });

  it('of a convolution in groups are convolutions of their channels', async () => {
    const [x, w] = [normal(2, 6, 5, 4), normal(4, 3, 3, 3)];
    const half = (i: number) =>
      conv2d(slice(x, 1, 3 * i, 3 * i + 3), w.rows(2 * i, 2 * i + 2), { padding: 1 });
    await expectSame(conv2d(x, w, { padding: 1, groups: 2 }), concat([half(0), half(1)], 1));
  });

  it('of one group normalise a picture as a row', async () => {
    const x = normal(3, 4, 5, 2);
    await expectSame(groupNorm(x, 1), layerNorm(x.reshape(3, 40)).reshape(3, 4, 5, 2));
    // A row whose maximum is negative would change its sign.
    const rows = x.reshape(3, 40);
    await expectSame(layerNorm(rows, { stable: true, eps: 0 }), layerNorm(rows, { eps: 0 }));
  });

  it('gate the first half by the second', async () => {
    const x = normal(3, 8);
    const [value, gate] = [slice(x, 1, 0, 4), slice(x, 1, 4, 8)];
    const wanted = await value.download();
    const [y, g] = [await swiglu(x).download(), await gate.download()];
    for (const [i, each] of y.entries()) {
      expect(each).toBeCloseTo((wanted[i]! * g[i]!) / (1 + Math.exp(-g[i]!)), 12);
    }
  });

  it('enlarge pictures alike', async () => {
    const x = normal(2, 3, 4, 5);
    await expectSame(upsampleNearest(x, 3), resize2d(x, 12, 15, { mode: 'nearest' }));
  });
});

describe('random normals', () => {
  it('do not depend on how a stream is cut', async () => {
    const whole = randomNormal(backend, [3, 10], { seed: 5, dtype: 'f64' });
    const parts = [0, 7, 14].map((offset, i) =>
      randomNormal(backend, [[7], [7], [16]][i]!, { seed: 5, offset, dtype: 'f64' }),
    );
    await expectSame(whole.reshape(30), concat(parts, 0));
  });

  it('take 53 bits of a seed as its two words', async () => {
    const seed = 2 ** 40 + 12345;
    const words = await randomWords(backend, [50], { seed }).download();
    expect(await randomWords(backend, [50], { seed: [12345, 2 ** 8] }).download()).toEqual(words);
    expect(await randomWords(backend, [50], { seed: 12345 }).download()).not.toEqual(words);
    expect(() => randomNormal(backend, [1], { seed: -1 })).toThrow(/the seed is out of range/);
  });

  it('are normal: moments, tails and neighbours', async () => {
    const size = 200_000;
    const y = (await randomNormal(backend, [size], { seed: 3, dtype: 'f64' }).download()) as Float64Array;
    const mean = (of: (value: number, i: number) => number) =>
      y.reduce((sum, value, i) => sum + of(value, i), 0) / size;
    // Standard errors: 1 / sqrt(size), sqrt(2 / size), sqrt(96 / size), sqrt(0.0455 0.9545 / size).
    expect(Math.abs(mean((value) => value))).toBeLessThan(5 / Math.sqrt(size));
    expect(Math.abs(mean((value) => value ** 2) - 1)).toBeLessThan(5 * Math.sqrt(2 / size));
    expect(Math.abs(mean((value) => value ** 4) - 3)).toBeLessThan(5 * Math.sqrt(96 / size));
    expect(Math.abs(mean((value) => Number(Math.abs(value) > 2)) - 0.0455)).toBeLessThan(0.0025);
    for (const lag of [1, 2, 3, 4]) {
      const neighbours = mean((value, i) => value * y[(i + lag) % size]!);
      expect(Math.abs(neighbours)).toBeLessThan(5 / Math.sqrt(size));
    }
  });
});
