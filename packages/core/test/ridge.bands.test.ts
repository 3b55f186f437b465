import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  bytesSource,
  createRandom,
  createReferenceBackend,
  kFolds,
  memoryFolder,
  openBundle,
  openSafetensors,
  RidgeDecoder,
  type RidgeDecoderOptions,
  type Rows,
  saveBundle,
  splitScores,
  toFloat64,
} from '../src/index.ts';
import { goldensRoot } from './data/helpers/shared_data.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

const [N, V, T] = [60, 30, 3];
const random = createRandom(6);
// Voxels of V1 carry targets 0 and 1, those of IT target 2; most voxels of "rest" are noise without any.
const labels = Array.from({ length: V }, (_, v) => (v % 5 === 0 ? 'V1' : v % 5 === 1 ? 'IT' : 'rest'));
const tuning = random.normals(V * T).map((value, i) => {
  const [label, t] = [labels[Math.floor(i / T)], i % T];
  return (label === 'V1' && t < 2) || (label === 'IT' && t === 2) ? value : 0;
});
const targets = random.normals(2 * N * T);
const betas = Float32Array.from({ length: 2 * N * V }, (_, i) => {
  const [row, v] = [Math.floor(i / V), i % V];
  let sum = random.normal();
  for (let t = 0; t < T; t++) sum += targets[row * T + t]! * tuning[v * T + t]!;
  return 50 * v + (1 + v) * sum;
});
const half = (data: ArrayLike<number>, width: number, second: boolean): Rows => ({
  data: Float64Array.from(Array.from(data).slice(second ? N * width : 0, second ? undefined : N * width)),
  shape: [N, width],
});
const training = { voxels: half(betas, V, false), targets: half(targets, T, false) };
const unseen = { voxels: half(betas, V, true), targets: half(targets, T, true) };

const fit = (options: RidgeDecoderOptions = {}) =>
  RidgeDecoder.fit(
    training,
    { folds: { folds: 4 }, bands: { labels, draws: 12, seed: 2 }, ...options },
    { backend },
  );

const r2 = (y: Rows, predicted: ArrayLike<number>) => {
  const scores = Array.from({ length: T }, (_, t) => {
    const column = (data: ArrayLike<number>) => Array.from({ length: N }, (_, i) => data[i * T + t]!);
    const [a, b] = [column(y.data), column(predicted)];
    const mean = a.reduce((x, z) => x + z) / N;
    const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
    return 1 - error / a.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  });
  return scores.reduce((x, z) => x + z) / T;
};

