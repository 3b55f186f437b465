import type { FittedStep } from '../../bundle/contents.ts';
import { F2iError } from '../../error.ts';
import type { Rows } from '../../rows.ts';
import { detrend } from '../detrend.ts';
import { standardizeRuns } from '../standardizeRuns.ts';
import { hasBlocks } from './labels.ts';
import { sampleTrials } from './samples.ts';
import type { Study, Trial } from './study.ts';

/** From a study's voxels to the rows that a decoder reads. A bundle carries the steps, so that others repeat them. */
export type PreparationStep =
  | { readonly name: 'detrend'; readonly settings: { readonly cutoffSeconds: number } }
  | { readonly name: 'zscore'; readonly settings: { readonly by: 'run' } }
  | { readonly name: 'sample'; readonly settings: { readonly delays: number[] } };

export interface PreparedStudy {
  /** One row for each trial of the study. */
  readonly voxels: Rows & { readonly data: Float32Array };
  /** Run of each row. */
  readonly runs: readonly string[];
  /** What the steps saw. */
  readonly ledger: readonly FittedStep[];
}

/** Fluctuations slower than this are drift: SPM's default. */
export const DRIFT_CUTOFF_SECONDS = 128;
/** The note of a step that treats each run by itself and without its labels. Bundles hold it: it stays as it is. */
const OWN_RUN_ALONE = 'each run by itself, without its labels: nothing passes from test to training';

/** Whether a step treated each run by itself, without labels: what it saw of test runs stayed in them. */
export const keepsToOwnRun = ({ note }: FittedStep): boolean => note === OWN_RUN_ALONE;

/** Seconds after onset at which responses to short events are read: around the peak of the response. */
export const EVENT_DELAYS = [3.5, 5, 6.5, 8] as const;

/** What is done unless told otherwise: time series of separate trials are detrended and read around the peak. */
export function defaultPreparation(study: Study): PreparationStep[] {
  if (study.rows === 'trials' || study.continuous) return [];
  return [
    { name: 'detrend', settings: { cutoffSeconds: DRIFT_CUTOFF_SECONDS } },
    { name: 'sample', settings: { delays: [...EVENT_DELAYS] } },
  ];
}

/**
 * Seconds after a labelled volume at which the series is read: from the volume itself, which also responds to the volumes
 * of its block before it, to the peak of its response.
 */
export const BLOCK_DELAYS = [0, 2.5, 5] as const;

/**
 * What is done to decode labels unless told otherwise. Of volumes in blocks: a line is removed from each run, and no
 * cosines, as a condition that comes once in a run is as slow as the drifts; each voxel is z-scored in each run; and the
 * volume is read with those that follow, up to the peak of its response. Of events: as for pictures, and z-scored.
 */
export function labelPreparation(study: Study): PreparationStep[] {
  if (study.rows === 'trials') return [];
  const blocks = hasBlocks(study);
  const longest = Math.max(...study.runs.map(({ start, end }) => end - start)) * study.tr!;
  const cutoffSeconds = blocks ? Math.floor(2 * longest) + 1 : DRIFT_CUTOFF_SECONDS;
  return [
    { name: 'detrend', settings: { cutoffSeconds } },
    { name: 'zscore', settings: { by: 'run' } },
    { name: 'sample', settings: { delays: [...(blocks ? BLOCK_DELAYS : EVENT_DELAYS)] } },
  ];
}

/** Lags in volumes whose delays lie around the peak of the response, for continuous stimuli. */
export function lagsOfDelays(delays: readonly number[], tr: number): number[] {
  return [...new Set(delays.map((delay) => Math.round(delay / tr)))];
}

/**
 * Applies the steps in order.
 *
 * @throws F2iError if a step does not fit the study: a fitted decoder must get what it was fitted on
 */
export function prepareStudy(study: Study, steps: readonly PreparationStep[]): PreparedStudy {
  let current = study;
  const ledger: FittedStep[] = study.repairs.map((step) => ({ step, runs: [], sawTest: 'unknown' }));
  const runs = study.trials.map((trial) => trial.run);
  let delays: readonly number[] | undefined;
  for (const step of steps) {
    if (study.rows !== 'volumes') {
      const fitted = `the decoder was fitted on a time series (its preparation has a step "${step.name}")`;
      throw new F2iError('INVALID_ARGUMENT', `${fitted}; ${study.name} holds one row a trial`, {
        field: 'voxels.rows',
        expected: '"volumes"',
        found: `"${study.rows}"`,
      });
    }
    if (step.name === 'detrend') {
      const labels = volumeRuns(study);
      const { cutoffSeconds } = step.settings;
      const clean = detrend(current.voxels, { tr: study.tr!, cutoffSeconds, runs: labels });
      current = { ...current, voxels: clean };
      ledger.push({
        step: `drift of each run (${driftInWords(study, cutoffSeconds)})`,
        runs: study.runs.map((run) => run.name),
        sawTest: 'yes',
        note: OWN_RUN_ALONE,
      });
    } else if (step.name === 'zscore') {
      current = { ...current, voxels: standardizeRuns(current.voxels, volumeRuns(study)) };
      ledger.push({
        step: 'z-scores of each voxel in each run, over all volumes, labelled or not',
        runs: study.runs.map((run) => run.name),
        sawTest: 'yes',
        note: OWN_RUN_ALONE,
      });
    } else {
      delays = step.settings.delays;
    }
  }
  if (study.rows === 'volumes' && !study.continuous && !delays) {
    const fitted = 'the decoder was fitted on one row a trial (its preparation has no step "sample")';
    throw new F2iError(
      'INVALID_ARGUMENT',
      `${fitted}; ${study.name} holds a time series with separate trials`,
      {
        field: 'voxels.rows',
        expected: '"trials"',
        found: `"${study.rows}"`,
      },
    );
  }
  const sampled = study.continuous ? takeVolumes(current) : sampleTrials(current, { delays: delays ?? [0] });
  return { voxels: sampled, runs, ledger };
}

/** Slower than half a cosine over the longest run, there is a line alone. */
function driftInWords({ runs, tr }: Study, cutoffSeconds: number): string {
  const longest = Math.max(...runs.map(({ start, end }) => end - start)) * tr!;
  return 2 * longest < cutoffSeconds ? 'a line' : `line, cosines slower than ${cutoffSeconds} s`;
}

/** Run of each volume; volumes outside all runs are runs of their own. */
function volumeRuns(study: Study): string[] {
  const labels = Array.from({ length: study.voxels.shape[0]! }, () => '');
  for (const { name, start, end } of study.runs) labels.fill(`run ${name}`, start, end);
  return labels;
}

function takeVolumes({ voxels, trials }: Study): Rows & { readonly data: Float32Array } {
  return takeRows(
    voxels,
    trials.map((trial: Trial) => trial.volume!),
  );
}

/** Copies rows, in the order given. */
export function takeRows(
  { data, shape }: Rows,
  rows: ArrayLike<number>,
): Rows & { readonly data: Float32Array } {
  const length = data.length / shape[0]!;
  const taken = new Float32Array(rows.length * length);
  for (let i = 0; i < rows.length; i++) {
    taken.set(data.subarray(rows[i]! * length, (rows[i]! + 1) * length), i * length);
  }
  return { data: taken, shape: [rows.length, ...shape.slice(1)] };
}
