import type { Backend } from '../../src/backend.ts';
import {
  type AlphaScore,
  type Fold,
  fitRidge,
  interceptOf,
  logGrid,
  type RidgeFit,
  type RidgeOptions,
  targetsInMemory,
} from '../../src/decoders/ridge/index.ts';
import { createScorer, finishScore } from '../../src/decoders/ridge/scores.ts';
import { hasFloat64 } from '../../src/float64.ts';
import { gemm } from '../../src/ops/gemm.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type Adapter, type Produced, produced } from './adapter.ts';
import type { GoldenCase, GoldenTensor } from './case.ts';

/**
 * Ridge regression against scikit-learn (`sk_*`, coefficients [targets, features]) and himalaya (`him_*`,
 * coefficients [features, targets]): one alpha, one for each target, alphas chosen by folds and by leaving one out,
 * with and without an intercept, by primal and by dual equations. All in float64, as the originals ran.
 */
export const ridge: Adapter = {
  prefix: 'ridge',
  unsupported(backend) {
    return hasFloat64(backend) ? undefined : 'these cases need float64, which this device lacks';
  },
  async run(golden, backend) {
    const problem = await readProblem(golden, backend);
    const wanted = golden.names.filter((name) => name.startsWith('out.'));
    const results = new Map<string, Produced>();
    // Outputs of one fit share everything but the last part of their name.
    for (const [model, leaves] of groupByModel(wanted)) {
      for (const [leaf, value] of await runModel(model, leaves, problem)) {
        results.set(`out.${model}.${leaf}`, value);
      }
    }
    return results;
  },
};

/** `out.MODEL.LEAF`, where only the model's name has dots. */
function groupByModel(names: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const parts = name.split('.');
    const model = parts.slice(1, -1).join('.');
    groups.set(model, [...(groups.get(model) ?? []), parts.at(-1)!]);
  }
  return groups;
}

interface Problem {
  readonly backend: Backend;
  readonly design: Tensor;
  readonly x: GoldenTensor;
  readonly y: GoldenTensor;
  readonly xTest: GoldenTensor;
  readonly grid: number[];
  readonly folds: Fold[];
  readonly rankDeficient: boolean;
}

async function readProblem(golden: GoldenCase, backend: Backend): Promise<Problem> {
  const [x, y, xTest, alphas, foldOfRow] = await Promise.all(
    ['in.X', 'in.Y', 'in.X_test', 'in.alphas', 'in.fold_of_row'].map((name) => golden.read(name)),
  );
  const labels = [...new Set(foldOfRow!.data)].sort((a, b) => a - b);
  const rowsWhere = (keep: (fold: number) => boolean) =>
    Int32Array.from([...foldOfRow!.data.keys()].filter((row) => keep(foldOfRow!.data[row]!)));
  return {
    backend,
    design: backend.tensor(x!.data, x!.shape, 'f64'),
    x: x!,
    y: y!,
    xTest: xTest!,
    grid: [...alphas!.data],
    folds: labels.map((label) => ({
      train: rowsWhere((fold) => fold !== label),
      test: rowsWhere((fold) => fold === label),
    })),
    rankDeficient: golden.sidecar.hyper.kind === 'rankdef',
  };
}

/** One model of the originals, as it is fitted here. */
interface Model {
  readonly options: RidgeOptions;
  /** Axes of the coefficients: scikit-learn puts targets first. */
  readonly targetsFirst?: boolean;
  /** One alpha is reported for all targets. */
  readonly oneAlpha?: boolean;
  /** Scores come as [1, targets]. */
  readonly scoresAsRow?: boolean;
}

