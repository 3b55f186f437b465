import type { Backend } from '../../backend.ts';
import type { BundleInput, FittedStep, SawTest } from '../../bundle/contents.ts';
import { fittedBy } from '../../bundle/fittedBy.ts';
import { lagVoxels } from '../../data/lags.ts';
import { F2iError } from '../../error.ts';
import { columnStats, standardize } from '../../ops/index.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import type { Tensor } from '../../tensor.ts';
import { checkOutput, type DecoderOutput, outputSize } from '../decoder.ts';
import { fitBandedRidge } from './banded.ts';
import { type Band, bandsOf } from './bands.ts';
import { describeBands, laggedBands } from './bandsOfModel.ts';
import { fitRidge } from './fit.ts';
import { type Fitted, fittedSteps, reportOf } from './fitReport.ts';
import { type FoldPlan, planFolds } from './folds.ts';
import { dirichletGammas } from './gammas.ts';
import { copyAsFloat32 } from './matrices.ts';
import type { RidgeModel } from './model.ts';
import type { Precision } from './precision.ts';
import type { AlphaScore } from './scores.ts';
import { logGrid } from './select.ts';
import { type TargetSource, targetsInMemory } from './targets.ts';
import type { RidgeForm, RidgeProgress } from './types.ts';

/** Training data: trials that may be looked at, and no others. */
export interface RidgeTrainingData {
  /** Betas or volumes [n, v]; Float64Array is rounded to float32. */
  voxels: Rows;
  /** Pictures or features [n, ...], in memory or read in blocks. */
  targets: Rows | { source: TargetSource; shape: readonly number[] };
  /** What the targets are; features when absent. */
  output?: DecoderOutput | undefined;
  /** Run of each trial: lags stay inside runs, and the ledger names them; as `groups` when absent. */
  runs?: ArrayLike<string | number> | undefined;
  /** Run (sweep, session) of each trial: folds leave out whole ones. */
  groups?: ArrayLike<string | number> | undefined;
  /** For the bundle: which voxels these are and what was done to them. */
  input?: Omit<BundleInput, 'voxels'> | undefined;
  /** Are test trials among these? What the caller knows; `unknown` when absent. */
  sawTest?: SawTest | undefined;
  /** Steps fitted before (preprocessing, voxel selection), for the ledger. */
  ledger?: readonly FittedStep[] | undefined;
}

/** Bands of voxels with penalties of their own: see `fitBandedRidge`. */
export interface RidgeBands {
  /** Band of each voxel (column of the betas), [v]; a voxel of none takes no part. */
  labels: readonly (string | undefined)[];
  /** Candidates, a weight a band in the order in which bands first appear; drawn at random when absent. */
  gammas?: readonly ArrayLike<number>[] | undefined;
  /** How many are drawn, 100 by default, the first of equal weights: see `dirichletGammas`. */
  draws?: number | undefined;
  seed?: number | undefined;
}

export interface RidgeDecoderOptions {
  /**
   * Penalties to choose from, or a single one. By default 13 values from 1e-3 to 1e3 times the mean eigenvalue of
   * the Gram matrix, evenly spaced in their logarithm: the same relative shrinkage for any number of voxels.
   */
  alphas?: readonly number[] | number | undefined;
  /** By default leave-one-group-out where there are groups, else five folds of successive trials. */
  folds?: FoldPlan | undefined;
  score?: AlphaScore | undefined;
  /** One alpha for each target (default) or for all. */
  perTarget?: boolean | undefined;
  intercept?: boolean | undefined;
  /** Divides each voxel by its standard deviation over the training trials (default). */
  standardize?: boolean | undefined;
  /** Volumes to read for each target, relative to it; [0] by default. For rows that are volumes. */
  lags?: readonly number[] | undefined;
  /**
   * What to keep: weights of voxels (primal), or weights of training trials and these trials' voxels (dual), which
   * is smaller when targets are many, but contains training data. By default primal unless that takes over 256 MiB
   * and dual takes less.
   */
  storage?: RidgeForm | 'auto' | undefined;
  /** Banded ridge; weights are of voxels then, and absorb those of the bands. In float64 unless `precision` says otherwise. */
  bands?: RidgeBands | undefined;
  form?: RidgeForm | 'auto' | undefined;
  precision?: Precision | 'auto' | undefined;
  blockBytes?: number | undefined;
}

/** Names of the options: others are refused. */
export const RIDGE_OPTIONS: readonly (keyof RidgeDecoderOptions)[] = [
  'alphas',
  'folds',
  'score',
  'perTarget',
  'intercept',
  'standardize',
  'lags',
  'storage',
  'bands',
  'form',
  'precision',
  'blockBytes',
];

export interface FitContext {
  backend: Backend;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: RidgeProgress) => void) | undefined;
}

const PRIMAL_BYTES = 256 * 2 ** 20;

/**
 * Fits the plain values of a ridge decoder.
 *
 * @throws INVALID_ARGUMENT for NaN voxels (naming them), counts that do not match, impossible options; CANCELLED
 */
