import type { BundleInput, FittedStep, SawTest } from '../../bundle/contents.ts';
import { F2iError } from '../../error.ts';
import type { Rows } from '../../rows.ts';
import type { DecoderOutput } from '../decoder.ts';
import type { FoldPlan } from '../ridge/folds.ts';
import type { Extent } from './fields.ts';
import { checkHrf, type Hrf } from './hrf.ts';
import type { InversionSettings } from './inversion.ts';
import { PRF_MODELS, type PrfModel } from './prf.ts';

/** Training data: volumes of a continuous stimulus that may be looked at, and no others. */
export interface RetinotopicTrainingData {
  /** Volumes [n, v]; Float64Array is rounded to float32. */
  voxels: Rows;
  /** What was shown while each volume was acquired, [n, height, width], or with one channel. */
  targets: Rows;
  output?: Extract<DecoderOutput, { kind: 'picture' }> | undefined;
  /** Seconds from one volume to the next. */
  repetitionTime: number;
  /** Run of each volume; one when absent. */
  runs?: ArrayLike<string | number> | undefined;
  /** What is held out together when settings are chosen; as `runs` when absent. */
  groups?: ArrayLike<string | number> | undefined;
  /**
   * Where each volume lies in its recording, from 0. Runs may then be stretches of one recording: responses go on from
   * one into the next. When absent each run is a recording of its own, before which nothing was shown.
   */
  volumes?: ArrayLike<number> | undefined;
  /** Recording of each volume, where there are several and `volumes` are stated; one when absent. */
  recordings?: ArrayLike<string | number> | undefined;
  /** Edges of the pictures in degrees of visual angle; fields are circles in pixels when absent. */
  visualField?: Extent | undefined;
  input?: Omit<BundleInput, 'voxels'> | undefined;
  /** Are test volumes among these? What the caller knows; `unknown` when absent. */
  sawTest?: SawTest | undefined;
  /** Steps fitted before, for the ledger. */
  ledger?: readonly FittedStep[] | undefined;
}

/** Settings of a fit; docs/retinotopic.md says how each default was chosen. */
export interface RetinotopicDecoderOptions {
  /** Model of the receptive fields. */
  prf?: PrfModel | undefined;
  /** `fitted` picks from a library by the summed r² of the training volumes (default). */
  hrf?: 'fitted' | 'canonical' | Hrf | undefined;
  /** When a volume is acquired, in parts of the TR after its frame appears; 0.5 by default, the mean of its slices. */
  acquisition?: number | undefined;
  /**
   * Training volumes within so many seconds after frames that are not training are left out: they still respond to
   * them. By default 12 s, in which a response to a frame is over but for its undershoot.
   */
  guardSeconds?: number | undefined;
  /** Negative amplitudes, too. */
  signed?: boolean | undefined;
  /** Least training correlation of a voxel that is used. */
  threshold?: number | undefined;
  /** Use so many at most, the best ones. */
  maximumVoxels?: number | undefined;
  /** Steps of the refinement of receptive fields; 0: the grid alone. */
  refinements?: number | undefined;
  /** Degree of the polynomial taken for baseline and drift of a recording. */
  drift?: number | undefined;
  /** Part of the residuals' correlations in the noise covariance, 0 up to 1; several to choose from. */
  noiseCorrelation?: number | readonly number[] | undefined;
  /** How far noise variances are drawn to their geometric mean, 0 to 1; several to choose from. */
  varianceShrinkage?: number | readonly number[] | undefined;
  /** Penalty on the squares of pixels, relative to the mean curvature of the data; several to choose from. */
  ridge?: number | readonly number[] | undefined;
  /** Penalty on differences of successive frames, likewise; 0: none. */
  smoothTime?: number | readonly number[] | undefined;
  /** Penalty on differences of neighbouring pixels, likewise; 0: none. */
  smoothSpace?: number | readonly number[] | undefined;
  bounds?: InversionSettings['bounds'] | undefined;
  /**
   * Degree of the polynomial that is fitted to a block beside its frames; -1: none, its baseline is that of training.
   * Several to choose from, the first preferred. By default -1 or 0 where training has several recordings, else -1.
   */
  blockDrift?: number | readonly number[] | undefined;
  /** Steps of the inversion. */
  iterations?: number | undefined;
  /** Folds that choose among settings; by default leave-one-group-out. */
  folds?: FoldPlan | undefined;
}

/** All settings, filled in. */
export interface RetinotopicSettings {
  readonly prf: PrfModel;
  readonly hrf: 'fitted' | 'canonical' | Hrf;
  readonly acquisition: number;
  readonly guardSeconds: number;
  readonly signed: boolean;
  readonly threshold: number;
  readonly maximumVoxels: number;
  readonly refinements: number;
  readonly drift: number;
  readonly noiseCorrelation: readonly number[];
  readonly varianceShrinkage: readonly number[];
  readonly ridge: readonly number[];
  readonly smoothTime: readonly number[];
  readonly smoothSpace: readonly number[];
  readonly bounds: InversionSettings['bounds'];
  readonly blockDrift: readonly number[];
  readonly iterations: number;
}