describe('a decoder of banded ridge', () => {
  it('predicts unseen trials better than plain ridge where most voxels are noise', async () => {
    const banded = await fit();
    const plain = await fit({ bands: undefined });
    const score = r2(unseen.targets, await banded.predict(unseen.voxels));
    expect(score).toBeGreaterThan(r2(unseen.targets, await plain.predict(unseen.voxels)) + 0.02);
    const { bands, candidates, crossValidation } = banded.model.report as unknown as {
      bands: { name: string; share: number; voxels: [number, number][] }[];
      candidates: number;
      crossValidation: { meanScore: number };
    };
    expect(candidates).toBe(12);
    expect(bands.map(({ name }) => name)).toEqual(['V1', 'IT', 'rest']);
    expect(bands.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    // 18 of 30 voxels, and little weight.
    expect(bands[2]!.share).toBeLessThan(0.2);
    expect(bands[1]!.voxels).toEqual([1, 6, 11, 16, 21, 26].map((v) => [v, v]));
    expect(Number.isFinite(crossValidation.meanScore)).toBe(true);
    expect(banded.model.ledger.map(({ step }) => step)).toContain('ridge penalty and weights of bands');
    banded.dispose();
    plain.dispose();
  });

  it('is an ordinary ridge bundle: the weights have absorbed those of the bands', async () => {
    const decoder = await fit();
    const files = new Map<string, Uint8Array>();
    await saveBundle(decoder, async (path, bytes) => void files.set(path, bytes));
    const opened = (await openBundle(memoryFolder(files, 'banded'), { backend })) as RidgeDecoder;
    expect(opened.kind).toBe('ridge');
    expect(opened.model.storage).toBe('primal');
    expect(await opened.predict(unseen.voxels)).toEqual(await decoder.predict(unseen.voxels));
    // Bands can still be told apart, and sum up to the predictions.
    const parts = await opened.predictBands(unseen.voxels);
    expect(parts.map(({ name }) => name)).toEqual(['V1', 'IT', 'rest']);
    const whole = await opened.predict(unseen.voxels);
    whole.forEach((value, i) => {
      const sum = parts.reduce((total, { values }) => total + values[i]!, opened.model.targetMean[i % T]!);
      expect(sum).toBeCloseTo(value, 5);
    });
    // Targets 0 and 1 come from V1, target 2 from IT.
    const { correlation, r2: shares } = splitScores(
      parts.map(({ values }) => values),
      unseen.targets,
    );
    for (const [t, band] of [0, 0, 1].entries()) {
      for (const other of [0, 1, 2]) {
        if (other !== band) expect(correlation[other]![t]).toBeLessThan(correlation[band]![t]! / 3);
      }
    }
    const total = shares.reduce((sum, band) => sum + band.reduce((a, b) => a + b) / T, 0);
    // Centred, so that an error of the mean does not count.
    expect(total).toBeGreaterThan(r2(unseen.targets, whole) - 1e-6);
    expect(total).toBeLessThan(r2(unseen.targets, whole) + 0.1);
    decoder.dispose();
    opened.dispose();
  });

  it('with one band, or equal weights alone, is plain ridge of another unit of alpha', async () => {
    const plain = await fit({ bands: undefined, alphas: 30, precision: 'f64' });
    const one = await fit({ bands: { labels: labels.map(() => 'all'), draws: 1 }, alphas: 30 });
    const three = await fit({ bands: { labels, gammas: [[1, 1, 1]] }, alphas: 30 });
    const expected = await plain.predict(unseen.voxels);
    for (const decoder of [one, three]) {
      (await decoder.predict(unseen.voxels)).forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 4);
      });
      decoder.dispose();
    }
    plain.dispose();
  });

  it('keeps a voxel in its band at every lag, and leaves out voxels of none', async () => {
    const groups = Array.from({ length: N }, (_, i) => `run-${Math.floor(i / 20)}`);
    const some = labels.map((label) => (label === 'rest' ? undefined : label));
    const decoder = await RidgeDecoder.fit(
      { ...training, groups },
      { lags: [0, 2], bands: { labels: some, draws: 4 }, alphas: [1, 100] },
      { backend },
    );
    const { weights } = decoder.model;
    for (let column = 0; column < 2 * V; column++) {
      const row = Array.from(weights.subarray(column * T, (column + 1) * T));
      expect(
        row.some((value) => value !== 0),
        `column ${column}`,
      ).toBe(labels[column % V] !== 'rest');
    }
    expect(await decoder.predictBands(unseen.voxels, { runs: groups })).toHaveLength(2);
    decoder.dispose();
  });

  it('refuses what it cannot be', async () => {
    await expect(fit({ bands: { labels: ['V1'] } })).rejects.toThrow(/bands.labels.*expected 30, found 1/);
    await expect(fit({ storage: 'dual' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'storage',
    });
    await expect(fit({ bands: { labels, gammas: [[1, 1]] } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const plain = await fit({ bands: undefined, alphas: 1 });
    await expect(plain.predictBands(unseen.voxels)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    plain.dispose();
  });
});

describe('splitScores', () => {
  it('sum up to the scores of all bands together; what does not fit counts against its band', () => {
    const source = createRandom(3);
    const y = source.normals(40);
    const parts = [y.map((value) => 0.6 * value + 0.3 * source.normal()), y.map((value) => -0.2 * value)];
    const { r2: shares, correlation } = splitScores(parts, { data: y, shape: [40, 1] });
    const sum = y.map((_, i) => parts[0]![i]! + parts[1]![i]!);
    const centred = (x: ArrayLike<number>) => {
      const list = Array.from(x);
      const mean = list.reduce((a, b) => a + b) / 40;
      return list.map((value) => value - mean);
    };
    const [a, b] = [centred(y), centred(sum)];
    const dot = (p: number[], q: number[]) => p.reduce((total, value, i) => total + value * q[i]!, 0);
    const errors = a.map((value, i) => value - b[i]!);
    expect(shares[0]![0]! + shares[1]![0]!).toBeCloseTo(1 - dot(errors, errors) / dot(a, a), 10);
    expect(correlation[0]![0]! + correlation[1]![0]!).toBeCloseTo(
      dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
      10,
    );
    expect(correlation[1]![0]).toBeLessThan(0);
    const flat = splitScores([new Float64Array(4)], { data: Float64Array.of(1, 1, 1, 1), shape: [4, 1] });
    expect([flat.r2[0]![0], flat.correlation[0]![0]]).toEqual([0, 0]);
    expect(() => splitScores([[1]], { data: y, shape: [40, 1] })).toThrow(/contributions.0/);
  });
});

const golden = join(goldensRoot, 'ridge_banded.safetensors');
describe.skipIf(!existsSync(golden))('ridge_banded of himalaya, through the decoder', () => {
  it.each([
    ['icpt', true],
    ['noicpt', false],
  ] as const)('%s: predictions, and those of each band', async (kind, intercept) => {
    const file = await openSafetensors(bytesSource(readFileSync(golden), 'ridge_banded'));
    const of = async (name: string) => {
      const array = await file.read(name);
      return { data: toFloat64(array), shape: [...array.shape] };
    };
    const [x, y, xTest, groups, gammas, alphas] = await Promise.all(
      ['X', 'Y', 'X_test', 'groups', 'gammas', 'alphas'].map((name) => of(`in.${name}`)),
    );
    const named = Array.from(groups!.data, (group) => (group < 0 ? undefined : `${group}`));
    // Candidates are in the order of the labels, bands in that in which they appear.
    const order = [...new Set(named.filter((name) => name !== undefined))].map(Number);
    const sorted = [...order].sort((a, b) => a - b);
    const draws = Array.from({ length: gammas!.shape[0]! }, (_, d) =>
      order.map((group) => gammas!.data[d * sorted.length + sorted.indexOf(group)]!),
    );
    const decoder = await RidgeDecoder.fit(
      { voxels: x!, targets: y! },
      {
        standardize: false,
        intercept,
        alphas: [...alphas!.data],
        folds: kFolds(y!.shape[0]!, { folds: 5 }),
        score: 'negativeSquaredError',
        bands: { labels: named, gammas: draws },
      },
      { backend },
    );
    const expected = await of(`out.${kind}.estimator.pred`);
    const scale = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const predicted = await decoder.predict(xTest!);
    predicted.forEach((value, i) => {
      // Weights of bundles are float32.
      expect(Math.abs(value - expected.data[i]!)).toBeLessThan(3e-6 * scale);
    });
    const parts = await decoder.predictBands(xTest!);
    decoder.dispose();
    // The original splits predictions of fits without an intercept alone.
    if (intercept) return;
    const split = await of(`out.${kind}.estimator.pred_split`);
    for (const [b, { values }] of parts.entries()) {
      const from = sorted.indexOf(order[b]!) * values.length;
      values.forEach((value, i) => {
        expect(Math.abs(value - split.data[from + i]!)).toBeLessThan(3e-6 * scale);
      });
    }
  });
});