export async function fitRidgeModel(
  data: RidgeTrainingData,
  options: RidgeDecoderOptions,
  context: FitContext,
): Promise<RidgeModel> {
  const { intercept = true, standardize: scaled = true, perTarget = true, score } = options;
  const { backend, signal } = context;
  const [n, v] = rowExtents(data.voxels, 'voxels');
  const { source, output } = targetsOf(data, n);
  const lags = checkLags(options.lags ?? [0]);
  const groups = checkLabels('groups', data.groups, n);
  const runs = checkLabels('runs', data.runs, n) ?? groups;
  const storage = chooseStorage(options, n, lags.length * v, source.count);
  const centred = intercept || scaled;
  const design = await standardised(data.voxels, { lags, runs, centred, scaled }, context);
  const { z, voxelMean, voxelStd, constantVoxels } = design;
  try {
    const { fit, report } = await fitWeights(design, source, { lags, groups, storage }, options, context);
    const trainingVoxels = storage === 'dual' ? ((await z.download()) as Float32Array) : undefined;
    const steps = fittedSteps(fit, runs, data.sawTest ?? 'unknown', centred, scaled);
    return {
      input: { voxels: v, ...data.input },
      output,
      lags,
      voxelMean,
      voxelStd,
      storage,
      weights: storage === 'primal' ? await copyAsFloat32(fit.values, signal) : fit.values,
      trainingVoxels,
      targetMean: Float32Array.from(fit.targetMean),
      alphas: fit.alphas,
      config: { intercept, standardize: scaled },
      report: {
        ...reportOf(fit, { trials: n, constantVoxels, perTarget, score }),
        fittedBy: fittedBy(backend, [fit.numerics.precision]),
        ...report,
      },
      warnings: fit.warnings,
      ledger: [...(data.ledger ?? []), ...steps],
    };
  } finally {
    z.dispose();
  }
}

/** Standardised (lagged) voxels, and what standardised them. */
interface StandardisedVoxels {
  /** [n, lags x v] on the device; the caller's to dispose. */
  readonly z: Tensor;
  /** What was subtracted and divided by, [lags x v]. */
  readonly voxelMean: Float32Array;
  readonly voxelStd: Float32Array;
  /** Of the training trials, whether they were divided by it or not, [lags x v]. */
  readonly spread: Float32Array;
  readonly constantVoxels: number;
}

async function standardised(
  voxels: Rows,
  {
    lags,
    runs,
    centred,
    scaled,
  }: {
    lags: readonly number[];
    runs: readonly (string | number)[] | undefined;
    centred: boolean;
    scaled: boolean;
  },
  { backend, signal }: FitContext,
): Promise<StandardisedVoxels> {
  const [n, v] = rowExtents(voxels, 'voxels');
  const width = lags.length * v;
  const lagged = isPlain(lags)
    ? await copyAsFloat32(voxels.data, signal)
    : lagVoxels(voxels, lags, runs).data;
  const { z, statistics } = backend.scope(() => {
    const raw = backend.adopt(lagged.buffer as ArrayBuffer, [n, width], 'f32');
    const { mean, std } = columnStats(raw, { signal });
    const z = standardize(raw, { signal, mean: centred ? mean : undefined, std: scaled ? std : undefined });
    return { z, statistics: [mean.download(), std.download()] };
  });
  try {
    const [mean, spread] = (await Promise.all(statistics)) as [Float32Array, Float32Array];
    checkVoxels(mean, spread, v);
    if (spread.every((std) => std === 0)) {
      throw invalid('voxels', 'no voxel varies over the training trials', 'at least one', 'none');
    }
    return {
      z,
      voxelMean: centred ? mean : new Float32Array(width),
      voxelStd: scaled ? spread : new Float32Array(width).fill(1),
      spread,
      constantVoxels: spread.subarray(0, v).reduce((count, std) => count + (std === 0 ? 1 : 0), 0),
    };
  } catch (error) {
    z.dispose();
    throw error;
  }
}

/** Weights by plain or by banded ridge, their penalties stated or chosen by cross-validation. */
async function fitWeights(
  { z, spread }: StandardisedVoxels,
  source: TargetSource,
  {
    lags,
    groups,
    storage,
  }: {
    lags: readonly number[];
    groups: readonly (string | number)[] | undefined;
    storage: RidgeForm;
  },
  options: RidgeDecoderOptions,
  { signal, onProgress }: FitContext,
): Promise<{ fit: Fitted; report: RidgeModel['report'] }> {
  const {
    intercept = true,
    standardize: scaled = true,
    perTarget = true,
    alphas,
    precision,
    blockBytes,
  } = options;
  const n = z.shape[0]!;
  const plan =
    options.folds ?? (groups && new Set(groups).size > 1 ? 'leave-one-group-out' : { folds: Math.min(5, n) });
  const grid = typeof alphas === 'number' ? undefined : (alphas ?? defaultGrid(spread, scaled, n));
  const common = { signal, onProgress, score: options.score, perTarget, intercept, precision, blockBytes };
  if (options.bands) {
    const voxels = spread.length / lags.length;
    const bands = checkedBands(options.bands, voxels);
    const fit = await fitBandedRidge(z, laggedBands(bands, voxels, lags.length), source, {
      ...common,
      gammas: options.bands.gammas ?? dirichletGammas(bands.length, options.bands),
      grid: bandedGrid(alphas, grid, bands.length),
      folds: planFolds(plan, n, groups),
    });
    const report = { bands: describeBands(bands, fit), candidates: fit.selection.gammas.length };
    return { fit: { ...fit, form: 'dual' }, report };
  }
  const fit = await fitRidge(z, source, {
    ...common,
    ...(grid ? { grid, folds: planFolds(plan, n, groups) } : { alpha: alphas as number }),
    form: storage === 'dual' ? 'dual' : options.form,
    coefficients: storage,
  });
  return { fit, report: {} };
}

