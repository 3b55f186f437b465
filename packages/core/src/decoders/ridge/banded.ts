import { pacer } from '../../data/pause.ts';
import { throwIfAborted } from '../../error.ts';
import { cast, columnStats, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { type BandSearchOptions, type BandSelection, searchBands } from './bandSearch.ts';
import { type Band, bandGrams, checkBands, weightedGram } from './bands.ts';
import type { NormalEquations } from './equations.ts';
import { checkDesign, checkFinite, checkGrid, invalid, type RidgeFit } from './fit.ts';
import { checkGammas } from './gammas.ts';
import { choosePrecision, type Precision, precisionWarning } from './precision.ts';
import { ALPHA_SCORES } from './scores.ts';
import { borderWarnings } from './select.ts';
import { solveRidge } from './solve.ts';
import type { TargetSource } from './targets.ts';
import type { RidgeForm, StepOptions } from './types.ts';

export interface BandedRidgeOptions extends BandSearchOptions {
  /** Weights of voxels (primal, default), or of training trials. */
  coefficients?: RidgeForm | undefined;
  /** `f64` by default: scores of close candidates may differ by less than float32 resolves. */
  precision?: Precision | 'auto' | undefined;
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
 * The search reads columns once, for one Gram matrix a band [n, n]; these are held (8 n² bytes each in float64). A
 * candidate's equations are their weighted sum, so that its cost does not depend on the number of columns. Only primal
 * weights need the columns again. Of equal scores the first candidate and the first alpha win.
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

    const equationsOf = (draw: number): NormalEquations & { readonly design: Tensor } => ({
      form: 'dual',
      design,
      matrix: weightedGram(grams, gammas[draw]!, ops),
    });
    const { selection, alphas } = await searchBands(equationsOf, targets, options);
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

/** Coefficients of all targets: those that chose a candidate are solved together. */
async function refit(
  equationsOf: (draw: number) => NormalEquations & { readonly design: Tensor },
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
