import { describe, expect, it } from 'vitest';
import {
  bootstrapInterval,
  type CorrelationMatrix,
  correlationMatrix,
  createRandom,
  createReferenceBackend,
  evaluate,
  meanPicture,
  meanScore,
  openSafetensors,
  ownScores,
  permutationTest,
  pixelCorrelation,
  quantile,
  type Rows,
  toFloat64,
  twoWayIdentification,
} from '../src/index.ts';
import { goldensRoot, itWith, sharedSource } from './data/helpers/shared_data.ts';

const rowsOf = (data: number[][]): Rows => ({
  data: Float64Array.from(data.flat()),
  shape: [data.length, data[0]!.length],
});
const identity = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

function randomRows(n: number, d: number, seed: number): Rows {
  return { data: createRandom(seed).normals(n * d), shape: [n, d] };
}

/** Reconstructions that hold the truth and noise. */
function noisy({ data, shape }: Rows, noise: number, seed: number): Rows {
  const random = createRandom(seed);
  return { data: data.map((value) => value + noise * random.normal()), shape };
}

describe('correlationMatrix', () => {
  it('equals the textbook formula and ignores scale and offset', async () => {
    const truth = rowsOf([
      [1, 2, 3, 5],
      [4, 0, 1, 1],
    ]);
    const recon = rowsOf([
      [10, 12, 14, 18],
      [0, 1, 0, 1],
    ]);
    const { values } = await correlationMatrix(truth, recon);
    expect(values[0]).toBeCloseTo(1, 12);
    // r([4,0,1,1], [0,1,0,1]): covariance -2, norms sqrt(9) and 1.
    expect(values[3]).toBeCloseTo(-2 / 3, 12);
  });

  it('gives 0 for a row without variance, however large its value', async () => {
    const flat = rowsOf([[0.1, 0.1, 0.1]]);
    expect([...(await correlationMatrix(flat, rowsOf([[1, 2, 4]]))).values]).toEqual([0]);
    expect([...(await correlationMatrix(rowsOf([[1, 2, 4]]), flat)).values]).toEqual([0]);
  });

  it('names the side and row of a NaN, and sizes that differ', async () => {
    const good = rowsOf([[1, 2, 4]]);
    const bad = rowsOf([
      [1, 2, 3],
      [1, Number.NaN, 3],
    ]);
    await expect(correlationMatrix(good, bad)).rejects.toThrow(/reconstructions.*row 1/);
    await expect(correlationMatrix(good, rowsOf([[1, 2]]))).rejects.toThrow(/expected 3 values, found 2/);
  });

  it('is the same on a device, in blocks', async () => {
    const backend = createReferenceBackend();
    const truth = randomRows(40, 15_000, 1);
    const recon = noisy(truth, 2, 2);
    const [here, there] = [
      await correlationMatrix(truth, recon),
      await correlationMatrix(truth, recon, { backend }),
    ];
    const worst = here.values.map((value, i) => Math.abs(value - there.values[i]!));
    expect(Math.max(...worst)).toBeLessThan(1e-13);
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
  });
});

