import {
  type AlphaScore,
  type Backend,
  blocksOf,
  type DecoderOutput,
  defaultPreparation,
  EVENT_DELAYS,
  F2iError,
  type FittedStep,
  kFolds,
  labelPreparation,
  lagsOfDelays,
  leaveOneGroupOut,
  type PreparationStep,
  type PreparedStudy,
  type RetinotopicDecoderOptions,
  type RidgeBands,
  RidgeDecoder,
  type RidgeForm,
  type Rows,
  type Split,
  type Stimuli,
  type Study,
  selectionChecksum,
  type Trial,
  takeRows,
  withoutShared,
} from '@fmri2image/core';
import type { Console } from '../console.ts';
import { type Grouping, labelsOf } from './select.ts';
import { decodesLabels, type Targets } from './targets.ts';

/** Decoders that the command line fits. */
export const DECODER_KINDS = ['ridge', 'retinotopic'] as const;
export type DecoderKind = (typeof DECODER_KINDS)[number];

/** Settings of a fit, as the command line states them. */
export interface FitSettings {
  /** Ridge when absent. */
  readonly decoder?: DecoderKind | undefined;
  /** What it is fitted to; stimuli when absent. See `withTargets`. */
  readonly targets?: Targets | undefined;
  /** Of the retinotopic decoder. */
  readonly retinotopic?: RetinotopicDecoderOptions | undefined;
  readonly alphas?: readonly number[] | undefined;
  readonly perTarget: boolean;
  readonly score: AlphaScore;
  /** Folds that choose alphas: of successive trials, or leaving one group out. */
  readonly folds?: number | undefined;
  readonly groupBy: Grouping;
  /** Sets of delays to choose from; see `chooseDelays`. */
  readonly delaySets?: readonly (readonly number[])[] | undefined;
  /** Seconds after onset; of continuous stimuli rounded to volumes. */
  readonly delays?: readonly number[] | undefined;
  /** What was fitted before, for the ledger. */
  readonly ledger?: readonly FittedStep[] | undefined;
  /** Cutoff in seconds; 0: no detrending. */
  readonly detrend?: number | undefined;
  /** Z-scores of each run by itself; of labels by default. */
  readonly zscore?: 'run' | 'none' | undefined;
  /** Bands of the study's voxels; see `readBands`. */
  readonly bands?: RidgeBands | undefined;
  readonly storage: RidgeForm | 'auto';
  readonly standardize: boolean;
  /** Whether test trials are among the training trials, for the ledger. */
  readonly sawTest: 'yes' | 'no' | 'unknown';
}

export interface FitContext {
  readonly backend: Backend;
  readonly signal: AbortSignal;
  readonly console: Console;
}

/** The preparation that the settings ask for. */
export function plannedPreparation(
  study: Study,
  { delays, delaySets, detrend, zscore }: FitSettings,
): PreparationStep[] {
  if (study.rows === 'trials' && (delaySets || detrend !== undefined || zscore === 'run')) {
    throw new F2iError('USAGE', '--delays, --detrend and --zscore are for time series', {
      file: study.name,
      field: 'voxels.rows',
      expected: 'volumes',
      found: 'trials',
    });
  }
  const usual = decodesLabels(study) ? labelPreparation(study) : defaultPreparation(study);
  const step = <N extends PreparationStep['name']>(name: N) =>
    usual.find((each): each is Extract<PreparationStep, { name: N }> => each.name === name);
  const cutoffSeconds = detrend ?? step('detrend')?.settings.cutoffSeconds ?? 0;
  const scaled = study.rows === 'volumes' && (zscore ?? step('zscore')?.settings.by ?? 'none') === 'run';
  const sampled = step('sample');
  const steps: PreparationStep[] = [];
  if (cutoffSeconds > 0) steps.push({ name: 'detrend', settings: { cutoffSeconds } });
  if (scaled) steps.push({ name: 'zscore', settings: { by: 'run' } });
  if (sampled) steps.push({ name: 'sample', settings: { delays: [...(delays ?? sampled.settings.delays)] } });
  return steps;
}

