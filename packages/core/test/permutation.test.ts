import { describe, expect, it } from 'vitest';
import {
  correlationMatrix,
  createRandom,
  type Exchangeability,
  permutationTest,
  type Random,
  type Rows,
  type ScoreTable,
  twoWayIdentification,
} from '../src/index.ts';

const RUNS = 3;
const FRAMES = 40;
const PIXELS = 24;
const N = RUNS * FRAMES;
const runs = Array.from({ length: N }, (_, i) => Math.floor(i / FRAMES));

/** A bar that moves over a line of pixels in each run, to either side, with blank frames before and after. */
function movingBar(): { truth: Rows; scored: number[] } {
  const data = new Float64Array(N * PIXELS);
  const scored: number[] = [];
  for (let i = 0; i < N; i++) {
    const run = runs[i]!;
    const t = i % FRAMES;
    const position = ((run % 2 ? FRAMES - t : t) - 5) * (PIXELS / (FRAMES - 10));
    if (t < 6 || t > FRAMES - 6) continue;
    scored.push(i);
    for (let x = 0; x < PIXELS; x++) data[i * PIXELS + x] = Math.exp(-((x - position) ** 2) / 8);
  }
  return { truth: { data, shape: [N, PIXELS] }, scored };
}

/**
 * What a decoder makes of a brain that saw nothing: voxels of autoregressive noise smoothed by a haemodynamic
 * response, times weights that are smooth over the picture.
 */
function brainFree(random: Random): Rows {
  const voxels = 5;
  const response = Array.from({ length: 12 }, (_, t) => (t / 4) ** 2 * Math.exp(-t / 2));
  const data = new Float64Array(N * PIXELS);
  for (let v = 0; v < voxels; v++) {
    const phase = random.uniform() * 2 * Math.PI;
    const cycles = 0.5 + 2 * random.uniform();
    const weights = Array.from({ length: PIXELS }, (_, x) => Math.cos((cycles * x) / 4 + phase));
    for (let run = 0; run < RUNS; run++) {
      const innovations: number[] = [0];
      for (let t = 1; t < FRAMES + 30; t++) innovations.push(0.5 * innovations[t - 1]! + random.normal());
      for (let t = 0; t < FRAMES; t++) {
        let smooth = 0;
        for (let lag = 0; lag < response.length; lag++) smooth += response[lag]! * innovations[t + 30 - lag]!;
        for (let x = 0; x < PIXELS; x++) data[(run * FRAMES + t) * PIXELS + x]! += smooth * weights[x]!;
      }
    }
  }
  return { data, shape: [N, PIXELS] };
}

function takeRows({ data, shape }: Rows, list: number[]): Rows {
  const d = shape[1]!;
  return {
    data: Float64Array.from(list.flatMap((i) => [...data.subarray(i * d, (i + 1) * d)])),
    shape: [list.length, d],
  };
}

/** Share of brain-free datasets called significant at .05, for each kind of permutation and metric. */
async function rejections(datasets: number, seed: number) {
  const { truth, scored } = movingBar();
  const scoredTruth = takeRows(truth, scored);
  const own = Int32Array.from(scored);
  const random = createRandom(seed);
  const rejected = { continuous: { twoWay: 0, frame: 0 }, trials: { twoWay: 0, frame: 0 } };
  for (let i = 0; i < datasets; i++) {
    const correlations = await correlationMatrix(scoredTruth, brainFree(random));
    const tables = {
      twoWay: twoWayIdentification(correlations, own),
      frame: { values: correlations.values, own, reconstructions: N },
    };
    for (const exchangeability of ['continuous', 'trials'] as const) {
      for (const metric of ['twoWay', 'frame'] as const) {
        const options = { exchangeability, runs, permutations: 199, seed: i };
        if ((await permutationTest(tables[metric], options)).p! <= 0.05)
          rejected[exchangeability][metric] += 1 / datasets;
      }
    }
  }
  return rejected;
}

describe('permutationTest on predictions of a brain that saw nothing', () => {
  it('rejects in 3 to 7 % at .05 by circular shifts; shuffled frames call smooth noise significant', async () => {
    const { continuous, trials } = await rejections(1000, 20);
    for (const share of Object.values(continuous)) {
      expect(share).toBeGreaterThan(0.03);
      expect(share).toBeLessThan(0.07);
    }
    // The contrast that makes shuffling invalid here.
    expect(trials.twoWay).toBeGreaterThan(0.15);
    expect(trials.frame).toBeGreaterThan(0.15);
  });
});

