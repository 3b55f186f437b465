import { F2iError } from '../../error.ts';
import type { Stimuli, Study, Trial } from './study.ts';

/** What is shown, where the trials' labels are what a decoder shall tell apart. */
export type LabelStimuli = Extract<Stimuli, { kind: 'labels' }>;

/** A study whose trials show their labels. */
export type LabelledStudy = Study & { readonly stimuli: LabelStimuli };

/**
 * The study with labels for stimuli: each trial shows its label, as a target of 1 for it and 0 for the others (one-hot).
 * Regression on such targets estimates how likely each label is, given the response, and the largest one decides: linear
 * discriminant analysis up to its thresholds (Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning,
 * section 4.2).
 *
 * @param names of the labels, in the order of their scores; those that trials have, in alphabetical order, when absent
 * @throws USAGE where a trial has no label or one that is not among the names, or all have the same
 */
export function labelTargets(study: Study, names: readonly string[] = labelsIn(study)): LabelledStudy {
  const indexOf = new Map(names.map((name, i) => [name, i]));
  const trials = study.trials.map((trial, i): Trial => {
    const stimulus = trial.label === undefined ? undefined : indexOf.get(trial.label);
    if (stimulus !== undefined) return { ...trial, stimulus };
    throw new F2iError('USAGE', `trial ${i + 1} has no label that can be decoded`, {
      file: study.name,
      field: 'trials.label',
      expected: names.length > 0 ? `one of ${names.join(', ')}` : 'a label of each trial (docs/study.md)',
      found: trial.label ?? 'none',
    });
  });
  if (names.length < 2) {
    throw new F2iError('USAGE', 'there is nothing to tell apart', {
      file: study.name,
      field: 'trials.label',
      expected: 'two labels or more',
      found: names.join(', ') || 'none',
    });
  }
  const k = names.length;
  const data = Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
  const stimuli: LabelStimuli = { kind: 'labels', names: [...names], values: { data, shape: [k, k] } };
  return { ...study, trials, stimuli };
}

const labelsIn = ({ trials }: Study): string[] =>
  [...new Set(trials.flatMap(({ label }) => label ?? []))].sort();

/**
 * Block of each trial, counted from 0: volumes of one label that follow each other without a gap in one run. Responses to
 * them are not independent, and a design draws the order of blocks, not of volumes. Separate trials are blocks of their
 * own.
 */
export function blocksOf({ trials, rows }: Pick<Study, 'trials' | 'rows'>): Int32Array {
  let block = -1;
  return Int32Array.from(trials, (trial, i) => {
    const before = trials[i - 1];
    const goesOn =
      rows === 'volumes' &&
      before !== undefined &&
      before.run === trial.run &&
      before.label === trial.label &&
      trial.volume! - before.volume! === 1;
    return goesOn ? block : ++block;
  });
}

/** Whether labels are of volumes, several to a block, and not of separate events. */
export const hasBlocks = (study: Pick<Study, 'trials' | 'rows'>): boolean =>
  study.trials.length > 0 && blocksOf(study).at(-1)! + 1 < study.trials.length;
