import { type DecoderOutput, type LabelledStudy, labelTargets, type Study } from '@fmri2image/core';
import { usage } from '../options.ts';
import type { Results } from './results.ts';

/** What a decoder is fitted to: what was shown, or the labels of trials. */
export const TARGETS = ['stimuli', 'labels'] as const;
export type Targets = (typeof TARGETS)[number];

export const decodesLabels = (study: Study): study is LabelledStudy => study.stimuli?.kind === 'labels';

/**
 * The study as a decoder is fitted to it: with its stimuli, or with its trials' labels in their place.
 *
 * @throws USAGE where there are none
 */
export function withTargets(study: Study, targets: Targets = 'stimuli'): Study {
  if (targets === 'labels') return labelTargets(study);
  if (study.stimuli) return study;
  throw usage(`${study.name} has no stimuli to decode to${insteadOfStimuli(study)}`);
}

/** What its trials can be decoded to. */
function insteadOfStimuli({ trials }: Study): string {
  if (trials.every(({ label }) => label !== undefined))
    return ' (--targets labels decodes the labels of its trials)';
  if (trials.every(({ stimulusName }) => stimulusName !== undefined))
    return ' (--recipe custom --targets NAME=FILE decodes features of what its trials name)';
  return ': its trials name neither stimulus nor label';
}

/**
 * The study as a fitted decoder of labels sees it: where it knows all labels of the trials, these are what was shown, and
 * otherwise nothing is known of that.
 */
export function withLabelsOf(study: Study, output: DecoderOutput): Study {
  if (output.kind !== 'labels') return study;
  const { names } = output;
  if (study.trials.every(({ label }) => label !== undefined && names.includes(label))) {
    return labelTargets(study, names);
  }
  return { ...study, stimuli: undefined, trials: study.trials.map(({ stimulus: _, ...trial }) => trial) };
}

/** The kind of results that a decoder of such a study gives. */
export function kindOf(study: Study): Results['kind'] {
  const { kind } = study.stimuli!;
  return kind === 'pictures' ? 'picture' : kind;
}