/** Which voxels a decoder is fitted on, for its bundle; `otherVoxels` compares. */
export async function voxelInput({ selection }: Study) {
  return { selection: selection.description, selectionSha256: await selectionChecksum(selection) };
}

/** Fits ridge on some trials of a prepared study. */
export async function fitRidgeDecoder(
  study: Study,
  prepared: PreparedStudy,
  steps: readonly PreparationStep[],
  trials: readonly number[],
  settings: FitSettings,
  { backend, signal, console }: FitContext,
): Promise<RidgeDecoder> {
  const { stimuli } = study;
  if (!stimuli) {
    throw new F2iError('USAGE', 'a decoder to pictures or features needs stimuli', {
      file: study.name,
      field: 'stimuli',
    });
  }
  const some = trials.map((trial) => study.trials[trial]!);
  const targets = takeRows(
    stimuli.values,
    some.map((trial) => trial.stimulus!),
  );
  const shape = stimuli.values.shape.slice(1);
  return RidgeDecoder.fit(
    {
      voxels: takeRows(prepared.voxels, trials),
      targets,
      output: outputOf(stimuli, shape),
      runs: some.map((trial) => trial.run),
      groups: labelsOf(some, settings.groupBy),
      input: {
        ...(await voxelInput(study)),
        repetitionTime: study.tr,
        preprocess: steps.map(({ name, settings }) => ({ name, settings })),
      },
      sawTest: settings.sawTest,
      ledger: [...prepared.ledger, ...(settings.ledger ?? [])],
    },
    {
      alphas: settings.alphas?.length === 1 ? settings.alphas[0] : settings.alphas,
      perTarget: settings.perTarget,
      score: settings.score,
      folds: innerFolds(some, settings, study),
      standardize: settings.standardize,
      lags: study.continuous ? lagsOfDelays(settings.delays ?? EVENT_DELAYS, study.tr!) : undefined,
      storage: settings.storage,
      bands: settings.bands && bandsOfRows(settings.bands, prepared.voxels.shape[1]!),
    },
    {
      backend,
      signal,
      onProgress: ({ phase, done, total }) => console.progress(`ridge: ${phase}`, done / total),
    },
  );
}

/** Rows that hold each voxel at several delays, side by side: it is in its band at each. */
function bandsOfRows({ labels, ...bands }: RidgeBands, width: number): RidgeBands {
  return { ...bands, labels: Array.from({ length: width }, (_, column) => labels[column % labels.length]) };
}

function outputOf(stimuli: Stimuli, shape: readonly number[]): DecoderOutput {
  if (stimuli.kind === 'pictures') return { kind: 'picture', shape, range: [0, 1] };
  if (stimuli.kind === 'labels') return { kind: 'labels', shape, names: stimuli.names };
  return { kind: 'features', shape, name: stimuli.name };
}

/**
 * Folds that choose the penalty: whole groups held out, or k blocks of successive trials. Repeats of a stimulus are
 * never on both sides, and neither are volumes of one block where labels are decoded.
 */
export function innerFolds(trials: readonly Trial[], { folds, groupBy }: FitSettings, study: Study): Split[] {
  const isLabels = decodesLabels(study);
  const together = isLabels
    ? [...blocksOf({ trials, rows: study.rows })]
    : trials.map((trial) => trial.stimulus!);
  const groups = labelsOf(trials, groupBy);
  if (folds === undefined && new Set(groups).size > 1) {
    const splits = leaveOneGroupOut(groups, groupBy);
    return isLabels ? splits : withoutShared(splits, together);
  }
  const distinct = new Set(together).size;
  return kFolds(trials.length, { folds: folds ?? Math.min(5, distinct), together });
}

/** Mean picture (or feature) over the training trials. */
export function meanTarget(study: Study, trials: readonly number[]): Rows & { readonly data: Float32Array } {
  const { data, shape } = study.stimuli!.values;
  const length = data.length / shape[0]!;
  const mean = new Float64Array(length);
  for (const trial of trials) {
    const at = study.trials[trial]!.stimulus! * length;
    for (let i = 0; i < length; i++) mean[i]! += data[at + i]! / trials.length;
  }
  return { data: Float32Array.from(mean), shape: [1, ...shape.slice(1)] };
}
