import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Backend,
  type Band,
  type BandedRidgeOptions,
  bandPredictions,
  bandsOf,
  createRandom,
  createReferenceBackend,
  dirichletGammas,
  fitBandedRidge,
  fitRidge,
  kFolds,
  type RidgeOptions,
  targetsInMemory,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

// Bands of interleaved columns; targets 0 and 1 follow the first band, 2 and 3 the second, 4 both.
const [N, P, T] = [27, 9, 5];
const labels = Array.from({ length: P }, (_, k) => (k % 3 === 0 ? 'V1' : 'V4'));
const bands = bandsOf(labels);
const random = createRandom(1);
const x = random.normals(N * P).map((value, i) => value + (i % P));
const weights = random.normals(P * T).map((value, i) => {
  const [band, t] = [labels[Math.floor(i / T)], i % T];
  return t === 4 || (band === 'V1') === t < 2 ? value + Math.sign(value) : 0;
});
const y = Float64Array.from({ length: N * T }, (_, i) => {
  let sum = 2 + 1.5 * random.normal();
  for (let k = 0; k < P; k++) sum += x[Math.floor(i / T) * P + k]! * weights[k * T + (i % T)]!;
  return sum;
});
const folds = kFolds(N, { folds: 3 });
const grid = [0.1, 1, 10, 100];
const gammas = [
  [0.5, 0.5],
  [0.98, 0.02],
  [0.02, 0.98],
  [1, 0],
];

interface Problem {
  data?: Float64Array;
  width?: number;
  bands?: readonly Band[];
}

async function banded(options: Partial<BandedRidgeOptions> = {}, problem: Problem = {}) {
  const design = backend.tensor(problem.data ?? x, [N, problem.width ?? P]);
  try {
    const targets = targetsInMemory(y, N);
    return await fitBandedRidge(design, problem.bands ?? bands, targets, { gammas, grid, folds, ...options });
  } finally {
    design.dispose();
  }
}

async function plain(options: RidgeOptions, data: Float64Array = x, width = P) {
  const design = backend.tensor(data, [N, width]);
  try {
    return await fitRidge(design, targetsInMemory(y, N), { precision: 'f64', ...options });
  } finally {
    design.dispose();
  }
}

/** Columns of a row-major matrix, in the order given, each times its factor. */
function columnsOf(data: Float64Array, columns: readonly number[], factor = (_: number) => 1): Float64Array {
  const width = columns.length;
  return Float64Array.from({ length: N * width }, (_, i) => {
    const column = columns[i % width]!;
    return data[Math.floor(i / width) * P + column]! * factor(column);
  });
}

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-9) {
  expect(found.length).toBe(expected.length);
  const largest = Array.from(expected).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  for (let i = 0; i < found.length; i++) {
    expect(Math.abs(found[i]! - expected[i]!)).toBeLessThanOrEqual(tolerance * largest);
  }
}

