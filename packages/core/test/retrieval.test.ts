import { describe, expect, it } from 'vitest';
import {
  cosineSimilarity,
  createRandom,
  createReferenceBackend,
  evaluate,
  nearestPictures,
  numpyDraws,
  ownScores,
  type Rows,
  retrieval,
  retrievalTable,
} from '../src/index.ts';

function randomRows(n: number, shape: number[], seed: number): Rows {
  const size = shape.reduce((product, extent) => product * extent, n);
  return { data: createRandom(seed).normals(size), shape: [n, ...shape] };
}

/** Decoded embeddings that hold those of the images and noise. */
function noisy({ data, shape }: Rows, noise: number, seed: number): Rows {
  const random = createRandom(seed);
  return { data: data.map((value) => value + noise * random.normal()), shape };
}

const rowsOf = (data: number[][]): Rows => ({
  data: Float64Array.from(data.flat()),
  shape: [data.length, data[0]!.length],
});

/** All ways to choose `size` of `list`. */
function* subsets(list: readonly number[], size: number): Generator<number[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = 0; i <= list.length - size; i++) {
    for (const rest of subsets(list.slice(i + 1), size - 1)) yield [list[i]!, ...rest];
  }
}

describe('retrieval', () => {
  it('names who asks: an image among responses, a response among images', async () => {
    // Image 0 is nearest to response 0, image 1 to its own; response 0 is nearest to image 0, response 1, too.
    const image = rowsOf([
      [1, 0],
      [Math.cos(1.2), Math.sin(1.2)],
    ]);
    const brain = rowsOf([
      [5, 0],
      [Math.cos(0.5) * 3, Math.sin(0.5) * 3],
    ]);
    const { imageToBrain, brainToImage, chance, pool } = await retrieval(brain, image);
    expect(imageToBrain.perTrial).toEqual([1, 1]);
    expect(brainToImage.perTrial).toEqual([1, 0]);
    expect({ chance, pool }).toEqual({ chance: 0.5, pool: 2 });
    // Each pool holds both stimuli: no interval over pools, which would be of no width.
    expect([imageToBrain.published, brainToImage.published]).toMatchObject([
      { mean: 1, interval: null },
      { mean: 0.5, interval: null },
    ]);
  });

  it.each([1, 2])('is the expectation over all pools (top-%i)', async (k) => {
    const image = randomRows(9, [2, 3], 1);
    const brain = noisy(image, 2, 2);
    const pools = [...subsets([0, 1, 2, 3, 4, 5, 6, 7, 8], 4)];
    const every = await retrieval(brain, image, { draws: pools, k });
    const exact = await retrieval(brain, image, { pool: 4, draws: 1, k });
    for (const direction of ['imageToBrain', 'brainToImage'] as const) {
      expect(exact[direction].score).toBeCloseTo(every[direction].published.mean, 12);
      expect(exact[direction].score).toBeGreaterThan(0.3);
      expect(exact[direction].score).toBeLessThan(0.95);
    }
    expect(exact.imageToBrain.score).not.toBeCloseTo(exact.brainToImage.score, 6);
    expect(exact.chance).toBe(k / 4);
  });

  it('is the expectation over all pools, too, where stimuli repeat: one trial a stimulus', async () => {
    // Two trials of each stimulus, of equal images.
    const images = randomRows(6, [5], 3);
    const image = { data: new Float64Array([...images.data, ...images.data]), shape: [12, 5] };
    const brain = noisy(image, 1.5, 4);
    const stimuli = Array.from({ length: 12 }, (_, i) => `picture ${i % 6}`);
    const exact = await retrieval(brain, image, { pool: 3, stimuli });
    // A response among images: each pool of other pictures is as likely.
    const cosine = (a: Rows, i: number, b: Rows, j: number) => {
      let [ab, aa, bb] = [0, 0, 0];
      for (let d = 0; d < 5; d++) {
        const [x, y] = [a.data[i * 5 + d]!, b.data[j * 5 + d]!];
        ab += x * y;
        aa += x * x;
        bb += y * y;
      }
      return ab / Math.sqrt(aa * bb);
    };
    const share = (list: boolean[]) => list.filter(Boolean).length / list.length;
    for (let trial = 0; trial < 12; trial++) {
      const others = [0, 1, 2, 3, 4, 5].filter((s) => s !== trial % 6);
      const right = cosine(brain, trial, image, trial);
      const seeks = [...subsets(others, 2)].map((pool) =>
        pool.every((s) => cosine(brain, trial, image, s) < right),
      );
      expect(exact.brainToImage.perTrial[trial]).toBeCloseTo(share(seeks), 12);
      const responses = others.flatMap((s) => [s, s + 6]);
      const sought = [...subsets(responses, 2)].map((pool) =>
        pool.every((j) => cosine(brain, j, image, trial) < right),
      );
      expect(exact.imageToBrain.perTrial[trial]).toBeCloseTo(share(sought), 12);
    }
    expect(exact).toMatchObject({ trials: 12, stimuli: 6, pool: 3 });
    // The table of all answers holds the same.
    const similarities = await cosineSimilarity(image, brain);
    const own = Int32Array.from({ length: 12 }, (_, i) => i);
    for (const direction of ['imageToBrain', 'brainToImage'] as const) {
      const table = retrievalTable(similarities, own, direction, { pool: 3, k: 1 }, stimuli);
      expect([...ownScores(table)]).toEqual(exact[direction].perTrial);
    }
    expect(exact.brainToImage.score).toBeGreaterThan(0.4);
    expect(exact.brainToImage.score).toBeLessThan(1);
  });

  it('draws any trial of a stimulus that was shown several times', async () => {
    const images = randomRows(12, [8], 13);
    const image = { data: new Float64Array([...images.data, ...images.data]), shape: [24, 8] };
    // The first presentations are decoded perfectly, the second ones not at all.
    const noise = randomRows(12, [8], 14).data;
    const brain = { data: new Float64Array([...images.data, ...noise]), shape: [24, 8] };
    const stimuli = Array.from({ length: 24 }, (_, i) => i % 12);
    const { brainToImage } = await retrieval(brain, image, { pool: 6, draws: 200, stimuli });
    const { published, score } = brainToImage;
    expect(score).toBeLessThan(0.75);
    expect(score).toBeGreaterThan(0.5);
    expect(Math.abs(published.mean - score)).toBeLessThan(0.04);
    expect(published.interval![0]).toBeLessThan(score);
    expect(published.interval![1]).toBeGreaterThan(score);
  });

  it('gives chance to noise, and 1 to perfection', async () => {
    const image = randomRows(200, [20], 5);
    const noise = await retrieval(randomRows(200, [20], 6), image, { pool: 10 });
    for (const { score, published } of [noise.imageToBrain, noise.brainToImage]) {
      expect(Math.abs(score - 0.1)).toBeLessThan(0.04);
      expect(published.perDraw).toHaveLength(30);
      expect(Math.abs(published.mean - score)).toBeLessThan(0.03);
    }
    const perfect = await retrieval(image, image, { pool: 150 });
    expect(perfect.imageToBrain).toMatchObject({ score: 1, interval: [1, 1] });
    expect(perfect.brainToImage.published).toMatchObject({ mean: 1, interval: [1, 1] });
  });

  it('gives nothing to a decoder that always answers the same', async () => {
    const image = randomRows(20, [6], 7);
    const same = { data: Float64Array.from({ length: 120 }, (_, i) => Math.sin(i % 6)), shape: [20, 6] };
    const { imageToBrain, brainToImage } = await retrieval(same, image, { pool: 5 });
    // All responses tie; of the images each is first among as many pools.
    expect(imageToBrain.score).toBe(0);
    expect(brainToImage.score).toBeCloseTo(1 / 5, 12);
  });

  it('covers other stimuli with its interval, which the published one does not', async () => {
    // 60 images of a population whose accuracy is estimated from ten times as many.
    const sample = (n: number, seed: number) => {
      const image = randomRows(n, [12], seed);
      return retrieval(noisy(image, 1, seed + 1), image, { pool: 20, draws: 30, seed });
    };
    const truth = (await sample(600, 1000)).brainToImage.score;
    const covered = { ours: 0, published: 0 };
    for (let seed = 1; seed <= 40; seed++) {
      const { interval, published } = (await sample(60, 10 * seed)).brainToImage;
      if (interval[0] <= truth && truth <= interval[1]) covered.ours++;
      if (published.interval![0] <= truth && truth <= published.interval![1]) covered.published++;
    }
    expect(covered.ours).toBeGreaterThanOrEqual(34);
    expect(covered.published).toBeLessThanOrEqual(24);
  });

  it('says so where there are fewer stimuli than the pool asks for', async () => {
    const image = randomRows(25, [8], 8);
    const all = await retrieval(noisy(image, 0.5, 9), image);
    expect(all).toMatchObject({ pool: 25, chance: 1 / 25, note: expect.stringContaining('all 25 stimuli') });
    // The only pool there is.
    expect(all.brainToImage.published.mean).toBeCloseTo(all.brainToImage.score, 12);
    expect(await retrieval(image, image, { pool: 25 })).not.toHaveProperty('note');
  });

  it('is the same on a device, and again with the same seed', async () => {
    const backend = createReferenceBackend();
    const image = randomRows(40, [7, 3], 10);
    const brain = noisy(image, 1, 11);
    const { seconds, ...here } = await retrieval(brain, image, { pool: 10 });
    const { seconds: again, ...there } = await retrieval(brain, image, { pool: 10, backend, deviceWork: 0 });
    expect(there).toEqual(here);
    expect([seconds, again].every((time) => time > 0)).toBe(true);
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
    const other = await retrieval(brain, image, { pool: 10, seed: 1 });
    expect(other.brainToImage.published.perDraw).not.toEqual(here.brainToImage.published.perDraw);
    expect(other.brainToImage.score).toBe(here.brainToImage.score);
  });

  it.each<[string, Parameters<typeof retrieval>[2], RegExp]>([
    ['a k that cannot fail', { pool: 5, k: 5 }, /k.*1 to 4/],
    ['a pool of one', { pool: 1 }, /pool.*2 to 8/],
    ['no draws', { draws: 0 }, /draws.*1 or more/],
    ['a trial twice in a pool', { draws: [[1, 2, 1]] }, /draws\.0\.2.*found 1/],
    ['a stimulus twice in a pool', { draws: [[0, 4]], stimuli: [0, 1, 2, 3, 0, 1, 2, 3] }, /draws\.0\.1/],
    ['pools of other sizes', { draws: [[1, 2], [3]] }, /draws\.1.*2 trials/],
    ['stimuli that do not fit', { stimuli: [1, 2] }, /stimuli.*expected 8, found 2/],
    ['one stimulus', { stimuli: new Array(8).fill('a') }, /at least 2 different stimuli/],
  ])('refuses %s', async (_, options, message) => {
    const image = randomRows(8, [4], 12);
    await expect(retrieval(image, image, options)).rejects.toThrow(message);
  });

  it('refuses embeddings that do not fit, and NaN, naming the side', async () => {
    const image = randomRows(8, [4], 12);
    await expect(retrieval(randomRows(8, [3], 1), image)).rejects.toThrow(/brain.*4 values.*found 3/);
    await expect(retrieval(randomRows(7, [4], 1), image)).rejects.toThrow(/expected 7 rows, found 8/);
    const bad = { data: image.data.slice(), shape: image.shape };
    bad.data[9] = Number.NaN;
    await expect(retrieval(bad, image)).rejects.toThrow(/brain.*row 2/);
  });

  it('stops when it is told to', async () => {
    const image = randomRows(8, [4], 12);
    await expect(retrieval(image, image, { signal: AbortSignal.abort() })).rejects.toThrow(/cancelled/i);
  });
});

