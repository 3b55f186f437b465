import { describe, expect, it } from 'vitest';
import {
  createRandom,
  F2iError,
  labelAccuracy,
  leaveOneGroupOut,
  meanTargetCorrelation,
  type NestedFold,
  RidgeDecoder,
  refitPermutationTest,
  targetCorrelations,
  targetsInMemory,
} from '../../src/index.ts';
import { rearrangements as rearrangementsOf } from '../../src/metrics/rearrangements.ts';
import { byRun, rowOrders, runsOf, unitsOf } from '../../src/noise/exchange.ts';
import { leakCheckedReference } from '../leakChecked.ts';

const backend = leakCheckedReference();

const random = createRandom(11);
const [N, P, RUNS] = [32, 7, 4];
const runs = Array.from({ length: N }, (_, i) => Math.floor((i * RUNS) / N));
const x = random.normals(N * P).map((value, i) => 3 * value + (i % P));
const voxels = targetsInMemory(x, N);

/** Each run held out once; the penalty chosen by leaving one of the other runs out. */
const folds: NestedFold[] = leaveOneGroupOut(runs).map(({ train, test }) => ({
  train,
  test,
  inner: leaveOneGroupOut(Array.from(train, (row) => runs[row]!)),
}));

describe('refitPermutationTest', () => {
  it.each([
    ['one penalty for each target', true],
    ['one for all', false],
  ])('equals refitting the decoder for each rearrangement: %s', async (_, perTarget) => {
    const T = 3;
    const y = Float64Array.from(
      { length: N * T },
      (_, i) => 0.2 * x[Math.floor(i / T) * P + (i % T)]! + random.normal(),
    );
    const alphas = [0.5, 20, 400];
    const scores = await refitPermutationTest(voxels, { data: y, shape: [N, T] }, folds, {
      backend,
      statistic: targetCorrelations({ data: y, shape: [N, T] }),
      exchangeability: 'trials',
      runs,
      permutations: 4,
      seed: 5,
      alphas,
      perTarget,
      // One rearrangement at a time: chunks change nothing.
      memory: 1,
    });

    // The same draws, decoders fitted one by one.
    const draws = createRandom(5);
    const orders = [Array.from({ length: N }, (_, i) => i)];
    for (let b = 0; b < 4; b++) {
      orders.push(
        [0, 1, 2, 3].flatMap((run) => draws.shuffle(orders[0]!.filter((row) => runs[row] === run))),
      );
    }
    const explicit: number[][] = [];
    for (const order of orders) {
      const labels = Float64Array.from(y, (_, i) => y[order[Math.floor(i / T)]! * T + (i % T)]!);
      const predicted = new Float64Array(N * T);
      for (const { train, test, inner } of folds) {
        const rowsOf = (data: Float64Array, rows: ArrayLike<number>, width: number) => ({
          data: Float64Array.from(
            { length: rows.length * width },
            (_, i) => data[rows[Math.floor(i / width)]! * width + (i % width)]!,
          ),
          shape: [rows.length, width],
        });
        const decoder = await RidgeDecoder.fit(
          { voxels: rowsOf(x, train, P), targets: rowsOf(labels, train, T) },
          { alphas, folds: inner!, perTarget, precision: 'f64' },
          { backend },
        );
        const values = await decoder.predict(rowsOf(x, test, P));
        for (let i = 0; i < test.length; i++)
          predicted.set(values.subarray(i * T, (i + 1) * T), test[i]! * T);
        decoder.dispose();
      }
      explicit.push([0, 1, 2].map((t) => correlation(labels, predicted, t, T)));
    }
    explicit[0]!.forEach((r, t) => {
      expect(scores.observed[t]).toBeCloseTo(r, 4);
    });
    explicit.slice(1).forEach((values, b) => {
      for (const [t, r] of values.entries()) expect(scores.null![b * T + t]).toBeCloseTo(r, 4);
    });
    const reached = (t: number) => explicit.slice(1).filter((values) => values[t]! >= explicit[0]![t]!);
    for (const t of [0, 1, 2]) expect(scores.p[t]).toBeCloseTo((1 + reached(t).length) / 5, 12);
  });

  it('rejects in 3 to 7 % at .05 on noise, though the folds trained each other; the best of many is no discovery', async () => {
    // Brain-free targets, tested at once.
    const T = 600;
    const y = { data: createRandom(2).normals(N * T), shape: [N, T] };
    const { p, familyWise, smallestP, nullMaximum } = await refitPermutationTest(voxels, y, folds, {
      backend,
      statistic: targetCorrelations(y),
      exchangeability: 'trials',
      runs,
      permutations: 99,
      alphas: 30,
    });
    expect(smallestP).toBe(1 / 100);
    const rejected = p.filter((value) => value <= 0.05).length / T;
    expect(rejected).toBeGreaterThan(0.03);
    expect(rejected).toBeLessThan(0.07);
    // Against the largest of all, p is that of the largest at best.
    const best = familyWise.reduce((a, b) => Math.min(a, b));
    expect(best).toBeGreaterThan(0.05);
    expect(familyWise.every((value, t) => value >= p[t]!)).toBe(true);
    expect(nullMaximum.length).toBe(99);
  });

  it('finds labels that responses carry, and the targets that carry them in spite of many others', async () => {
    const labels = Array.from({ length: N }, (_, i) => i % 4);
    const oneHot = {
      data: Float64Array.from({ length: N * 4 }, (_, i) => Number(labels[i >> 2] === i % 4)),
      shape: [N, 4],
    };
    const brain = Float64Array.from({ length: N * P }, (_, i) => {
      const [row, voxel] = [Math.floor(i / P), i % P];
      return (voxel === labels[row] ? 2 : 0) + random.normal();
    });
    const shared = { backend, exchangeability: 'trials', runs, permutations: 99, alphas: 10 } as const;
    const decoded = await refitPermutationTest(targetsInMemory(brain, N), oneHot, folds, {
      ...shared,
      statistic: labelAccuracy(oneHot),
    });
    expect(decoded.observed[0]).toBeGreaterThan(0.6);
    expect([...decoded.p]).toEqual([0.01]);
    expect(decoded.nullMaximum.reduce((sum, value) => sum + value, 0) / 99).toBeCloseTo(0.25, 1);

    const mixed = {
      data: Float64Array.from({ length: N * 50 }, (_, i) =>
        i % 50 < 4 ? oneHot.data[Math.floor(i / 50) * 4 + (i % 50)]! : random.normal(),
      ),
      shape: [N, 50],
    };
    const { familyWise } = await refitPermutationTest(targetsInMemory(brain, N), mixed, folds, {
      ...shared,
      statistic: targetCorrelations(mixed),
    });
    expect([...familyWise.subarray(0, 4)].every((value) => value <= 0.05)).toBe(true);
    expect([...familyWise.subarray(4)].every((value) => value > 0.05)).toBe(true);
  });

  it('takes all circular shifts once where there are few, the true order among them', async () => {
    const smooth = { data: Float64Array.from({ length: N }, (_, i) => Math.sin(i / 2)), shape: [N, 1] };
    const twoRuns = runs.map((run) => run >> 1);
    const { p, exact, rearrangements, nullMaximum, observed } = await refitPermutationTest(
      voxels,
      smooth,
      leaveOneGroupOut(twoRuns),
      {
        backend,
        statistic: meanTargetCorrelation(smooth),
        exchangeability: 'continuous',
        runs: twoRuns,
        permutations: 500,
        alphas: 5,
      },
    );
    expect([exact, rearrangements, nullMaximum.length]).toEqual([true, 256, 256]);
    const reached = nullMaximum.filter((value) => value >= observed[0]! - 1e-7).length;
    expect(reached).toBeGreaterThanOrEqual(1);
    expect(p[0]).toBe(reached / 256);
  });

  it('moves blocks as a whole, and only to places of blocks of the same length', async () => {
    // Runs of eight rows: blocks of three, three and two.
    const blocks = runs.map((run, i) => `${run}-${Math.min(2, Math.floor((i % 8) / 3))}`);
    const y = { data: Float64Array.from({ length: N }, (_, i) => i % 8), shape: [N, 1] };
    const seen: number[][] = [];
    const { rearrangements, fixedRows } = await refitPermutationTest(voxels, y, folds, {
      backend,
      // Predictions of nothing: the mean of the labels that were trained on.
      statistic: ({ data }) => {
        seen.push([...data]);
        return [0];
      },
      exchangeability: 'trials',
      runs,
      blocks,
      permutations: 20,
      alphas: 1e12,
    });
    // Two of three blocks can change places, in each of four runs.
    expect(rearrangements).toBe(2 ** 4);
    expect(seen.length).toBe(1 + 16);
    // The block of two has no other one to change places with.
    expect(fixedRows).toBe(2 * 4);
    const units = unitsOf(runsOf(N, folds, runs), N, blocks);
    const found = rearrangementsOf(units.length, byRun(units), 'trials', 20, createRandom(1));
    const [truth, ...orders] = Array.from(rowOrders(N, units, found.orders()), (order) => [...order]);
    expect(truth).toEqual([...y.data.keys()]);
    for (const order of orders) {
      expect([...order].sort((a, b) => a - b)).toEqual(truth);
      for (let i = 0; i < N; i++) {
        expect(runs[order[i]!]).toBe(runs[i]);
        if (i % 8 >= 6) expect(order[i]).toBe(i);
        if (i > 0 && blocks[i] === blocks[i - 1]) expect(order[i]).toBe(order[i - 1]! + 1);
      }
    }
  });

  it('refuses what cannot be tested, naming it', async () => {
    const y = { data: new Float64Array(N), shape: [N, 1] };
    const options = { backend, statistic: () => [0], exchangeability: 'trials', runs, alphas: 1 } as const;
    const failure = (given: readonly NestedFold[], more = {}) =>
      refitPermutationTest(voxels, y, given, { ...options, ...more }).then(
        () => undefined,
        (error: F2iError) => error.message,
      );
    const rows = Array.from({ length: N }, (_, i) => i);
    expect(await failure([{ train: rows.slice(4), test: rows.slice(0, 4) }])).toMatch(/4 of 8 rows of run 0/);
    expect(await failure([folds[0]!, folds[0]!])).toMatch(/held out twice/);
    expect(
      await failure(
        folds.map(({ train, test }) => ({ train, test })),
        { alphas: [1, 2] },
      ),
    ).toMatch(/inner/);
    expect(await failure(folds, { permutations: 0 })).toMatch(/permutations/);
    expect(await failure(folds, { statistic: () => [Number.NaN] })).toMatch(/statistic/);
    // Circular shifts of a run that is one block would be the true order alone, and p 1.
    expect(await failure(folds, { exchangeability: 'continuous', blocks: runs })).toMatch(
      /blocks.*no blocks, or exchangeability "trials"/,
    );
    const controller = new AbortController();
    controller.abort();
    await expect(
      refitPermutationTest(voxels, y, folds, { ...options, signal: controller.signal }),
    ).rejects.toThrow(F2iError);
  });
});

function correlation(a: Float64Array, b: Float64Array, t: number, width: number): number {
  const [u, v] = [a, b].map((data) => data.filter((_, i) => i % width === t)) as [Float64Array, Float64Array];
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mu, mv] = [mean(u), mean(v)];
  const dot = (p: Float64Array, q: Float64Array, mp: number, mq: number) =>
    p.reduce((sum, value, i) => sum + (value - mp) * (q[i]! - mq), 0);
  return dot(u, v, mu, mv) / Math.sqrt(dot(u, u, mu, mu) * dot(v, v, mv, mv));
}