function targetsOf({ targets, output }: RidgeTrainingData, n: number) {
  let source: TargetSource;
  let shape: readonly number[];
  if ('source' in targets) {
    ({ source } = targets);
    shape = targets.shape;
  } else {
    const [rows] = rowExtents(targets, 'targets');
    source = targetsInMemory(targets.data, rows);
    shape = targets.shape.slice(1);
  }
  if (source.trials !== n) {
    throw invalid(
      'targets',
      'voxels and targets differ in their number of trials',
      `${n}`,
      `${source.trials}`,
    );
  }
  const checked = output ?? ({ kind: 'features', shape } as const);
  checkOutput(checked, shape);
  if (outputSize(checked) !== source.count) {
    throw invalid('targets', 'the shape does not fit the targets', `${source.count} values`, `[${shape}]`);
  }
  return { source, output: checked };
}

function checkLags(lags: readonly number[]): readonly number[] {
  const bad = lags.find((lag, i) => !Number.isInteger(lag) || lags.indexOf(lag) !== i);
  if (lags.length === 0 || bad !== undefined) {
    throw invalid(
      'lags',
      'lags are distinct numbers of volumes',
      'whole numbers, each once',
      `${bad ?? 'none'}`,
    );
  }
  return [...lags];
}

export const isPlain = (lags: readonly number[]) => lags.length === 1 && lags[0] === 0;

function checkLabels(field: string, labels: ArrayLike<string | number> | undefined, n: number) {
  if (labels && labels.length !== n) {
    throw invalid(field, 'one label for each trial', `${n}`, `${labels.length}`);
  }
  return labels && Array.from(labels);
}

/** NaN and infinity show in the mean (or, when it overflows, in the deviation) of their voxel. */
function checkVoxels(mean: Float32Array, std: Float32Array, voxels: number): void {
  const bad = new Set<number>();
  mean.forEach((value, column) => {
    if (!Number.isFinite(value) || !Number.isFinite(std[column])) bad.add(column % voxels);
  });
  if (bad.size === 0) return;
  const first = [...bad].slice(0, 5).join(', ');
  throw invalid(
    'voxels',
    'voxels hold NaN or infinity',
    'finite responses',
    `${bad.size} of ${voxels} voxels (${bad.size > 5 ? 'first ' : ''}${first})`,
  );
}

function checkedBands({ labels }: RidgeBands, voxels: number): Band[] {
  if (labels.length === voxels) return bandsOf(labels);
  throw invalid('bands.labels', 'one label for each voxel', `${voxels}`, `${labels.length}`);
}

/** The usual grid, for Gram matrices of candidates of sum 1: equal weights of b bands divide the plain one by b. */
function bandedGrid(
  asked: RidgeDecoderOptions['alphas'],
  grid: readonly number[] | undefined,
  bands: number,
): readonly number[] {
  if (typeof asked === 'number') return [asked];
  return asked ?? grid!.map((alpha) => alpha / bands);
}

function chooseStorage(options: RidgeDecoderOptions, n: number, width: number, targets: number): RidgeForm {
  const { storage = 'auto', bands } = options;
  if (bands) {
    if (storage !== 'dual' && options.form !== 'dual') return 'primal';
    throw invalid('storage', 'weights of bands become part of those of voxels', 'primal', 'dual');
  }
  if (storage !== 'auto') return storage;
  if (options.form === 'primal') return 'primal';
  const primalBytes = 4 * width * targets;
  return primalBytes > PRIMAL_BYTES && 4 * n * (width + targets) < primalBytes ? 'dual' : 'primal';
}

/** Around the mean eigenvalue of the Gram matrix: its trace, n times the variances, over its rank. */
function defaultGrid(std: Float32Array, scaled: boolean, n: number): readonly number[] {
  const varying = std.filter((value) => value > 0);
  const variance = scaled ? varying.length : varying.reduce((sum, value) => sum + value ** 2, 0);
  const eigenvalue = (n * variance) / Math.min(n, varying.length);
  return logGrid(-3, 3, 13).map((factor) => factor * eigenvalue);
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
