import { describe, expect, it } from 'vitest';
import {
  createRandom,
  type F2iError,
  kFolds,
  type NestedFold,
  type RegionOptions,
  type Regions,
  RidgeDecoder,
  regionContribution,
  regionPredictions,
  targetCorrelations,
  targetsInMemory,
} from '../../src/index.ts';
import { leakCheckedReference } from '../leakChecked.ts';

const backend = leakCheckedReference();

const random = createRandom(8);
const [N, P, T] = [60, 12, 2];
const y = { data: random.normals(N * T), shape: [N, T] };
/** Voxels 0 to 3 carry the first target, 4 to 7 both, 8 to 11 nothing. */
const x = Float64Array.from({ length: N * P }, (_, i) => {
  const [row, v] = [Math.floor(i / P), i % P];
  const [first, second] = [y.data[row * T]!, y.data[row * T + 1]!];
  return (v < 8 ? first : 0) + (v >= 4 && v < 8 ? second : 0) + 1.5 * random.normal() + v;
});
const span = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, i) => from + i);
const regions: Regions = new Map([
  ['first', span(0, 4)],
  ['both', span(4, 8)],
  ['noise', span(8, 12)],
]);
const folds: NestedFold[] = kFolds(N, { folds: 4 }).map(({ train, test }) => ({
  train,
  test,
  inner: kFolds(train.length, { folds: 3 }),
}));

async function predictions(given: Regions, options: Partial<RegionOptions> = {}) {
  const found = new Map<string, Float32Array>();
  const voxels = targetsInMemory(x, N);
  for await (const { region, voxels: which, predictions } of regionPredictions(voxels, y, given, folds, {
    backend,
    ...options,
  })) {
    found.set(region === undefined ? which : `${region} ${which}`, predictions.data);
  }
  return found;
}

const scoreOf = (data: Float32Array) => [...(targetCorrelations(y)({ data, shape: [N, T] }) as Float64Array)];

describe('regionPredictions', () => {
  it('equal decoders that are fitted to those voxels alone, penalties nested', async () => {
    const found = await predictions(regions);
    expect([...found.keys()]).toEqual([
      'all',
      ...['first', 'both', 'noise'].flatMap((name) => [`${name} alone`, `${name} without`]),
    ]);
    const explicit = async (columns: readonly number[]) => {
      const values = new Float32Array(N * T);
      const take = (rows: Int32Array) => ({
        data: Float64Array.from(
          { length: rows.length * columns.length },
          (_, i) => x[rows[Math.floor(i / columns.length)]! * P + columns[i % columns.length]!]!,
        ),
        shape: [rows.length, columns.length],
      });
      for (const { train, test, inner } of folds as { train: Int32Array; test: Int32Array; inner: [] }[]) {
        const targets = Float64Array.from(
          { length: train.length * T },
          (_, i) => y.data[train[Math.floor(i / T)]! * T + (i % T)]!,
        );
        const decoder = await RidgeDecoder.fit(
          { voxels: take(train), targets: { data: targets, shape: [train.length, T] } },
          { folds: inner, precision: 'f64' },
          { backend },
        );
        const part = await decoder.predict(take(test));
        for (let i = 0; i < test.length; i++) values.set(part.subarray(i * T, (i + 1) * T), test[i]! * T);
        decoder.dispose();
      }
      return values;
    };
    const all = span(0, P);
    for (const [name, columns] of [
      ['all', all],
      ['both alone', span(4, 8)],
      ['both without', all.filter((v) => v < 4 || v >= 8)],
    ] as const) {
      const expected = await explicit([...columns]);
      found.get(name)!.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 3);
      });
    }
  });

  it('tell what each region carries: leaving out one that carries nothing changes nothing', async () => {
    const found = await predictions(regions, { alphas: 20 });
    const all = scoreOf(found.get('all')!);
    const [alone, without] = [
      (name: string) => scoreOf(found.get(`${name} alone`)!),
      (name: string) => scoreOf(found.get(`${name} without`)!),
    ];
    expect(Math.abs(alone('noise')[0]!)).toBeLessThan(0.3);
    for (const t of [0, 1]) expect(Math.abs(without('noise')[t]! - all[t]!)).toBeLessThan(0.05);
    // The second target is in one region alone: without it nothing is left.
    expect(alone('both')[1]).toBeGreaterThan(0.5);
    expect(without('both')[1]).toBeLessThan(0.3);
    // The first is in two: either can be spared.
    expect(alone('first')[0]).toBeGreaterThan(0.5);
    expect(all[0]! - without('first')[0]!).toBeLessThan(0.25);
    const of = (name: string, t: number) =>
      regionContribution(name, 4, { all: all[t]!, alone: alone(name)[t]!, without: without(name)[t]! }, 0);
    expect(of('both', 1).unique).toBeGreaterThan(0.4);
    expect(of('first', 0).shared).toBeGreaterThan(of('first', 0).unique!);
    expect(of('noise', 0).unique).toBeCloseTo(0, 1);
  });

  it('cannot leave out everything, and refuses what is no region', async () => {
    const found = await predictions(new Map([['all of it', span(0, P)]]), { alphas: 1 });
    expect([...found.keys()]).toEqual(['all', 'all of it alone']);
    expect(found.get('all of it alone')).toEqual(found.get('all'));
    expect(regionContribution('a', 1, { all: 0.9, alone: 0.8, without: undefined }, 0.5)).toMatchObject({
      unique: undefined,
      shared: undefined,
    });
    expect(regionContribution('a', 1, { all: 0.9, alone: 0.8, without: 0.7 }, 0.5).shared).toBeCloseTo(
      0.1,
      12,
    );
    const failure = (given: Regions) => predictions(given).catch((error: F2iError) => error.message);
    expect(await failure(new Map())).toMatch(/no regions/);
    expect(await failure(new Map([['V1', Int32Array.of()]]))).toMatch(
      /regions\.V1.*empty|empty.*regions\.V1/s,
    );
    expect(await failure(new Map([['V1', Int32Array.of(1, 12)]]))).toMatch(/0 to 11.*12/s);
    expect(await failure(new Map([['V1', Int32Array.of(1, 1)]]))).toMatch(/each once/);
  });

  it('stops when it is told, or when nobody asks for more, and keeps nothing', async () => {
    const controller = new AbortController();
    const stopped = predictions(regions, {
      signal: controller.signal,
      onProgress: ({ done }) => done === 5 && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'CANCELLED' });
    for await (const { voxels } of regionPredictions(targetsInMemory(x, N), y, regions, folds, {
      backend,
      alphas: 1,
    })) {
      if (voxels === 'alone') break;
    }
    expect(backend.stats().liveTensors).toBe(0);
  });
});
