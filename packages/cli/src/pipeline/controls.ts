import { type Backend, nearestPictures, type Rows, type Study, takeRows } from '@fmri2image/core';
import type { Results } from './results.ts';
import { trainedStimuli } from './training.ts';

/** Training pictures in place of the reconstructions: what choosing among them would give. */
export interface TrainingControls {
  /** [items, ...]: nearest to each reconstruction, among the training pictures of its fold. */
  readonly nearest: Rows;
  /** Index of that stimulus in the study; undefined where the reconstruction is constant. */
  readonly nearestStimulus: readonly (number | undefined)[];
  /** [items, ...]: nearest to each true picture. */
  readonly best: Rows;
}

/** Undefined where it is not known of every item which pictures of this study its decoder was trained on. */
export async function trainingControls(
  study: Study,
  { items, values, folds }: Results,
  context: { backend: Backend; signal: AbortSignal },
): Promise<TrainingControls | undefined> {
  const { stimuli } = study;
  if (!stimuli || !folds) return undefined;
  const size = values.data.length / items.length;
  const nearest = new Float32Array(values.data.length);
  const best = new Float32Array(values.data.length);
  const nearestStimulus = new Array<number | undefined>(items.length);
  const covered = new Set<number>();
  for (const fold of folds) {
    const rows = items.flatMap(({ heldOut }, i) => (heldOut === fold.heldOut ? [i] : []));
    const known = trainedStimuli(fold.training, study);
    if (!known || known.length === 0 || rows.length === 0) continue;
    const pictures = takeRows(stimuli.values, known);
    const truth = takeRows(
      stimuli.values,
      rows.map((i) => items[i]!.stimulus!),
    );
    const found = await nearestPictures(pictures, takeRows(values, rows), context);
    const ideal = await nearestPictures(pictures, truth, context);
    for (const [j, i] of rows.entries()) {
      covered.add(i);
      nearest.set(found.pictures.data.subarray(j * size, (j + 1) * size), i * size);
      best.set(ideal.pictures.data.subarray(j * size, (j + 1) * size), i * size);
      nearestStimulus[i] = known[found.rows[j]!];
    }
  }
  if (covered.size < items.length) return undefined;
  const { shape } = values;
  return { nearest: { data: nearest, shape }, nearestStimulus, best: { data: best, shape } };
}