describe('fitBandedRidge', () => {
  it.each([
    ['with an intercept', true, folds],
    ['without', false, folds],
    ['leaving one trial out', true, 'leave-one-out' as const],
  ])('with one band is plain ridge, %s', async (_, intercept, by) => {
    const one = bandsOf(new Array(P).fill('all'));
    for (const coefficients of ['primal', 'dual'] as const) {
      const found = await banded({ gammas: [[1]], intercept, coefficients, folds: by }, { bands: one });
      const expected = await plain({ grid, folds: by, intercept, coefficients, form: 'dual' });
      expect(found.alphas).toEqual(expected.alphas);
      expectClose(found.values, expected.values);
      expectClose(found.targetMean, expected.targetMean);
      expectClose(found.voxelMean, expected.voxelMean);
      expectClose(found.selection.scores, expected.selection!.scores);
    }
  });

  it('is ridge on columns times the square roots of their weights', async () => {
    const gamma = [0.7, 0.2];
    const root = (column: number) => Math.sqrt(labels[column] === 'V1' ? gamma[0]! : gamma[1]!);
    const all = Array.from({ length: P }, (_, k) => k);
    const found = await banded({ gammas: [gamma] });
    const scaled = await plain({ grid, folds }, columnsOf(x, all, root));
    expect(found.alphas).toEqual(scaled.alphas);
    expectClose(
      found.values,
      scaled.values.map((value, i) => value * root(Math.floor(i / T))),
    );
    expectClose(found.gammas, [...new Array(T).fill(0.7), ...new Array(T).fill(0.2)]);
  });

  it('drops a band of weight 0, as if its columns were not there', async () => {
    const kept = Array.from(bands[0]!.columns);
    const found = await banded({ gammas: [[1, 0]] });
    const without = await plain({ grid, folds }, columnsOf(x, kept), kept.length);
    expect(found.alphas).toEqual(without.alphas);
    expectClose(
      kept.flatMap((k) => Array.from(found.values.subarray(k * T, (k + 1) * T))),
      without.values,
    );
    for (const k of Array.from(bands[1]!.columns)) {
      expect([...found.values.subarray(k * T, (k + 1) * T)]).toEqual(new Array(T).fill(0));
    }
    // A column of no band fares the same.
    const alone = await banded({ gammas: [[1]] }, { bands: [bands[0]!] });
    expectClose(alone.values, found.values);
  });

  it('gives the same weights in whatever order bands and columns come', async () => {
    const found = await banded();
    const turned = await banded(
      { gammas: gammas.map((weights) => [...weights].reverse()) },
      { bands: [...bands].reverse() },
    );
    expect(turned.selection.chosen).toEqual(found.selection.chosen);
    expectClose(turned.values, found.values);
    expectClose([...turned.gammas.subarray(T), ...turned.gammas.subarray(0, T)], found.gammas);

    const order = random.shuffle(Array.from({ length: P }, (_, k) => k));
    const moved = await banded(
      {},
      {
        data: columnsOf(x, order),
        bands: bands.map(({ name }) => ({
          name,
          columns: order.flatMap((column, k) => (labels[column] === name ? [k] : [])),
        })),
      },
    );
    expectClose(
      moved.values,
      order.flatMap((k) => Array.from(found.values.subarray(k * T, (k + 1) * T))),
    );
  });

  it('chooses for each target the candidate of the best score, and with it the best alpha', async () => {
    const { selection, alphas, values, targetMean } = await banded();
    const alone = await Promise.all(gammas.map((weights) => banded({ gammas: [weights] })));
    for (let t = 0; t < T; t++) {
      const scores = alone.map(({ selection }) => selection.scores[t]!);
      expectClose(
        gammas.map((_, draw) => selection.table[draw * T + t]!),
        scores,
      );
      const best = scores.indexOf(Math.max(...scores));
      expect(selection.chosen[t]).toBe(best);
      expect(alphas[t]).toBe(alone[best]!.alphas[t]);
      expect(targetMean[t]).toBeCloseTo(alone[best]!.targetMean[t]!, 12);
      for (let k = 0; k < P; k++) {
        expect(values[k * T + t]).toBeCloseTo(alone[best]!.values[k * T + t]!, 9);
      }
    }
    // Targets 0 and 1 follow the first band, 2 and 3 the second.
    const favours = (t: number) => selection.table[T + t]! > selection.table[2 * T + t]!;
    expect([0, 1, 2, 3].map(favours)).toEqual([true, true, false, false]);
    expect(new Set(selection.chosen).size).toBeGreaterThan(1);
  });

  it('chooses once for all targets by the mean score', async () => {
    const shared = await banded({ perTarget: false });
    const means = (await Promise.all(gammas.map((each) => banded({ gammas: [each], perTarget: false })))).map(
      ({ selection }) => selection.scores.reduce((sum, score) => sum + score, 0) / T,
    );
    expect(new Set(shared.selection.chosen)).toEqual(new Set([means.indexOf(Math.max(...means))]));
    expect(new Set(shared.alphas).size).toBe(1);
  });

  it('predicts the same from dual coefficients, and band by band', async () => {
    const primal = await banded();
    const dual = await banded({ coefficients: 'dual' });
    const tensor = backend.tensor(x, [N, P]);
    const split = await backend.compute(() => bandPredictions(primal, bands, tensor));
    tensor.dispose();
    const centred = x.map((value, i) => value - primal.voxelMean[i % P]!);
    const fromWeights = new Float64Array(N * T);
    const fromTrials = new Float64Array(N * T);
    for (let i = 0; i < N; i++) {
      for (let t = 0; t < T; t++) {
        for (let k = 0; k < P; k++) {
          fromWeights[i * T + t]! += centred[i * P + k]! * primal.values[k * T + t]!;
          const gamma = dual.gammas[(labels[k] === 'V1' ? 0 : T) + t]!;
          for (let trial = 0; trial < N; trial++) {
            fromTrials[i * T + t]! +=
              gamma * centred[i * P + k]! * centred[trial * P + k]! * dual.values[trial * T + t]!;
          }
        }
      }
    }
    expectClose(fromTrials, fromWeights);
    expectClose(
      fromWeights.map((_, i) => split.reduce((sum, values) => sum + values[i]!, 0)),
      fromWeights,
    );
    expect(split.length).toBe(2);
  });

  it('reads the columns for one Gram matrix a band, however many candidates there are', async () => {
    const spy = vi.spyOn(backend, 'enqueue');
    const count = async (draws: number) => {
      spy.mockClear();
      await banded({ gammas: dirichletGammas(2, { draws }), coefficients: 'dual', perTarget: false });
      const ops = spy.mock.calls.map(([op]) => op.name);
      const of = (name: string) => ops.filter((op) => op === name).length;
      return { gram: of('gram'), factors: of('cholesky_factor') };
    };
    expect(await count(1)).toEqual({ gram: 2, factors: folds.length * grid.length + 1 });
    expect(await count(7)).toEqual({ gram: 2, factors: 7 * folds.length * grid.length + 1 });
    spy.mockRestore();
  });

  it('reports progress that reaches its end, and stops when asked', async () => {
    const seen: string[] = [];
    await banded({
      onProgress: ({ phase, done, total }) => {
        expect(done).toBeLessThanOrEqual(total);
        if (done === total) seen.push(phase);
      },
    });
    expect(seen).toEqual(['prepare', 'cross-validate', 'solve']);
    const controller = new AbortController();
    const stopped = banded({
      signal: controller.signal,
      onProgress: ({ phase }) => phase === 'cross-validate' && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('warns where the alphas end too soon, and computes in float32 only when asked', async () => {
    const few = await banded({ grid: [1e4, 1e5] });
    expect(few.warnings.join()).toMatch(/smallest alpha of the grid/);
    expect(few.numerics.precision).toBe('f64');
    const single = await banded({ precision: 'f32' });
    expect(single.values).toBeInstanceOf(Float32Array);
    expectClose(single.values, (await banded()).values, 1e-3);
  });

  const label = (name: string, columns: number[]): Band => ({ name, columns });
  it.each<[string, string, Partial<BandedRidgeOptions>, Problem]>([
    ['no bands', 'bands', {}, { bands: [] }],
    ['an empty band', 'bands.V1', {}, { bands: [label('V1', []), label('V4', [0])] }],
    ['a column that does not exist', 'bands.V4', {}, { bands: [label('V1', [0]), label('V4', [P])] }],
    ['a column of two bands', 'bands.V4', {}, { bands: [label('V1', [0, 1]), label('V4', [1])] }],
    ['two bands of one name', 'bands.V1', {}, { bands: [label('V1', [0]), label('V1', [1])] }],
    ['no candidates', 'gammas', { gammas: [] }, {}],
    ['a weight too few', 'gammas[1]', { gammas: [[1, 0], [1]] }, {}],
    ['a negative weight', 'gammas[0]', { gammas: [[1, -0.1]] }, {}],
    ['a weight that is NaN', 'gammas[0]', { gammas: [[Number.NaN, 1]] }, {}],
    ['a candidate that drops all', 'gammas[1]', { gammas: [gammas[0]!, [0, 0]] }, {}],
    ['an alpha of 0', 'grid', { grid: [1, 0] }, {}],
    ['no folds', 'folds', { folds: undefined as never }, {}],
    ['an unknown score', 'score', { score: 'accuracy' as never }, {}],
    ['NaN voxels', 'voxels', { intercept: false }, { data: x.map((v, i) => (i === 5 ? Number.NaN : v)) }],
  ])('refuses %s', async (_, field, options, problem) => {
    await expect(banded(options, problem)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });

  it('refuses to tell bands apart by weights of trials, or in other columns', async () => {
    const [primal, dual] = [await banded(), await banded({ coefficients: 'dual' })];
    const tensor = backend.tensor(x, [N * 3, P / 3]);
    expect(() => bandPredictions(dual, bands, tensor)).toThrow(/primal/);
    expect(() => bandPredictions(primal, bands, tensor)).toThrow(/columns of the fit/);
    tensor.dispose();
  });
});

describe('dirichletGammas', () => {
  it('begins with equal weights; every candidate has sum 1; a seed gives the same again', () => {
    const candidates = dirichletGammas(4, { draws: 50, seed: 3 });
    expect(candidates.length).toBe(50);
    expect([...candidates[0]!]).toEqual([0.25, 0.25, 0.25, 0.25]);
    for (const weights of candidates) {
      expect(weights.every((weight) => weight >= 0)).toBe(true);
      expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
    expect(dirichletGammas(4, { draws: 50, seed: 3 })).toEqual(candidates);
    expect(dirichletGammas(4, { draws: 50, seed: 4 })[1]).not.toEqual(candidates[1]);
  });

  it.each([0.1, 1, 5])('has the mean and variance of a Dirichlet distribution, concentration %s', (each) => {
    const [bands, draws] = [3, 20_000];
    const drawn = dirichletGammas(bands, { draws: draws + 1, concentration: [each], seed: 1 }).slice(1);
    const variance = (bands - 1) / bands ** 2 / (bands * each + 1);
    for (let band = 0; band < bands; band++) {
      const values = drawn.map((weights) => weights[band]!);
      const mean = values.reduce((a, b) => a + b) / draws;
      expect(Math.abs(mean - 1 / bands)).toBeLessThan(5 * Math.sqrt(variance / draws));
      const found = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws;
      expect(found / variance).toBeGreaterThan(0.95);
      expect(found / variance).toBeLessThan(1.05);
    }
  });

  it('takes concentrations in turn, and survives the smallest', () => {
    const peaks = dirichletGammas(3, { draws: 200, concentration: [1e-4, 1e4], seed: 2 }).map((weights) =>
      weights.reduce((a, b) => Math.max(a, b)),
    );
    for (const [draw, peak] of peaks.entries()) {
      if (draw % 2 === 0 && draw > 0) expect(peak).toBeGreaterThan(0.5);
      else expect(peak).toBeLessThan(0.36);
    }
    expect(peaks.filter((peak) => peak > 0.999).length).toBeGreaterThan(95);
  });

  it.each([
    ['bands', () => dirichletGammas(0)],
    ['draws', () => dirichletGammas(2, { draws: 1.5 })],
    ['concentration', () => dirichletGammas(2, { concentration: [0] })],
    ['concentration', () => dirichletGammas(2, { concentration: [] })],
  ])('refuses impossible %s', (field, draw) => {
    expect(draw).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });
});