/** Models by the beginning of their names; alphas are part of some names. */
const models: Readonly<Record<string, (name: string, problem: Problem) => Model>> = {
  // Both of our forms are held against both of scikit-learn's solvers.
  'sk_ridge.alpha': (name) => ({
    options: { alpha: alphaIn(name), ...interceptIn(name), form: name.includes('.svd') ? 'dual' : 'primal' },
    targetsFirst: true,
  }),
  'sk_ridge.per_target_alpha': (_, { y }) => ({
    options: { alpha: logGrid(-1, 3, y.shape[1]!) },
    targetsFirst: true,
  }),
  'sk_ridgecv.gcv': (_, { grid }) => ({ options: { grid, folds: 'leave-one-out' }, targetsFirst: true }),
  'sk_ridgecv.cv5': (_, { grid, folds }) => ({
    options: { grid, folds, score: 'r2', perTarget: false },
    targetsFirst: true,
    oneAlpha: true,
  }),
  'him_ridge.alpha': (name) => ({ options: { alpha: alphaIn(name), ...interceptIn(name) } }),
  'him_ridgecv.': (name, { grid, folds }) => ({
    options: { grid, folds, ...interceptIn(name), form: 'primal' },
  }),
  'him_kernelridgecv.': (name, { grid, folds }) => ({
    options: { grid, folds, ...interceptIn(name), form: 'dual', coefficients: 'dual' },
  }),
  'him_solve_ridge_cv_svd.': (name, { grid, folds }) => ({
    options: { grid, folds, intercept: false, perTarget: !name.includes('global') },
    scoresAsRow: true,
  }),
};

function alphaIn(name: string): number {
  return Number(/\.alpha(\d+(?:\.\d+)?(?:e[+-]?\d+)?)/.exec(name)?.[1]);
}

function interceptIn(name: string): { intercept: boolean } {
  return { intercept: !name.endsWith('.noicpt') };
}

/** The outputs of one fit, by the last part of their names; unknown models and outputs are left out. */
async function runModel(
  name: string,
  leaves: readonly string[],
  problem: Problem,
): Promise<[string, Produced][]> {
  if (name === 'him_scores') return scoresOfRolled(leaves, problem);
  if (name === 'him_cv_score_table') return scoreTables(leaves, problem);
  const prefix = Object.keys(models).find((each) => name.startsWith(each));
  if (!prefix) return [];
  const model = models[prefix]!(name, problem);
  const { design, x, y } = problem;
  const targets = targetsInMemory(y.data, y.shape[0]!);
  const fit = await fitRidge(design, targets, { precision: 'f64', ...model.options });
  const weights = await weightsOfVoxels(fit, x, problem.backend);
  const intercept = interceptOf({ ...fit, coefficients: 'primal', values: weights.data });
  const selected = fit.selection;
  const t = y.shape[1]!;
  const alphas = (model.oneAlpha ? fit.alphas.slice(0, 1) : fit.alphas).map(Math.fround);
  const outputs: Record<string, () => Promise<Produced> | Produced> = {
    coef: () => (model.targetsFirst ? transposed(weights) : weights),
    primal_coef: () => weights,
    dual_coef: () => ({ shape: [x.shape[0]!, t], data: Float64Array.from(fit.values) }),
    intercept: () => ({ shape: [t], data: intercept }),
    pred: () => predict(weights, intercept, problem),
    best_alphas: () => ({ shape: [alphas.length], data: alphas, atol: () => 0 }),
    best_alpha: () => ({ shape: [alphas.length], data: alphas, atol: () => 0 }),
    cv_scores: () => ({ shape: model.scoresAsRow ? [1, t] : [t], data: selected!.scores }),
    best_score: () => ({ shape: [t], data: selected!.scores }),
    best_score_r2: () => ({ shape: [1], data: Float64Array.of(mean(selected!.scores)) }),
  };
  const atol = tolerance(problem, Math.min(...fit.alphas));
  const known = leaves.filter((leaf) => Object.hasOwn(outputs, leaf));
  return Promise.all(
    known.map(async (leaf): Promise<[string, Produced]> => [leaf, { atol, ...(await outputs[leaf]!()) }]),
  );
}

