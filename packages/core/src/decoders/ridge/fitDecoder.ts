import type { Backend } from '../../backend.ts';
import type { BundleInput, FittedStep, SawTest } from '../../bundle/contents.ts';
import { fittedBy } from '../../bundle/fittedBy.ts';
import { lagVoxels } from '../../data/lags.ts';
import { F2iError } from '../../error.ts';
import { columnStats, standardize } from '../../ops/index.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import { checkOutput, type DecoderOutput, outputSize } from '../decoder.ts';
import { type BandedRidgeFit, fitBandedRidge } from './banded.ts';
import { type Band, bandsOf } from './bands.ts';
import { describeBands, laggedBands } from './bandsOfModel.ts';
import { fitRidge, type RidgeFit } from './fit.ts';
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

/** Fits the plain values of a ridge decoder. */
export async function fitRidgeModel(
  data: RidgeTrainingData,
  options: RidgeDecoderOptions,
  { backend, signal, onProgress }: FitContext,
): Promise<RidgeModel> {
  const { intercept = true, standardize: scale = true, perTarget = true } = options;
  const ops = { signal };
  const [n, v] = rowExtents(data.voxels, 'voxels');
  const { source, output } = targetsOf(data, n);
  const lags = checkLags(options.lags ?? [0]);
  const groups = checkLabels('groups', data.groups, n);
  const runs = checkLabels('runs', data.runs, n) ?? groups;
  const width = lags.length * v;
  const storage = chooseStorage(options, n, width, source.count);

  const lagged = isPlain(lags)
    ? await copyAsFloat32(data.voxels.data, signal)
    : lagVoxels(data.voxels, lags, runs).data;
  const centred = intercept || scale;
  const { z, statistics } = backend.scope(() => {
    const raw = backend.adopt(lagged.buffer as ArrayBuffer, [n, width], 'f32');
    const { mean, std } = columnStats(raw, ops);
    const z = standardize(raw, { ...ops, mean: centred ? mean : undefined, std: scale ? std : undefined });
    return { z, statistics: [mean.download(), std.download()] };
  });
  try {
    const [rawMean, rawStd] = (await Promise.all(statistics)) as [Float32Array, Float32Array];
    const voxelMean = centred ? rawMean : new Float32Array(width);
    const voxelStd = scale ? rawStd : new Float32Array(width).fill(1);
    checkVoxels(rawMean, rawStd, v);
    const constantVoxels = rawStd.subarray(0, v).reduce((count, std) => count + (std === 0 ? 1 : 0), 0);
    if (rawStd.every((std) => std === 0)) {
      throw invalid('voxels', 'no voxel varies over the training trials', 'at least one', 'none');
    }
    const plan =
      options.folds ??
      (groups && new Set(groups).size > 1 ? 'leave-one-group-out' : { folds: Math.min(5, n) });
    const single = typeof options.alphas === 'number';
    const bands = options.bands && checkedBands(options.bands, v);
    const grid = single ? undefined : (options.alphas ?? defaultGrid(rawStd, scale, n));
    const common = { ...ops, onProgress, score: options.score, perTarget, intercept };
    const banded =
      bands &&
      (await fitBandedRidge(z, laggedBands(bands, v, lags.length), source, {
        ...common,
        gammas: options.bands!.gammas ?? dirichletGammas(bands.length, options.bands),
        grid: bandedGrid(options.alphas, grid as readonly number[] | undefined, bands.length),
        folds: planFolds(plan, n, groups),
        precision: options.precision,
        blockBytes: options.blockBytes,
      }));
    const fit: Fitted = banded
      ? { ...banded, form: 'dual' }
      : await fitRidge(z, source, {
          ...common,
          ...(grid
            ? { grid: grid as readonly number[], folds: planFolds(plan, n, groups) }
            : { alpha: options.alphas as number }),
          form: storage === 'dual' ? 'dual' : options.form,
          coefficients: storage,
          precision: options.precision,
          blockBytes: options.blockBytes,
        });
    const trainingVoxels = storage === 'dual' ? ((await z.download()) as Float32Array) : undefined;
    const steps = fittedSteps(fit, runs, data.sawTest ?? 'unknown', centred, scale);
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
      config: { intercept, standardize: scale },
      report: {
        ...reportOf(fit, { trials: n, constantVoxels, perTarget, score: options.score }),
        fittedBy: fittedBy(backend, [fit.numerics.precision]),
        ...(banded && { bands: describeBands(bands, banded), candidates: banded.selection.gammas.length }),
      },
      warnings: fit.warnings,
      ledger: [...(data.ledger ?? []), ...steps],
    };
  } finally {
    z.dispose();
  }
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

/** What both kinds of fits say. */
type Fitted = Pick<RidgeFit, 'values' | 'targetMean' | 'alphas' | 'form' | 'numerics' | 'warnings'> & {
  readonly selection?: RidgeFit['selection'] | BandedRidgeFit['selection'];
};

function fittedSteps(
  { selection }: Fitted,
  labels: readonly (string | number)[] | undefined,
  sawTest: SawTest,
  centred: boolean,
  scaled: boolean,
): FittedStep[] {
  const runs = [...new Set(labels ?? [])].map(String);
  const steps: FittedStep[] = [];
  if (centred) {
    const step = scaled ? 'mean and standard deviation of voxels' : 'mean of voxels';
    steps.push({ step, runs, sawTest });
  }
  if (selection) {
    const note = 'chosen by cross-validation inside the training trials';
    const step = 'gammas' in selection ? 'ridge penalty and weights of bands' : 'ridge penalty';
    steps.push({ step, runs, sawTest, note });
  }
  steps.push({ step: 'ridge weights and target means', runs, sawTest });
  return steps;
}

function reportOf(
  { form, numerics, selection, alphas, warnings }: Fitted,
  fitted: { trials: number; constantVoxels: number; perTarget: boolean; score: AlphaScore | undefined },
): RidgeModel['report'] {
  return {
    trials: fitted.trials,
    constantVoxels: fitted.constantVoxels,
    form,
    precision: numerics.precision,
    precisionReason: numerics.reason,
    conditionBound: Math.min(numerics.conditionBound, Number.MAX_VALUE),
    alpha: { smallest: least(alphas), largest: -least(alphas.map((alpha) => -alpha)) },
    ...(selection && {
      crossValidation: {
        grid: [...selection.grid],
        perTarget: fitted.perTarget,
        score: fitted.score ?? 'negativeSquaredError',
        meanScore: selection.scores.reduce((sum, score) => sum + score, 0) / selection.scores.length,
        chosen: selection.grid.map((value) =>
          alphas.reduce((count, alpha) => count + (alpha === value ? 1 : 0), 0),
        ),
        atBorder: { ...selection.atBorder },
      },
    }),
    warnings: [...warnings],
  };
}

function least(values: Float64Array): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