describe('twoWayIdentification', () => {
  const correlations: CorrelationMatrix = {
    // rows: truths; columns: reconstructions
    values: Float64Array.from([0.9, 0.5, 0.2, 0.1, 0.5, 0.9, 0.3, 0.4, 0.8]),
    truths: 3,
    reconstructions: 3,
  };

  it('compares true pictures against a reconstruction, or reconstructions against a stimulus', () => {
    // Column 0: .9 beats .1 and .3. Column 1: .5 ties with .5, beats .4. Column 2: .8 beats .2, not .9.
    expect([...ownScores(twoWayIdentification(correlations, identity(3)))]).toEqual([1, 0.5, 0.5]);
    // Row 0: .9 beats both. Row 1: .5 beats .1, not .9. Row 2: .8 beats both.
    expect([...ownScores(twoWayIdentification(correlations, identity(3), 'stimulus'))]).toEqual([1, 0.5, 1]);
  });

  it('gives nothing to a decoder that always answers with one flat picture, half to one mean picture', async () => {
    const truth = randomRows(30, 50, 3);
    const flat = { data: new Float64Array(30 * 50).fill(0.5), shape: [30, 50] };
    const table = twoWayIdentification(await correlationMatrix(truth, flat), identity(30));
    expect(ownScores(table).every((score) => score === 0)).toBe(true);
    const constant = {
      data: Float64Array.from({ length: 1500 }, (_, i) => Math.sin(i % 50)),
      shape: [30, 50],
    };
    const same = ownScores(twoWayIdentification(await correlationMatrix(truth, constant), identity(30)));
    expect(same.reduce((sum, score) => sum + score) / 30).toBeCloseTo(0.5, 12);
  });

  it('needs two trials', () => {
    const one = { values: Float64Array.of(1), truths: 1, reconstructions: 1 };
    expect(() => twoWayIdentification(one, identity(1))).toThrow(/at least 2 trials, found 1/);
  });

  it('leaves trials that show the same stimulus out of the comparison', () => {
    // Rows 0 and 2 show the same; row 1 alone competes with them, and both of them with row 1.
    const scores = [
      ...twoWayIdentification(correlations, identity(3), 'reconstruction', ['a', 'b', 'a']).values,
    ];
    // Columns are .9 .1 .3; .5 .5 .4; .2 .9 .8.
    expect(scores).toEqual([1, 0, 0, 0, 0.5, 1, 1, 0, 0]);
    const distinct = twoWayIdentification(correlations, identity(3), 'reconstruction', [7, 8, 9]);
    expect(distinct).toEqual(twoWayIdentification(correlations, identity(3)));
  });

  it('refuses repeats of one stimulus alone, labels that do not fit, and repeats against a stimulus', () => {
    const score = (stimuli: number[], orientation: 'reconstruction' | 'stimulus' = 'reconstruction') =>
      twoWayIdentification(correlations, identity(3), orientation, stimuli);
    expect(() => score([4, 4, 4])).toThrow(/2 different ones, found 3 trials of the same/);
    expect(() => score([1, 2])).toThrow(/stimuli.*expected 3, found 2/);
    expect(() => score([1, 2, 2], 'stimulus')).toThrow(/orientation/);
  });

  itWith('goldens', 'metrics_features.safetensors')('equals the counts of MindEye', async () => {
    const file = await openSafetensors(await sharedSource('metrics_features.safetensors', goldensRoot));
    const rows = async (name: string): Promise<Rows> => {
      const array = await file.read(name);
      return { data: toFloat64(array), shape: array.shape };
    };
    const correlations = await correlationMatrix(
      await rows('in.real_features'),
      await rows('in.recon_features'),
    );
    const n = correlations.truths;
    const stored = (await rows('out64.two_way_pearson')).data;
    expect(Math.max(...stored.map((value, i) => Math.abs(value - correlations.values[i]!)))).toBeLessThan(
      1e-12,
    );
    const scores = ownScores(twoWayIdentification(correlations, identity(n)));
    const counts = toFloat64(await file.read('out.two_way_counts'));
    expect(Array.from(scores, (score) => Math.round(score * (n - 1)))).toEqual([...counts]);
  });
});