/** 1e-6 of the largest value; 1e-4 at alpha 1e-3 (or less) or for a rank-deficient design. */
function tolerance({ rankDeficient }: Problem, smallestAlpha: number): NonNullable<Produced['atol']> {
  const relative = rankDeficient || smallestAlpha < 1.001e-3 ? 1e-4 : 1e-6;
  return (expected) => relative * expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

/** Weights of voxels [p, t]: those of trials, multiplied by the centred voxels, in dual form. */
async function weightsOfVoxels(fit: RidgeFit, x: GoldenTensor, backend: Backend): Promise<GoldenTensor> {
  const [n, p] = x.shape as [number, number];
  const t = fit.alphas.length;
  const data = Float64Array.from(fit.values);
  if (fit.coefficients === 'primal') return { shape: [p, t], data };
  const centred = x.data.map((value, index) => value - fit.voxelMean[index % p]!);
  const y = gemm(backend.tensor(centred, [n, p], 'f64'), backend.tensor(data, [n, t], 'f64'), {
    transA: true,
  });
  return { shape: [p, t], data: (await y.download()) as Float64Array };
}

async function predict(
  weights: GoldenTensor,
  intercept: Float64Array,
  { backend, xTest }: Problem,
): Promise<Produced> {
  const bias = backend.tensor(intercept, [intercept.length], 'f64');
  const y = gemm(
    backend.tensor(xTest.data, xTest.shape, 'f64'),
    backend.tensor(weights.data, weights.shape),
    { bias },
  );
  return produced(y);
}

function transposed({ shape: [rows = 0, cols = 0], data }: GoldenTensor): GoldenTensor {
  return {
    shape: [cols, rows],
    data: data.map((_, index) => data[(index % rows) * cols + Math.floor(index / rows)]!),
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean over folds of minus the mean squared error, [alphas, targets], with and without an intercept. */
async function scoreTables(leaves: readonly string[], problem: Problem): Promise<[string, Produced][]> {
  const { design, y, grid, folds } = problem;
  const targets = targetsInMemory(y.data, y.shape[0]!);
  const tables: [string, Produced][] = [];
  for (const leaf of leaves.filter((each) => each === 'icpt' || each === 'noicpt')) {
    const options = { grid, folds, intercept: leaf === 'icpt', precision: 'f64' } as const;
    const { selection } = await fitRidge(design, targets, options);
    const atol = tolerance(problem, Math.min(...grid));
    tables.push([leaf, { shape: [grid.length, y.shape[1]!], data: selection!.table, atol }]);
  }
  return tables;
}

const scoresByName: Readonly<Record<string, AlphaScore>> = {
  r2: 'r2',
  corr: 'correlation',
  l2neg: 'negativeSquaredError',
};

/**
 * himalaya's three scores of stand-in predictions y + 0.3 roll(y) - 0.1, where roll moves every trial down by one
 * (the file holds the scores alone; these predictions reproduce all of them to float32).
 */
async function scoresOfRolled(leaves: readonly string[], problem: Problem): Promise<[string, Produced][]> {
  const { backend, y } = problem;
  const [n, t] = y.shape as [number, number];
  const rolled = y.data.map((value, i) => value + 0.3 * y.data[(i - t + n * t) % (n * t)]! - 0.1);
  const truth = backend.tensor(y.data, y.shape, 'f64');
  const prediction = backend.tensor(rolled, y.shape, 'f64');
  const scored: [string, Produced][] = [];
  for (const leaf of leaves.filter((each) => Object.hasOwn(scoresByName, each))) {
    const score = scoresByName[leaf]!;
    const scorer = createScorer(truth, score, {});
    const scale = await scorer.scale?.download();
    const measured = Float64Array.from((await scorer.measure(prediction).download()) as Float64Array);
    const data = measured.map((value, j) => finishScore(score, value, scale?.[j] ?? 0));
    scored.push([leaf, { shape: [t], data, atol: tolerance(problem, Number.POSITIVE_INFINITY) }]);
  }
  return scored;
}
