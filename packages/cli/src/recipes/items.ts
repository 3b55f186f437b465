import type { RecordingFacts, SplitPictures } from '@fmri2image/core';
import type { ResultItem } from '../pipeline/results.ts';
import type { PlannedItem } from './plan.ts';

/** What each row of predictions is of, as reconstructions.json has it. */
export function describeItems(
  items: readonly PlannedItem[],
  { trials, stimulusName }: RecordingFacts,
  pictures: SplitPictures,
): ResultItem[] {
  const trained = new Set(pictures.train);
  return items.map(({ stimulus, trials: own }) => ({
    trials: [...own],
    stimulus,
    stimulusName: stimulusName?.(stimulus),
    run: [...new Set(own.map((trial) => `${trials[trial]!.session}.${trials[trial]!.run}`))].join('+'),
    seen: trained.has(stimulus) ? 'stimulus' : 'no',
  }));
}
