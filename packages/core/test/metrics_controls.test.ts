import { describe, expect, it } from 'vitest';
import {
  correlationMatrix,
  createRandom,
  evaluate,
  identificationByCategory,
  nearestPictures,
  ownScores,
  type Rows,
  repeatAgreement,
  repeatCeiling,
} from '../src/index.ts';

const rowsOf = (lists: readonly (readonly number[])[]): Rows => ({
  data: Float64Array.from(lists.flat()),
  shape: [lists.length, lists[0]!.length],
});
const identity = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

describe('nearestPictures', () => {
  const training = rowsOf([
    [0, 0, 1],
    [0, 2, 0],
    [0, 5, 0],
  ]);

  it('takes the largest correlation, the first of equals, and nothing for a constant query', async () => {
    const queries = rowsOf([
      [1, 9, 1.5],
      [-1, 0, 8],
      [4, 4, 4],
    ]);
    const { rows, pictures } = await nearestPictures(training, queries);
    expect([...rows]).toEqual([1, 0, -1]);
    expect([...pictures.data]).toEqual([0, 2, 0, 0, 0, 1, 0, 0, 0]);
    expect(pictures.shape).toEqual([3, 3]);
  });

  it('is what a brute search finds', async () => {
    const random = createRandom(1);
    const make = (n: number): Rows => ({ data: random.normals(n * 17), shape: [n, 17] });
    const [known, queries] = [make(23), make(31)];
    const { rows } = await nearestPictures(known, queries);
    const { values } = await correlationMatrix(queries, known);
    for (let q = 0; q < 31; q++) {
      const line = [...values.subarray(q * 23, (q + 1) * 23)];
      expect(rows[q]).toBe(line.indexOf(Math.max(...line)));
    }
  });
});

describe('identificationByCategory', () => {
  const random = createRandom(2);
  const categories = Array.from({ length: 24 }, (_, i) => ['face', 'house', 'tool'][i % 3]!);
  const stimuli = Array.from({ length: 24 }, (_, i) => i % 12);

  it('counts as a plain loop does', async () => {
    const truth: Rows = { data: random.normals(24 * 9), shape: [24, 9] };
    const answers: Rows = { data: random.normals(24 * 9), shape: [24, 9] };
    const matrix = await correlationMatrix(truth, answers);
    for (const kind of ['within', 'across'] as const) {
      const { table, rows } = identificationByCategory(matrix, identity(24), kind, categories, stimuli)!;
      expect([...rows]).toEqual([...identity(24)]);
      for (let row = 0; row < 24; row++) {
        const rivals = [...identity(24)].filter(
          (other) =>
            stimuli[other] !== stimuli[row] &&
            (categories[other] === categories[row]) === (kind === 'within'),
        );
        for (let c = 0; c < 24; c++) {
          const won = rivals.filter((rival) => matrix.values[rival * 24 + c]! < matrix.values[row * 24 + c]!);
          expect(table.values[row * 24 + c]).toBeCloseTo(won.length / rivals.length, 12);
        }
      }
    }
  });

  it('shows a decoder that knows categories alone: 1 across, and no better than ties within', async () => {
    const prototypes = { face: random.normals(40), house: random.normals(40), tool: random.normals(40) };
    const truth = rowsOf(
      categories.map((name) =>
        Array.from(prototypes[name as 'face'], (value) => value + 0.2 * random.normal()),
      ),
    );
    const answers = rowsOf(categories.map((name) => [...prototypes[name as 'face']]));
    const matrix = await correlationMatrix(truth, answers);
    const scoreOf = (kind: 'within' | 'across') => {
      const { table } = identificationByCategory(matrix, identity(24), kind, categories)!;
      const scores = ownScores(table);
      return scores.reduce((sum, score) => sum + score, 0) / scores.length;
    };
    expect(scoreOf('across')).toBe(1);
    expect(scoreOf('within')).toBeCloseTo(0.5, 12);
  });

  it('leaves out trials without competitors, and refuses a stimulus of two categories', async () => {
    const truth: Rows = { data: random.normals(4 * 9), shape: [4, 9] };
    const matrix = await correlationMatrix(truth, truth);
    const within = identificationByCategory(matrix, identity(4), 'within', ['a', 'a', 'b', 'c'])!;
    expect([...within.rows]).toEqual([0, 1]);
    expect(identificationByCategory(matrix, identity(4), 'within', ['a', 'b', 'c', 'd'])).toBeUndefined();
    expect(identificationByCategory(matrix, identity(4), 'across', ['a', 'a', 'a', 'a'])).toBeUndefined();
    expect(() =>
      identificationByCategory(matrix, identity(4), 'within', ['a', 'b', 'a', 'a'], [0, 0, 1, 2]),
    ).toThrow(/categories\.1.*expected a, found b/);
  });
});

