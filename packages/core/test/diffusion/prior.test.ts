import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend, type HostArray, type Network, Prior, type Tensor } from '../../src/index.ts';
import { normals, TINY_PRIOR, tinyPrior } from './prior.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const [TOKENS, DIM] = [TINY_PRIOR.extents.get('tokens')!, TINY_PRIOR.extents.get('clip')!];

type Seen = Map<string, Float32Array>;

/** One evaluation of a random prior, with what it shows on the way. */
async function evaluate(
  { items = 2, ...options }: Parameters<typeof tinyPrior>[1] & { items?: number } = {},
  seeds = { brain: 1, image: 2 },
): Promise<{ y: Float32Array; seen: Seen }> {
  const before = backend.stats().liveTensors;
  using network = tinyPrior(backend, options);
  using prior = await Prior.open(network);
  const seen = new Map<string, Promise<HostArray>>();
  const [y] = await backend.compute(() => {
    const [brain, image] = [seeds.brain, seeds.image].map((seed) =>
      normals(backend, [items, TOKENS, DIM], seed),
    );
    const observe = (name: string, value: Tensor) => seen.set(name, value.download());
    return [prior.predict(prior.condition(brain!), image!, prior.embedTime([30]), { observe })];
  });
  const values: Seen = new Map();
  for (const [name, download] of seen) values.set(name, (await download) as Float32Array);
  network.dispose();
  prior.dispose();
  expect(backend.stats().liveTensors).toBe(before);
  return { y: y as Float32Array, seen: values };
}

const worst = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('prior network', () => {
  it('treats items apart: one gives what two give, bit for bit', async () => {
    const [one, two] = [await evaluate({ items: 1 }), await evaluate({ items: 2 })];
    expect(two.y.subarray(0, one.y.length)).toEqual(one.y);
  });

  it('depends on both conditions', async () => {
    const plain = await evaluate();
    expect(worst((await evaluate({}, { brain: 3, image: 2 })).y, plain.y)).toBeGreaterThan(0.01);
    expect(worst((await evaluate({}, { brain: 1, image: 3 })).y, plain.y)).toBeGreaterThan(0.01);
  });

  it('computes only the last tokens in its last layer', async () => {
    const { seen } = await evaluate();
    expect(seen.get('after_layer0_ff')).toHaveLength(2 * (2 * TOKENS + 1) * DIM);
    expect(seen.get('after_layer1_attn')).toHaveLength(2 * TOKENS * DIM);
  });

  it('gives a token of time for each timestep', async () => {
    using network = tinyPrior(backend);
    using prior = await Prior.open(network);
    const [both, second] = await backend.compute(() => [prior.embedTime([94, 4]), prior.embedTime([4])]);
    expect(both.slice(DIM)).toEqual(second);
    expect(worst((both as Float32Array).subarray(0, DIM), second as Float32Array)).toBeGreaterThan(0.01);
  });

  it('refuses tokens of another shape', async () => {
    using network = tinyPrior(backend);
    using prior = await Prior.open(network);
    using wrong = backend.zeros([1, TOKENS + 1, DIM]);
    expect(() => prior.condition(wrong)).toThrow(/brain: not tokens of this prior.*\[items, 3, 12\]/);
  });

  it('refuses layers that turn at other speeds', async () => {
    using network = tinyPrior(backend);
    const name = 'causal_transformer.layers.1.0.rotary_emb.freqs';
    using other = backend.tensor([0.5, 0.5].slice(0, network.tensor(name).size), network.tensor(name).shape);
    const odd: Network = {
      backend,
      arithmetic: 'f32',
      has: (each) => network.has(each),
      tensor: (each) => (each === name ? other : network.tensor(each)),
      matrix: (each) => network.matrix(each),
      under: (prefix) => network.under(prefix),
    };
    await expect(Prior.open(odd)).rejects.toThrow(`${name}: layers disagree on their rotary frequencies`);
  });
});

describe('emulated autocast', () => {
  it('moves results by about the precision of half precision', async () => {
    const [plain, half] = [await evaluate(), await evaluate({ arithmetic: 'autocast-f16' })];
    const largest = plain.y.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(worst(plain.y, half.y)).toBeGreaterThan(1e-5 * largest);
    expect(worst(plain.y, half.y)).toBeLessThan(2e-2 * largest);
  });

  it('adds 1e-3 to variances where the input is in half precision, 1e-5 elsewhere', async () => {
    // Outputs of attention so small that their variance is about 1e-4: what is added to it shows.
    const spread = async (arithmetic: 'f32' | 'autocast-f16') => {
      const { seen } = await evaluate({ arithmetic, scale: 0.01 });
      const values = seen.get('layer0.attn_branch')!;
      return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    };
    const [plain, half] = [await spread('f32'), await spread('autocast-f16')];
    // s / sqrt(s^2 + 1e-5) of one, s / sqrt(s^2 + 1e-3) of the other, for a typical s.
    const variance = plain ** 2 / (1 - plain ** 2);
    expect(variance * 1e-5).toBeLessThan(1e-3);
    expect(half).toBeLessThan(0.6 * plain);
    expect(half).toBeGreaterThan(0.05 * plain);
  });
});