describe('retrievalTable', () => {
  it('scores any response as the answer to a scored trial, other frames of the run among them', () => {
    // Rows: images 0 and 1; columns: three responses, of which the first two are theirs.
    const similarities = { values: Float64Array.from([0.9, 0.1, 0.5, 0.2, 0.3, 0.8]), images: 2, brains: 3 };
    const own = Int32Array.from([0, 1]);
    const among = (direction: 'imageToBrain' | 'brainToImage') => [
      ...retrievalTable(similarities, own, direction, { pool: 2, k: 1 }).values,
    ];
    // Image 0: .9 beats .1; .1 does not beat .9; .5 of the unscored beats one of two.
    expect(among('imageToBrain')).toEqual([1, 0, 0.5, 0, 1, 1]);
    expect(among('brainToImage')).toEqual([1, 0, 0, 0, 1, 1]);
  });
});

describe('numpyDraws', () => {
  it('repeats what numpy drew', () => {
    // np.random.seed(42); [np.random.choice(np.arange(20), 6, replace=False) for _ in range(3)]
    expect(numpyDraws(42, 20, 6, 3).map((draw) => [...draw])).toEqual([
      [0, 17, 15, 1, 8, 5],
      [19, 16, 15, 5, 4, 12],
      [10, 7, 0, 2, 5, 18],
    ]);
  });

  it.each([
    [-1, 5, 3, /seed/],
    [2 ** 32, 5, 3, /seed/],
    [1, 5, 6, /pool.*1 to 5/],
  ])('refuses seed %d, n %d, pool %d', (seed, n, pool, message) => {
    expect(() => numpyDraws(seed, n, pool, 1)).toThrow(message);
  });
});