describe('permutationTest', () => {
  /** The diagonal scores 1, everything else 0. */
  const perfect = (n: number): ScoreTable => ({
    values: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    own: Int32Array.from({ length: n }, (_, i) => i),
    reconstructions: n,
  });

  it('enumerates small groups: one perfect pairing of the eight shifts of a run', async () => {
    const result = await permutationTest(perfect(8), { exchangeability: 'continuous' });
    expect(result).toMatchObject({ p: 1 / 8, exact: true, rearrangements: 8, smallestP: 1 / 8 });
    expect([...result.null].sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it('enumerates orders within runs: 3! x 2!', async () => {
    const result = await permutationTest(perfect(5), {
      exchangeability: 'trials',
      runs: ['a', 'b', 'a', 'b', 'a'],
    });
    expect(result).toMatchObject({ p: 1 / 12, exact: true, rearrangements: 12 });
    expect(result.null.length).toBe(12);
  });

  it('never gives 0 with random draws, and repeats itself with its seed', async () => {
    const options = { exchangeability: 'trials', permutations: 99, seed: 4 } as const;
    const result = await permutationTest(perfect(12), options);
    expect(result).toMatchObject({ p: 1 / 100, exact: false, smallestP: 1 / 100 });
    expect((await permutationTest(perfect(12), options)).null).toEqual(result.null);
  });

  it('counts pairings that differ in rounding alone as equal', async () => {
    // All rows alike: every arrangement has the same mean, whatever the order of summation.
    const values = Float64Array.from({ length: 36 }, (_, i) => [0.1, 0.2, 0.3, 0.7, 1e-9, 1 / 3][i % 6]!);
    const table = { values, own: Int32Array.of(0, 1, 2, 3, 4, 5), reconstructions: 6 };
    expect((await permutationTest(table, { exchangeability: 'trials' })).p).toBe(1);
  });

  it.each<Exchangeability>(['continuous', 'trials'])('keeps runs apart: %s', async (exchangeability) => {
    // A reconstruction may only stand in for one of its own run: the score of foreign ones would show.
    const n = 9;
    const label = (i: number) => Math.floor(i / 3);
    const values = Float64Array.from({ length: n * n }, (_, i) =>
      label(Math.floor(i / n)) === label(i % n) ? 0 : 1,
    );
    const table = { values, own: Int32Array.from({ length: n }, (_, i) => i), reconstructions: n };
    const labels = Array.from({ length: n }, (_, i) => label(i));
    const apart = await permutationTest(table, { exchangeability, runs: labels });
    expect(apart.null.every((score) => score === 0)).toBe(true);
    expect((await permutationTest(table, { exchangeability })).null.some((score) => score > 0)).toBe(true);
  });

  it('leaves out runs without scored trials, which would only inflate the group', async () => {
    const table = { values: new Float64Array(6), own: Int32Array.of(0), reconstructions: 6 };
    const runs = [0, 0, 0, 1, 1, 1];
    const { rearrangements } = await permutationTest(table, { exchangeability: 'continuous', runs });
    expect(rearrangements).toBe(3);
  });

  it('refuses labels that do not fit', async () => {
    const options = { exchangeability: 'trials', runs: [1, 2] } as const;
    await expect(permutationTest(perfect(3), options)).rejects.toThrow(/runs.*3, found 2/);
  });

  it.each([0, 1.5, 1e6 + 1, Number.NaN])('refuses %d permutations', async (permutations) => {
    const options = { exchangeability: 'trials', permutations } as const;
    await expect(permutationTest(perfect(3), options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('has no p where only the true pairing respects the runs', async () => {
    const result = await permutationTest(perfect(3), { exchangeability: 'trials', runs: [1, 2, 3] });
    expect(result).toMatchObject({ p: undefined, rearrangements: 1 });
  });

  it('stops when cancelled, and lets others run meanwhile', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const { signal } = controller;
    const options = { exchangeability: 'trials', permutations: 1e6, signal } as const;
    await expect(permutationTest(perfect(200), options)).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('stretches the null of cross-fitted runs by the root of two about its mean', async () => {
    const plain = await permutationTest(perfect(12), { exchangeability: 'trials', permutations: 99 });
    const options = { exchangeability: 'trials', permutations: 99, crossFitted: true } as const;
    const wide = await permutationTest(perfect(12), options);
    const centre = plain.null.reduce((a, b) => a + b) / 99;
    plain.null.forEach((score, i) => {
      expect(wide.null[i]! - centre).toBeCloseTo(Math.SQRT2 * (score - centre), 12);
    });
    // A perfect score is out of reach of either.
    expect(wide.p).toBe(1 / 100);
  });
});