describe('evaluate', () => {
  const n = 40;
  const truth = { ...randomRows(n, 60, 5), shape: [n, 6, 10] };
  const runs = Array.from({ length: n }, (_, i) => `run-${Math.floor(i / 10)}`);

  it('finds what reconstructions carry, beside controls that carry nothing', async () => {
    const reconstructions = noisy(truth, 1, 6);
    const training = randomRows(50, 60, 7);
    const result = await evaluate(
      { truth, reconstructions, runs, meanPicture: meanPicture(training) },
      { exchangeability: 'trials', permutations: 199, seed: 1 },
    );
    expect(result.trials).toBe(n);
    // Truth and noise of equal variance: r = sqrt(1/2).
    expect(result.frameCorrelation.score).toBeCloseTo(Math.SQRT1_2, 1);
    expect(result.twoWay.score).toBeGreaterThan(0.99);
    expect(result.twoWay.perTrial.length).toBe(n);
    expect(result.twoWay.p).toBe(1 / 200);
    // One in ten of the ten places of a run keeps its own reconstruction: .1 + .9 (.5 - ...).
    expect(result.twoWay.shuffled.mean).toBeGreaterThan(0.5);
    expect(result.twoWay.shuffled.mean).toBeLessThan(0.6);
    expect(result.twoWay.meanPicture).toBeCloseTo(0.5, 10);
    expect(Math.abs(result.frameCorrelation.meanPicture!)).toBeLessThan(0.1);
    const [low, high] = result.frameCorrelation.interval;
    expect(low).toBeLessThan(result.frameCorrelation.score);
    expect(high).toBeGreaterThan(result.frameCorrelation.score);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('counts scored trials only, and takes their rivals from them', async () => {
    const reconstructions = noisy(truth, 1, 6);
    const scored = [3, 7, 21, 38];
    const result = await evaluate({ truth, reconstructions, runs, scored }, { exchangeability: 'trials' });
    expect(result.trials).toBe(4);
    expect(result.scored).toEqual(scored);
    const all = await evaluate({ truth, reconstructions, runs }, { exchangeability: 'trials' });
    expect(result.frameCorrelation.perTrial).toEqual(scored.map((i) => all.frameCorrelation.perTrial[i]));
    for (const score of result.twoWay.perTrial) expect([0, 1 / 3, 2 / 3, 1]).toContain(score);
  });

  describe('with pictures that were shown three times', () => {
    const pictures = randomRows(10, 60, 8);
    const stimuli = Array.from({ length: 30 }, (_, i) => (7 * i) % 10);
    const shown = rowsOf(stimuli.map((s) => [...pictures.data.slice(s * 60, (s + 1) * 60)]));
    const options = { exchangeability: 'trials', permutations: 199 } as const;

    it('scores a perfect reconstruction 1 and one mean picture 1/2', async () => {
      const control = meanPicture(randomRows(50, 60, 9));
      const input = { truth: shown, reconstructions: shown, meanPicture: control };
      const told = await evaluate({ ...input, stimuli }, options);
      expect(told).toMatchObject({ trials: 30, stimuli: 10 });
      expect(told.twoWay.score).toBe(1);
      expect(told.twoWay.meanPicture).toBeCloseTo(0.5, 12);
      // Untold, the two other trials of the same picture are failures: 27 / 29.
      const untold = await evaluate(input, options);
      expect(untold).toMatchObject({ trials: 30, stimuli: 30 });
      expect(untold.twoWay.score).toBeCloseTo(27 / 29, 12);
    });

    it('scores noise 1/2, and calls as much of it significant as it says', async () => {
      const random = createRandom(10);
      let [sum, shuffled, rejected] = [0, 0, 0];
      const datasets = 200;
      for (let i = 0; i < datasets; i++) {
        const noise = { data: random.normals(30 * 60), shape: [30, 60] };
        const correlations = await correlationMatrix(shown, noise);
        const table = twoWayIdentification(correlations, identity(30), 'reconstruction', stimuli);
        const test = await permutationTest(table, { exchangeability: 'trials', permutations: 99, seed: i });
        sum += meanScore(table, identity(30)) / datasets;
        shuffled += test.null.reduce((total, score) => total + score) / 99 / datasets;
        if (test.p! <= 0.05) rejected += 1 / datasets;
      }
      expect(Math.abs(sum - 0.5)).toBeLessThan(0.02);
      expect(Math.abs(shuffled - 0.5)).toBeLessThan(0.01);
      expect(rejected).toBeGreaterThan(0.015);
      expect(rejected).toBeLessThan(0.1);
    });

    it('takes the identities of the scored trials', async () => {
      const scored = [0, 10, 1, 2];
      const result = await evaluate({ truth: shown, reconstructions: shown, stimuli, scored }, options);
      expect(result).toMatchObject({ trials: 4, stimuli: 3 });
      expect(result.twoWay.perTrial).toEqual([1, 1, 1, 1]);
      await expect(
        evaluate({ truth: shown, reconstructions: shown, stimuli: stimuli.slice(1) }, options),
      ).rejects.toThrow(/stimuli.*expected 30, found 29/);
    });
  });

  it('draws frames of a continuous stimulus in blocks, and has no p (null in JSON) for runs of one', async () => {
    const reconstructions = noisy(truth, 1, 6);
    const input = { truth, reconstructions };
    const options = { permutations: 9, seed: 1 };
    const film = await evaluate({ ...input, runs }, { ...options, exchangeability: 'continuous' });
    expect(film.bootstrap.block).toBe(8);
    const alone = Array.from({ length: n }, (_, i) => i);
    const none = await evaluate({ ...input, runs: alone }, { ...options, exchangeability: 'trials' });
    expect(none.bootstrap.block).toBe(1);
    expect(none.twoWay.p).toBeNull();
    expect(none.permutation.reason).toMatch(/no run/);
    expect(JSON.parse(JSON.stringify(none))).toEqual(none);
  });

  it('refuses trials listed twice, and a reconstruction too many', async () => {
    const options = { exchangeability: 'trials' } as const;
    await expect(evaluate({ truth, reconstructions: truth, scored: [1, 1] }, options)).rejects.toThrow(
      /scored/,
    );
    await expect(evaluate({ truth, reconstructions: randomRows(39, 60, 1) }, options)).rejects.toThrow(
      /found 40/,
    );
  });
});

describe('bootstrapInterval', () => {
  it('covers the true mean of independent scores about as often as it says', () => {
    const random = createRandom(11);
    let covered = 0;
    const repeats = 300;
    for (let i = 0; i < repeats; i++) {
      const [low, high] = bootstrapInterval(random.normals(50), { resamples: 300, seed: i });
      if (low <= 0 && 0 <= high) covered++;
    }
    expect(covered / repeats).toBeGreaterThan(0.9);
    expect(covered / repeats).toBeLessThan(0.98);
  });

  it('widens for correlated scores when drawn in blocks', () => {
    const random = createRandom(12);
    const scores: number[] = [0];
    for (let i = 1; i < 200; i++) scores.push(0.95 * scores[i - 1]! + random.normal());
    const width = ([low, high]: [number, number]) => high - low;
    expect(width(bootstrapInterval(scores, { block: 20 }))).toBeGreaterThan(
      2 * width(bootstrapInterval(scores)),
    );
  });

  it.each([
    ['block', 0],
    ['block', Number.NaN],
    ['block', 1.5],
    ['resamples', 0],
    ['level', 1],
  ])('refuses %s %d at once', (option, value) => {
    expect(() => bootstrapInterval([1, 2, 3], { [option]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: option }),
    );
  });

  it('interpolates quantiles as numpy', () => {
    expect(quantile([1, 2, 4, 8], 0.5)).toBe(3);
    expect(quantile([1, 2, 4, 8], 1)).toBe(8);
  });
});

it('meanPicture averages the chosen rows', () => {
  const pictures = rowsOf([
    [1, 2],
    [3, 6],
    [100, 100],
  ]);
  expect([...meanPicture(pictures, [0, 1]).data]).toEqual([2, 4]);
  expect(() => meanPicture(pictures, [3])).toThrow(/0 to 2, found 3/);
});

it('pixelCorrelation reads the diagonal of the pairing', () => {
  const correlations = {
    values: Float64Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    truths: 2,
    reconstructions: 3,
  };
  expect([...ownScores(pixelCorrelation(correlations, Int32Array.of(2, 0)))]).toEqual([0.3, 0.4]);
});