describe('evaluate', () => {
  const image = randomRows(60, [16], 20);
  const brain = noisy(image, 1, 21);
  const training = randomRows(30, [16], 22);
  const mean = { data: Float64Array.from({ length: 16 }, (_, j) => Math.cos(j)), shape: [1, 16] };

  it('puts retrieval beside its controls and permutations', async () => {
    const { retrieval: found } = await evaluate(
      {
        truth: image,
        reconstructions: brain,
        meanPicture: mean,
        nearestTraining: (await nearestPictures(training, brain)).pictures,
      },
      { exchangeability: 'trials', permutations: 99, seed: 3, retrieval: { pool: 20 } },
    );
    const alone = await retrieval(brain, image, { pool: 20, seed: 3 });
    for (const direction of ['imageToBrain', 'brainToImage'] as const) {
      const metric = found![direction];
      const { score, interval, perTrial, published } = alone[direction];
      expect(metric).toMatchObject({ score, interval, perTrial, published, chance: 1 / 20, p: 0.01 });
      expect(score).toBeGreaterThan(0.4);
      // A look-up among 30 pictures finds the right side of things at best.
      expect(metric.nearestTraining).toBeLessThan(score);
      expect(Math.abs(metric.shuffled.mean - 1 / 20)).toBeLessThan(0.01);
    }
    expect(found!.brainToImage.meanPicture).toBeCloseTo(1 / 20, 12);
    expect(found!.imageToBrain.meanPicture).toBe(0);
    expect(found).toMatchObject({ pool: 20, k: 1, draws: 30 });
  });

  it('leaves repeats of a stimulus out of the comparison, and scores those that count alone', async () => {
    const twice = { data: new Float64Array([...image.data, ...image.data]), shape: [120, 16] };
    const stimuli = Array.from({ length: 120 }, (_, i) => i % 60);
    const scored = Array.from({ length: 118 }, (_, i) => i);
    const { retrieval: found } = await evaluate(
      { truth: twice, reconstructions: twice, stimuli, scored },
      { exchangeability: 'trials', permutations: 9, retrieval: {} },
    );
    // Each response equals its repeat's: only because repeats do not compete can it win every pool.
    expect(found!.imageToBrain.score).toBe(1);
    expect(found!.brainToImage.score).toBe(1);
    expect(found).toMatchObject({ pool: 60, note: expect.stringContaining('all 60 stimuli') });
  });

  it('scores no retrieval unless asked', async () => {
    const result = await evaluate(
      { truth: image, reconstructions: brain },
      { exchangeability: 'trials', permutations: 9 },
    );
    expect(result).not.toHaveProperty('retrieval');
  });
});
