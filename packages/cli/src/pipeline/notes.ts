import type { Evaluation, Study } from '@fmri2image/core';
import type { ResultItem, Results } from './results.ts';
import type { Seen } from './training.ts';

/** What the scores cannot say because the decoder had seen scored trials, or their pictures, in training. */
export function sharingNotes(study: Study, { items, kind }: Results, { scored }: Evaluation): string[] {
  const seen = seenInTraining(study);
  const counts: Record<Seen, number> = { trial: 0, stimulus: 0, no: 0, unknown: 0 };
  for (const index of scored) counts[seen(items[index]!)]++;
  const pictures = kind === 'picture' ? 'pictures' : 'stimuli';
  const notes: string[] = [];
  const note = (count: number, what: string) => {
    if (count === 0) return;
    const whose = count === scored.length ? 'the' : 'their';
    notes.push(
      `${count} of ${scored.length} scored trials ${what}: ${whose} scores say nothing about new ${pictures}`,
    );
  };
  note(counts.trial, 'are training trials themselves');
  note(counts.stimulus, `show ${pictures} that training trials show, too`);
  return notes;
}

/** What reconstruction noted of each item; where it could not know, what the splits of the study say. */
function seenInTraining(study: Study): (item: ResultItem) => Seen {
  const isTraining = study.trials.map((trial) => trial.split === 'train');
  const trained = new Set(study.trials.filter((_, i) => isTraining[i]).map(({ stimulus }) => stimulus));
  return ({ seen, trials, stimulus }) => {
    if (seen !== 'unknown' || trained.size === 0) return seen;
    if (trials.some((trial) => isTraining[trial])) return 'trial';
    return trained.has(stimulus) ? 'stimulus' : 'no';
  };
}