describe('evaluate with controls', () => {
  const random = createRandom(3);
  const n = 30;
  const truth: Rows = { data: random.normals(n * 50), shape: [n, 50] };
  const reconstructions: Rows = {
    data: truth.data.map((value) => value + random.normal()),
    shape: [n, 50],
  };
  const runs = Array.from({ length: n }, (_, i) => `run-${i % 3}`);
  const options = { exchangeability: 'trials', permutations: 999, seed: 4 } as const;

  it('scores what stands in place of the reconstructions by the same metrics', async () => {
    const result = await evaluate(
      { truth, reconstructions, runs, nearestTraining: truth, bestTraining: reconstructions },
      { ...options, keepNull: true },
    );
    expect(result.twoWay.nearestTraining).toBe(1);
    expect(result.frameCorrelation.nearestTraining).toBeCloseTo(1, 12);
    expect(result.twoWay.bestTraining).toBe(result.twoWay.score);
    expect(result.frameCorrelation.controls.bestTraining).toEqual(result.frameCorrelation.perTrial);
    expect(result.twoWay.meanPicture).toBeUndefined();
    // The mean over all rearrangements is known: the test's random ones scatter about it.
    const shuffled = result.twoWay.controls.shuffled;
    const expected = shuffled.reduce((sum, score) => sum + score, 0) / n;
    expect(Math.abs(result.twoWay.shuffled.mean - expected)).toBeLessThan(0.01);
    expect(result.twoWay.null).toHaveLength(999);
    const p = (1 + result.twoWay.null!.filter((score) => score >= result.twoWay.score).length) / 1000;
    expect(result.twoWay.p).toBe(p);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('does not keep the null unless asked, nor score categories unless told', async () => {
    const result = await evaluate({ truth, reconstructions, runs }, options);
    expect(result.twoWay.null).toBeUndefined();
    expect(result.withinCategory).toBeUndefined();
    const categories = Array.from({ length: n }, (_, i) => (i === 7 ? 'lone' : `c${i % 2}`));
    const told = await evaluate({ truth, reconstructions, runs, categories }, options);
    expect(told.withinCategory!.scored).toHaveLength(n - 1);
    expect(told.withinCategory!.scored).not.toContain(7);
    expect(told.acrossCategories!.scored).toHaveLength(n);
    expect(told.withinCategory!.p).toBe(0.001);
  });

  it('refuses controls that do not fit, by name', async () => {
    const one: Rows = { data: truth.data.slice(0, 50), shape: [1, 50] };
    await expect(evaluate({ truth, reconstructions, nearestTraining: one }, options)).rejects.toThrow(
      /nearestTraining.*expected 30, found 1/,
    );
  });
});

describe('repeatCeiling', () => {
  /** Signal of variance 1 and noise of the given deviation; the number of presentations of each stimulus. */
  function responses(noise: readonly number[], counts: readonly number[], seed: number) {
    const random = createRandom(seed);
    const stimuli = counts.flatMap((count, stimulus) => Array.from({ length: count }, () => stimulus));
    const signal = random.normals(counts.length * noise.length);
    const data = stimuli.flatMap((stimulus) =>
      noise.map((deviation, v) => signal[stimulus * noise.length + v]! + deviation * random.normal()),
    );
    return { rows: { data: Float64Array.from(data), shape: [stimuli.length, noise.length] }, stimuli };
  }

  it.each([
    ['three presentations of each', Array.from({ length: 4000 }, () => 3)],
    ['one to four presentations', Array.from({ length: 6000 }, (_, i) => 1 + (i % 4))],
  ])('finds the share of variance that was put in: %s', (_, counts) => {
    const noise = [0, 0.5, 1, 3];
    const { rows, stimuli } = responses(noise, counts, 5);
    const { singleTrial, averaged, repeats, presentations } = repeatCeiling(rows, stimuli)!;
    noise.forEach((deviation, v) => {
      expect(Math.abs(singleTrial[v]! - 1 / (1 + deviation ** 2))).toBeLessThan(0.02);
      expect(Math.abs(averaged[v]! - 1 / (1 + deviation ** 2 / repeats))).toBeLessThan(0.03);
    });
    const repeated = counts.filter((count) => count > 1);
    expect(presentations).toBe(repeated.reduce((sum, count) => sum + count, 0));
  });

  it('is 0 for a voxel that never changes, near 0 for noise, and absent without repeats', () => {
    const random = createRandom(6);
    const data = Float64Array.from({ length: 1200 }, (_, i) => (i % 2 ? 5 : random.normal()));
    const stimuli = Array.from({ length: 600 }, (_, i) => i % 200);
    const { singleTrial } = repeatCeiling({ data, shape: [600, 2] }, stimuli)!;
    expect(singleTrial[1]).toBe(0);
    expect(singleTrial[0]).toBeLessThan(0.1);
    expect(repeatCeiling({ data, shape: [600, 2] }, [...identity(600)])).toBeUndefined();
    const unknown = Array.from({ length: 600 }, () => undefined);
    expect(repeatCeiling({ data, shape: [600, 2] }, unknown)).toBeUndefined();
    expect(() => repeatCeiling({ data, shape: [600, 2] }, [1])).toThrow(/expected 600, found 1/);
  });
});

describe('repeatAgreement', () => {
  it('is the mean correlation of pairs, of the same stimulus and of different ones', async () => {
    const rows = rowsOf([
      [0, 1, 2],
      [0, 2, 4],
      [2, 1, 0],
    ]);
    const agreement = (await repeatAgreement(rows, ['a', 'a', 'b']))!;
    expect(agreement.same).toBeCloseTo(1, 12);
    expect(agreement.different).toBeCloseTo(-1, 12);
    expect(agreement.pairs).toBe(1);
    expect(await repeatAgreement(rows, ['a', 'b', 'c'])).toBeUndefined();
  });
});
