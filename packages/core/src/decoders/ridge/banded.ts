import { pacer } from '../../data/pause.ts';
import { throwIfAborted } from '../../error.ts';
import { cast, columnStats, gather, gemm, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { type Band, bandGrams, checkBands, weightedGram } from './bands.ts';
import { crossValidate } from './crossValidate.ts';
import type { NormalEquations } from './equations.ts';
import { checkDesign, checkFinite, checkGrid, invalid, type RidgeFit } from './fit.ts';
import { checkGammas } from './gammas.ts';
import { leaveOneOut } from './leaveOneOut.ts';
import { choosePrecision, type Precision, precisionWarning } from './precision.ts';
import { ALPHA_SCORES, type AlphaScore } from './scores.ts';
import { borderWarnings, countAtBorder, selectAlphas } from './select.ts';
import type { Factorisation } from './smoother.ts';
import { solveRidge } from './solve.ts';
import type { TargetSource } from './targets.ts';
import type { Fold, RidgeForm, StepOptions } from './types.ts';

export interface BandedRidgeOptions extends StepOptions {
  /** Candidates: for each one weight a band, not negative; see `dirichletGammas`. */
  gammas: readonly ArrayLike<number>[];
  /** Penalties to choose from, each with each candidate. */
  grid: readonly number[];
  folds: readonly Fold[] | 'leave-one-out';
  /** `negativeSquaredError` by default, as himalaya. */
  score?: AlphaScore | undefined;
  /** Choose weights and penalty for each target (default), or once for all by the mean score. */
  perTarget?: boolean | undefined;
  /** Centres voxels and targets on their training means (default). */
  intercept?: boolean | undefined;
  /** Weights of voxels (primal, default), or of training trials. */
  coefficients?: RidgeForm | undefined;
  /** `f64` by default: scores of close candidates may differ by less than float32 resolves. */
  precision?: Precision | 'auto' | undefined;
  factorisation?: Factorisation | 'auto' | undefined;
}

/** How the weights of the bands were chosen. */
export interface BandSelection {
  readonly gammas: readonly ArrayLike<number>[];
  readonly grid: readonly number[];
  /** Mean over folds of each candidate's score at its best alpha, [candidates, targets] row-major. */
  readonly table: Float64Array;
  /** Index of each target's candidate, [t]. */
  readonly chosen: Int32Array;
  /** Score of each target's candidate, [t]. */
  readonly scores: Float64Array;
  /** Targets whose alpha is the grid's smallest or largest value: the optimum may lie outside. */
  readonly atBorder: { readonly smallest: number; readonly largest: number };
}

export interface BandedRidgeFit
  extends Pick<
    RidgeFit,
    'coefficients' | 'values' | 'voxelMean' | 'targetMean' | 'alphas' | 'numerics' | 'warnings'
  > {
  /** Weight of each band for each target, [bands, t] row-major. */
  readonly gammas: Float64Array;
  readonly selection: BandSelection;
}

/**
 * Banded ridge: ridge regression in which bands (feature spaces) of columns have penalties of their own, chosen by
 * random search. Minimises |y - Σ_b x_b w_b|² + alpha Σ_b |w_b|² / gamma_b for each target, which is ridge on bands
 * multiplied by √gamma_b. For every candidate gamma and every alpha the score of each target is the mean over folds; the
 * best pair is refitted on all trials (Dupré la Tour et al. 2022, NeuroImage 264:119728; himalaya's `GroupRidgeCV`).
 *
 * Columns are read once, for one Gram matrix a band [n, n]; these are held during the search (8 n² bytes each in
 * float64). A candidate's equations are their weighted sum, so that the search costs the same whatever the number of
 * columns. Of equal scores the first candidate and the first alpha win.
 *
 * With primal coefficients [p, t], predictions are (x - voxelMean) W + targetMean; columns of no band, and of bands of
 * weight 0, have weights 0. With dual ones [n, t] they are Σ_b gamma_b (x_b - mean_b) (X_b - mean_b)ᵀ C + targetMean.
 *
 * @param x voxels or features [n, p], f32 or f64, without NaN
 * @param targets n trials
 * @throws INVALID_ARGUMENT for bands, candidates or options that do not fit together; UNSUPPORTED on a device without
 *   float64 unless `precision` allows float32; CANCELLED
 *
 * @example
 * const bands = bandsOf(roiOfVoxel);
 * const gammas = dirichletGammas(bands.length, { draws: 100, seed: 1 });
 * const fit = await fitBandedRidge(x, bands, targets, { gammas, grid: logGrid(-2, 5, 8), folds });
 */
export async function fitBandedRidge(
  x: Tensor,
  bands: readonly Band[],
  targets: TargetSource,
  options: BandedRidgeOptions,
): Promise<BandedRidgeFit> {
  const { backend } = x;
  const { signal, intercept = true, coefficients = 'primal', gammas, grid } = options;
  const ops = { signal };
  checkDesign(x, targets);
  checkBands(bands, x.shape[1]!);
  checkOptions(options, bands.length);
  throwIfAborted(signal, 'banded ridge');

  const owned: Tensor[] = [];
  const own = <T extends Tensor>(tensor: T): T => {
    if (tensor !== x) owned.push(tensor);
    return tensor;
  };
  try {
    const largestGamma = gammas.reduce((max, weights) => Math.max(max, ...Array.from(weights)), 0);
    // Of the design whose bands all have the largest weight: no candidate is conditioned worse.
    const [probe, mean] = backend.scope(() => centred(x, intercept, ops));
    own(mean);
    if (probe !== x) own(probe);
    const bound = Math.min(...grid) / largestGamma;
    const numerics = await choosePrecision(probe, bound, options.precision ?? 'f64', ops);
    checkFinite(Float64Array.from((await mean.download()) as Float64Array));

    let design = probe;
    let voxelMean = mean;
    if (numerics.precision !== probe.dtype) {
      for (const tensor of owned.splice(0)) tensor.dispose();
      [design, voxelMean] = backend.scope(() => centred(cast(x, numerics.precision, ops), intercept, ops));
      own(design);
      own(voxelMean);
    }
    const means = intercept
      ? Float64Array.from((await voxelMean.download()) as Float64Array)
      : new Float64Array(x.shape[1]!);
    const grams = bandGrams(design, bands, ops);
    for (const matrix of grams) own(matrix);
    options.onProgress?.({ phase: 'prepare', done: 1, total: 1 });

    const equationsOf = (draw: number): NormalEquations => ({
      form: 'dual',
      design,
      matrix: weightedGram(grams, gammas[draw]!, ops),
    });
    const { selection, alphas } = await search(equationsOf, targets, options);
    const solved = await refit(equationsOf, bands, targets, selection, alphas, {
      ...options,
      intercept,
      coefficients,
    });
    const warning = precisionWarning(numerics);
    const warnings = [...(warning ? [warning] : []), ...borderWarnings({ ...selection, alphas })];
    const weights = bandWeights(selection, bands.length);
    return {
      coefficients,
      ...solved,
      voxelMean: means,
      alphas,
      gammas: weights,
      selection,
      numerics,
      warnings,
    };
  } finally {
    for (const tensor of owned) tensor.dispose();
  }
}

/** The design, centred if there is an intercept, and the mean of each column. */
function centred(x: Tensor, intercept: boolean, ops: StepOptions): [design: Tensor, mean: Tensor] {
  const { mean } = columnStats(x, ops);
  return [intercept ? sub(x, mean, ops) : x, mean];
}

/** Scores every candidate with every alpha, and keeps the best pair of each target. */
async function search(
  equationsOf: (draw: number) => NormalEquations,
  targets: TargetSource,
  options: BandedRidgeOptions,
): Promise<{ selection: BandSelection; alphas: Float64Array }> {
  const { gammas, grid, folds, perTarget = true, score = 'negativeSquaredError', intercept = true } = options;
  const t = targets.count;
  const table = new Float64Array(gammas.length * t);
  const chosen = new Int32Array(t);
  const alphas = new Float64Array(t);
  const scores = new Float64Array(t).fill(Number.NEGATIVE_INFINITY);
  for (const draw of gammas.keys()) {
    const step = {
      ...options,
      score,
      intercept,
      onProgress: nested(options.onProgress, draw, gammas.length),
    };
    const equations = equationsOf(draw);
    let found: Float64Array;
    try {
      found =
        folds === 'leave-one-out'
          ? await leaveOneOut(equations, targets, grid, step)
          : await crossValidate(equations, targets, grid, folds, step);
    } finally {
      equations.matrix.dispose();
    }
    const best = selectAlphas(grid, found, perTarget);
    table.set(best.scores, draw * t);
    const better = (j: number) =>
      perTarget ? best.scores[j]! > scores[j]! : mean(best.scores) > mean(scores);
    const taken = Array.from(scores.keys()).filter(better);
    for (const j of taken) {
      chosen[j] = draw;
      alphas[j] = best.alphas[j]!;
      scores[j] = best.scores[j]!;
    }
  }
  const atBorder = countAtBorder(grid, alphas);
  return { selection: { gammas, grid, table, chosen, scores, atBorder }, alphas };
}

/** Coefficients of all targets: those that chose a candidate are solved together. */
async function refit(
  equationsOf: (draw: number) => NormalEquations,
  bands: readonly Band[],
  targets: TargetSource,
  { chosen, gammas }: BandSelection,
  alphas: Float64Array,
  options: StepOptions & { intercept: boolean; coefficients: RidgeForm },
): Promise<Pick<BandedRidgeFit, 'values' | 'targetMean'>> {
  const t = targets.count;
  const targetMean = new Float64Array(t);
  const breathe = pacer(options.signal, 'banded ridge');
  let values: Float32Array | Float64Array | undefined;
  let done = 0;
  for (const draw of new Set(chosen)) {
    const members = Int32Array.from(chosen.keys()).filter((j) => chosen[j] === draw);
    const equations = equationsOf(draw);
    try {
      const { onProgress, ...step } = options;
      const solved = await solveRidge(
        equations,
        some(targets, members),
        alphas.filter((_, j) => chosen[j] === draw),
        step,
      );
      const rows = solved.values.length / members.length;
      values ??=
        solved.values instanceof Float64Array ? new Float64Array(rows * t) : new Float32Array(rows * t);
      // Weights of the scaled columns are √gamma xᵀ c, those of the columns themselves gamma xᵀ c.
      const scale = options.coefficients === 'primal' ? columnGammas(bands, gammas[draw]!, rows) : undefined;
      for (let row = 0; row < rows; row++) {
        const factor = scale ? scale[row]! : 1;
        if (factor === 0) continue;
        for (let j = 0; j < members.length; j++) {
          values[row * t + members[j]!] = factor * solved.values[row * members.length + j]!;
        }
        await breathe();
      }
      for (const [j, target] of members.entries()) targetMean[target] = solved.targetMean[j]!;
      done += members.length;
      onProgress?.({ phase: 'solve', done, total: t });
    } finally {
      equations.matrix.dispose();
    }
  }
  return { values: values!, targetMean };
}

/** Some columns of a source, as a source. */
function some(targets: TargetSource, members: Int32Array): TargetSource {
  return {
    trials: targets.trials,
    count: members.length,
    read: (columns, signal) =>
      targets.read(
        columns.map((column) => members[column]!),
        signal,
      ),
  };
}

/** Weight of each column of the design, [p]; 0 in no band. */
function columnGammas(bands: readonly Band[], gammas: ArrayLike<number>, width: number): Float64Array {
  const weights = new Float64Array(width);
  for (const [band, { columns }] of bands.entries()) {
    for (const column of Array.from(columns)) weights[column] = gammas[band]!;
  }
  return weights;
}

/** [bands, t] */
function bandWeights({ gammas, chosen }: BandSelection, bands: number): Float64Array {
  const t = chosen.length;
  return Float64Array.from({ length: bands * t }, (_, i) => gammas[chosen[i % t]!]![Math.floor(i / t)]!);
}

/**
 * What each band adds to the predictions: (x_b - mean_b) W_b, [m, t] for each band. Their sum and `targetMean` are the
 * predictions.
 *
 * @param fit with primal coefficients
 * @param x [m, p], in the type of the coefficients
 * @returns tensors of the caller, one a band
 */
export function bandPredictions(
  fit: BandedRidgeFit,
  bands: readonly Band[],
  x: Tensor,
  options: StepOptions = {},
): Tensor[] {
  const { backend, dtype } = x;
  const { values, voxelMean, targetMean } = fit;
  const [p, t] = [voxelMean.length, targetMean.length];
  if (fit.coefficients !== 'primal') {
    throw invalid('coefficients', 'bands are told apart by weights of voxels', 'primal', fit.coefficients);
  }
  if (x.shape.length !== 2 || x.shape[1] !== p) {
    throw invalid('x', 'not the columns of the fit', `[trials, ${p}]`, `[${x.shape.join(', ')}]`);
  }
  checkBands(bands, p);
  return bands.map((band) =>
    backend.scope(() => {
      const cols = Int32Array.from(band.columns);
      const weights = Float64Array.from({ length: cols.length * t }, (_, i) => {
        return values[cols[Math.floor(i / t)]! * t + (i % t)]!;
      });
      const centre = Float64Array.from(cols, (column) => voxelMean[column]!);
      const upload = (data: Float64Array, shape: number[]) =>
        backend.tensor(dtype === 'f32' ? new Float32Array(data) : data, shape, dtype);
      const columns = sub(gather(x, { ...options, cols }), upload(centre, [cols.length]), options);
      return gemm(columns, upload(weights, [cols.length, t]), options);
    }),
  );
}

/** Progress of one candidate out of several. */
function nested(
  onProgress: StepOptions['onProgress'],
  draw: number,
  draws: number,
): StepOptions['onProgress'] {
  return (
    onProgress &&
    (({ phase, done, total }) => onProgress({ phase, done: draw * total + done, total: draws * total }))
  );
}

function checkOptions({ gammas, grid, folds, score }: BandedRidgeOptions, bands: number): void {
  if (!Array.isArray(gammas)) throw invalid('gammas', 'banded ridge needs candidates', 'a list', `${gammas}`);
  checkGammas(gammas, bands);
  if (!Array.isArray(grid)) throw invalid('grid', 'banded ridge needs alphas', 'a list', `${grid}`);
  checkGrid(grid);
  if (folds === undefined) {
    throw invalid('folds', 'a grid of alphas needs folds', 'folds or leave-one-out', 'none');
  }
  if (score !== undefined && !ALPHA_SCORES.includes(score)) {
    throw invalid('score', 'unknown score', ALPHA_SCORES.join(', '), String(score));
  }
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
