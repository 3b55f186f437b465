import type { Evaluation, Study } from '@fmri2image/core';
import type { Results } from './results.ts';

/**
 * What the scores cannot say because training trials (split `train` of the study) showed the same. Items with a decoder
 * of their own (`heldOut`) were fitted without it, whatever the study's splits are.
 */
export function sharingNotes(study: Study, { items, kind }: Results, { scored }: Evaluation): string[] {
  const isTraining = study.trials.map((trial) => trial.split === 'train');
  const trained = new Set(study.trials.filter((_, i) => isTraining[i]).map(({ stimulus }) => stimulus));
  const others = scored.map((index) => items[index]!).filter((item) => item.heldOut === undefined);
  const own = others.filter((item) => item.trials.some((trial) => isTraining[trial]));
  const sharing = others.filter((item) => !own.includes(item) && trained.has(item.stimulus));
  const pictures = kind === 'picture' ? 'pictures' : 'stimuli';
  const notes: string[] = [];
  const note = (count: number, what: string) => {
    if (count === 0) return;
    const whose = count === scored.length ? 'the' : 'their';
    notes.push(
      `${count} of ${scored.length} scored trials ${what}: ${whose} scores say nothing about new ${pictures}`,
    );
  };
  note(own.length, 'are training trials themselves');
  note(sharing.length, `show ${pictures} that training trials show, too`);
  return notes;
}
