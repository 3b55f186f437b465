import { type BundleModel, F2iError, type Json, type Study, selectionChecksum } from '@fmri2image/core';
import { z } from 'zod';

/** Whether the decoder of a reconstruction had seen it: the trial itself, its picture in another trial, or neither. */
export const SEEN = ['trial', 'stimulus', 'no', 'unknown'] as const;
export type Seen = (typeof SEEN)[number];

const ranges = z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]));
const schema = z.object({ study: z.string(), trials: ranges, stimuli: ranges });

/** What a bundle keeps of the trials it was fitted on: the study's name, and ranges of indices into it. */
export function trainingRecord(study: Study, trials: readonly number[]): Json {
  // Labels are no pictures that could be recognised.
  const stimuli =
    study.stimuli?.kind === 'labels' ? [] : trials.flatMap((trial) => study.trials[trial]!.stimulus ?? []);
  return { study: study.name, trials: toRanges(trials), stimuli: toRanges(stimuli) };
}

/** Tells of each trial of a study whether the decoder with this record had seen it. */
export function seenBy(record: unknown, study: Study): (trial: number) => Seen {
  const parsed = schema.safeParse(record);
  if (!parsed.success || parsed.data.study !== study.name) return () => 'unknown';
  const { trials, stimuli } = parsed.data;
  return (trial) => {
    if (inRanges(trials, trial)) return 'trial';
    const { stimulus } = study.trials[trial]!;
    return stimulus !== undefined && inRanges(stimuli, stimulus) ? 'stimulus' : 'no';
  };
}

/** Trials that the decoder with this record was trained on, as indices; undefined if it knows another study. */
export function trainedTrials(
  record: unknown,
  study: { readonly name: string; readonly trials: readonly unknown[] },
): number[] | undefined {
  const parsed = schema.safeParse(record);
  if (!parsed.success || parsed.data.study !== study.name) return undefined;
  return study.trials.flatMap((_, i) => (inRanges(parsed.data.trials, i) ? [i] : []));
}

/** Stimuli that the decoder with this record was trained on, as indices; undefined if it knows another study. */
export function trainedStimuli(record: unknown, study: Study): number[] | undefined {
  const parsed = schema.safeParse(record);
  if (!parsed.success || parsed.data.study !== study.name) return undefined;
  const count = study.stimuli?.values.shape[0] ?? 0;
  return Array.from({ length: count }, (_, i) => i).filter((i) => inRanges(parsed.data.stimuli, i));
}

function toRanges(indices: readonly number[]): [first: number, last: number][] {
  const found: [number, number][] = [];
  for (const index of [...new Set(indices)].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  }
  return found;
}

function inRanges(list: readonly (readonly [number, number])[], index: number): boolean {
  return list.some(([first, last]) => index >= first && index <= last);
}

/**
 * A decoder is bound to its voxels, in their order; as many others would give pictures that mean nothing.
 *
 * @param columns of the prepared responses
 * @param allow what the user says; undefined where there is no choice
 * @returns a warning for other voxels that were allowed
 * @throws INVALID_ARGUMENT for other voxels of the same number; other numbers are the decoder's to refuse
 */
export async function otherVoxels(
  { voxels, selection, selectionSha256 }: BundleModel['input'],
  study: Study,
  columns: number,
  bundle: string,
  allow?: boolean,
): Promise<string[]> {
  if (selectionSha256 === undefined || columns !== voxels) return [];
  const found = await selectionChecksum(study.selection);
  if (found === undefined || found === selectionSha256) return [];
  const fitted = selection ?? 'others';
  if (allow)
    return [`the decoder was fitted on other voxels (${fitted}) than these (${study.selection.description})`];
  const remedy = allow === undefined ? '' : ' (--allow-other-voxels takes them)';
  throw new F2iError(
    'INVALID_ARGUMENT',
    `the decoder was fitted on other voxels than the study has${remedy}`,
    {
      file: bundle,
      field: 'input.selectionSha256',
      expected: `${selectionSha256.slice(0, 12)} (${fitted})`,
      found: `${found.slice(0, 12)} (${study.selection.description} in ${study.name})`,
    },
  );
}

/** A decoder of a time series is bound to its repetition time: its lags count volumes. */
export function checkRepetitionTime(fitted: number | undefined, study: Study, bundle: string): void {
  if (fitted === undefined || study.tr === undefined || Math.abs(fitted - study.tr) <= 1e-3 * fitted) return;
  throw new F2iError('INVALID_ARGUMENT', 'the decoder was fitted on another repetition time', {
    file: bundle,
    field: 'input.repetitionTime',
    expected: `${fitted} s`,
    found: `${study.tr} s (${study.name})`,
  });
}