export const RETINOTOPIC_DEFAULTS: RetinotopicSettings = {
  prf: 'gaussian',
  hrf: 'fitted',
  acquisition: 0.5,
  guardSeconds: 12,
  signed: false,
  threshold: 0.4,
  maximumVoxels: 5000,
  refinements: 10,
  drift: 0,
  noiseCorrelation: [0, 0.05, 0.15],
  varianceShrinkage: [0.5],
  ridge: [0.03],
  smoothTime: [0.3, 1, 3],
  smoothSpace: [1, 2, 4],
  bounds: 'non-negative',
  blockDrift: [-1],
  iterations: 100,
};
/** Recordings may differ in their baselines: several tell whether they do. */
const BLOCK_DRIFTS_OF_RECORDINGS: readonly number[] = [-1, 0];

/**
 * Fills in what was not stated; INVALID_ARGUMENT for what makes no sense.
 *
 * @param recordings how many training has
 */
export function retinotopicSettings(
  options: RetinotopicDecoderOptions,
  recordings: number,
): RetinotopicSettings {
  for (const name of Object.keys(options)) {
    check(name, KNOWN.has(name), `one of ${[...KNOWN].join(', ')}`, name);
  }
  const stated = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const usual = recordings > 1 ? { blockDrift: BLOCK_DRIFTS_OF_RECORDINGS } : {};
  const { folds: _, ...merged } = {
    ...RETINOTOPIC_DEFAULTS,
    ...usual,
    ...stated,
  } as RetinotopicDecoderOptions & RetinotopicSettings;
  const lists = Object.fromEntries(LISTS.map((name) => [name, list(name, merged[name])]));
  const settings: RetinotopicSettings = { ...merged, ...lists };
  check('prf', PRF_MODELS.includes(settings.prf), PRF_MODELS.join(', '), settings.prf);
  if (typeof settings.hrf === 'object' && settings.hrf !== null) checkHrf(settings.hrf, 'hrf');
  else
    check(
      'hrf',
      ['fitted', 'canonical'].includes(settings.hrf),
      'fitted, canonical or a response',
      settings.hrf,
    );
  const bounds = ['none', 'non-negative', 'range'];
  check('bounds', bounds.includes(settings.bounds), bounds.join(', '), settings.bounds);
  check('signed', typeof settings.signed === 'boolean', 'true or false', settings.signed);
  checkNumber('acquisition', settings.acquisition, 0, 1);
  checkNumber('guardSeconds', settings.guardSeconds, 0, 120);
  checkNumber('threshold', settings.threshold, 0, 1);
  checkWhole('maximumVoxels', settings.maximumVoxels, 1, 1e9);
  checkWhole('refinements', settings.refinements, 0, 1000);
  checkWhole('drift', settings.drift, 0, 5);
  checkWhole('iterations', settings.iterations, 1, 100_000);
  checkGrid('noiseCorrelation', settings.noiseCorrelation, 0, 0.999);
  checkGrid('varianceShrinkage', settings.varianceShrinkage, 0, 1);
  checkGrid('ridge', settings.ridge, 1e-9, 1e9);
  checkGrid('smoothTime', settings.smoothTime, 0, 1e9);
  checkGrid('smoothSpace', settings.smoothSpace, 0, 1e9);
  checkGrid('blockDrift', settings.blockDrift, -1, 5);
  for (const degree of settings.blockDrift) checkWhole('blockDrift', degree, -1, 5);
  return settings;
}

/** Settings of which several may be stated. */
const LISTS = [
  'noiseCorrelation',
  'varianceShrinkage',
  'ridge',
  'smoothTime',
  'smoothSpace',
  'blockDrift',
] as const;
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(RETINOTOPIC_DEFAULTS), 'folds']);

function list(field: string, value: number | readonly number[]): readonly number[] {
  if (typeof value === 'number') return [value];
  check(field, Array.isArray(value), 'a number or a list of numbers', value);
  return [...value];
}

function check(field: string, holds: boolean, expected: string, found: unknown): void {
  if (holds) return;
  throw new F2iError('INVALID_ARGUMENT', 'not a setting of the retinotopic decoder', {
    field,
    expected,
    found: `${found}`,
  });
}

function checkNumber(field: string, value: number, least: number, most: number): void {
  const holds = typeof value === 'number' && value >= least && value <= most;
  check(field, holds, `${least} to ${most}`, value);
}

function checkWhole(field: string, value: number, least: number, most: number): void {
  check(
    field,
    Number.isInteger(value) && value >= least && value <= most,
    `a whole number from ${least} to ${most}`,
    value,
  );
}

function checkGrid(field: string, values: readonly number[], least: number, most: number): void {
  check(field, values.length > 0, 'at least one value', 'none');
  for (const value of values) checkNumber(field, value, least, most);
}
