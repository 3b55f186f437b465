import { kFolds } from '../../src/data/splits.ts';
import {
  type Band,
  type BandedRidgeFit,
  bandPredictions,
  fitBandedRidge,
  interceptOf,
  targetsInMemory,
} from '../../src/decoders/ridge/index.ts';
import { hasFloat64 } from '../../src/float64.ts';
import type { Adapter, Produced } from './adapter.ts';
import type { GoldenTensor } from './case.ts';

/**
 * Banded ridge against himalaya: `solve_group_ridge_random_search` (deltas, weights, scores) and `GroupRidgeCV`
 * (`estimator.*`), five folds of successive trials, with and without an intercept, the candidates given.
 */
export const ridgeBanded: Adapter = {
  prefix: 'ridge_banded',
  unsupported(backend) {
    return hasFloat64(backend) ? undefined : 'these cases need float64, which this device lacks';
  },
  async run(golden, backend) {
    const [x, y, xTest, groups, gammas, alphas] = await Promise.all(
      ['X', 'Y', 'X_test', 'groups', 'gammas', 'alphas'].map((name) => golden.read(`in.${name}`)),
    );
    const bands = bandsByLabel(groups!.data);
    const draws = rowsOf(gammas!);
    const [n, t] = y!.shape as [number, number];
    const [m] = xTest!.shape as [number, number];
    const results = new Map<string, Produced>();
    for (const kind of ['noicpt', 'icpt']) {
      if (!golden.names.some((name) => name.startsWith(`out.${kind}.`))) continue;
      const design = backend.tensor(x!.data, x!.shape, 'f64');
      const test = backend.tensor(xTest!.data, xTest!.shape, 'f64');
      const fit = await fitBandedRidge(design, bands, targetsInMemory(y!.data, n), {
        gammas: draws,
        grid: [...alphas!.data],
        folds: kFolds(n, { folds: 5 }),
        intercept: kind === 'icpt',
      });
      const split = await backend.compute(() => bandPredictions(fit, bands, test));
      // As the originals: weights of the bands one after the other, and of the columns as they stand.
      const stacked = bands.flatMap(({ columns }) => Array.from(columns));
      const coef = { shape: [x!.shape[1]!, t], data: Float64Array.from(fit.values) };
      const weights = { shape: [stacked.length, t], data: rowsOfWeights(fit, stacked, t) };
      const deltas = { shape: [bands.length, t], data: deltasOf(fit) };
      const scores = { shape: [draws.length, t], data: fit.selection.table };
      const outputs: Record<string, Produced> = {
        deltas,
        refit_weights: weights,
        cv_scores: scores,
        intercept: { shape: [t], data: interceptOf(fit) },
        'estimator.coef': coef,
        'estimator.deltas': deltas,
        'estimator.cv_scores': scores,
        'estimator.best_alphas': { shape: [t], data: bestAlphas(fit), atol: relative(1e-12) },
        'estimator.pred': { shape: [m, t], data: summed(split, fit.targetMean) },
        'estimator.pred_split': { shape: [bands.length, m, t], data: stackedValues(split) },
      };
      const atol = relative(Math.min(...fit.alphas) < 1.001e-3 ? 1e-4 : 1e-6);
      for (const [leaf, value] of Object.entries(outputs))
        results.set(`out.${kind}.${leaf}`, { atol, ...value });
    }
    return results;
  },
};

/** In the order of the labels; -1 marks columns of no band. */
function bandsByLabel(labels: Float64Array): Band[] {
  const names = [...new Set(labels)].filter((label) => label >= 0).sort((a, b) => a - b);
  return names.map((name) => ({
    name: `${name}`,
    columns: [...labels.keys()].filter((column) => labels[column] === name),
  }));
}

function rowsOf({ shape: [rows = 0, cols = 0], data }: GoldenTensor): Float64Array[] {
  return Array.from({ length: rows }, (_, row) => data.slice(row * cols, (row + 1) * cols));
}

function rowsOfWeights({ values }: BandedRidgeFit, columns: readonly number[], t: number): Float64Array {
  return Float64Array.from({ length: columns.length * t }, (_, i) => {
    return values[columns[Math.floor(i / t)]! * t + (i % t)]!;
  });
}

/** himalaya's one parameter a band: log(gamma / alpha), [bands, t]; -infinity for a band that is dropped. */
function deltasOf({ gammas, alphas }: BandedRidgeFit): Float64Array {
  return gammas.map((gamma, i) => Math.log(gamma / alphas[i % alphas.length]!));
}

/** `GroupRidgeCV.best_alphas_`: the alpha at which the weights of the bands have sum 1. */
function bestAlphas({ gammas, alphas }: BandedRidgeFit): Float64Array {
  const t = alphas.length;
  return alphas.map(
    (alpha, j) => alpha / gammas.reduce((sum, gamma, i) => sum + (i % t === j ? gamma : 0), 0),
  );
}

function summed(split: readonly ArrayLike<number>[], offset: Float64Array): Float64Array {
  return Float64Array.from({ length: split[0]!.length }, (_, i) =>
    split.reduce((sum, values) => sum + values[i]!, offset[i % offset.length]!),
  );
}

function stackedValues(split: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(split.flatMap((values) => Array.from(values)));
}

/** A share of the largest finite value. */
function relative(share: number): NonNullable<Produced['atol']> {
  return (expected) =>
    share * expected.filter(Number.isFinite).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
}
