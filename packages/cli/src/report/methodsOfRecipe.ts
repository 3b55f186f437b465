import { HEADS_KIND, type HeadsConfig, RECIPES } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import type { RecordingRows, SideRows } from '../pipeline/recordingRows.ts';
import type { Results } from '../pipeline/results.ts';
import { counted, listed } from './format.ts';
import type { Citations } from './references.ts';

/** Papers of recipes that the text can cite. */
const PAPERS: Readonly<Record<string, string>> = { 'brain-diffuser': 'ozcelik' };

/** What rows are, by where the repeats of a picture were averaged. */
export const AVERAGES: Readonly<Record<string, string>> = {
  none: 'single trials',
  betas: 'betas averaged over the repeats of a picture',
  normalised: 'normalised responses averaged over the repeats of a picture',
  predictions: 'single trials, whose predictions were averaged over the repeats of a picture',
};

const RENORMALISED: Readonly<Record<string, string>> = {
  'stored-training':
    'Predictions were given the mean and standard deviation of the training targets, by statistics of training predictions.',
  'test-predictions':
    'Predictions were given the mean and standard deviation of the training targets, by statistics of the test predictions themselves, as published: each depends on the other test rows.',
};

/** What was measured, and which of it trained and tested the head. */
export function recordingSentences(
  { trials, sessions, runs, pictures, split, counts, training, test }: RecordingRows,
  voxels: number | undefined,
): string[] {
  const of = (side: SideRows) => `${counted(side.trials, 'trial')} of ${counted(side.pictures, 'picture')}`;
  const others = counts.filter((line) => line.includes('published'));
  return [
    `The data were response amplitudes of ${voxels === undefined ? 'an unknown number of voxels' : counted(voxels, 'voxel')} in ${counted(trials, 'trial')} of ${counted(pictures, 'picture')} (${counted(sessions.length, 'session')}, ${counted(runs, 'run')}).`,
    `Of these, ${of(training)} were for training and ${of(test)} for testing (split "${split}").`,
    ...(others.length > 0 ? [`The split was published with other counts: ${listed(others)}.`] : []),
  ];
}

/**
 * How the head of a recipe was fitted.
 *
 * @returns undefined for other decoders
 */
export function recipeSentences(
  { array, provenance }: Pick<Results, 'array' | 'provenance'>,
  fold: FoldRecord | undefined,
  citations: Citations,
): string[] | undefined {
  if (provenance.decoder !== HEADS_KIND || !fold) return undefined;
  const { recipe, split, normalisation, testAverage, designs, heads } = fold.config as unknown as HeadsConfig;
  const head = heads.find(({ name }) => name === array) ?? heads[0]!;
  const design = designs[head.design]!;
  const published = RECIPES.find(({ name }) => name === recipe);
  const paper = PAPERS[recipe];
  const by = published
    ? `the recipe of ${published.title} ${paper === undefined ? `(${published.paper})` : citations.cite(paper)}`
    : 'a recipe of our own';
  const reported = (fold.report.heads as { name: string; alpha: unknown }[] | undefined)?.find(
    ({ name }) => name === head.name,
  );
  const penalty =
    typeof reported?.alpha === 'number'
      ? `one stated penalty (alpha ${reported.alpha})`
      : 'penalties chosen inside the training rows';
  const sentences = [
    `Features of the pictures (${head.what === head.name ? head.name : `${head.name}: ${head.what}`}) were predicted by ridge regression after ${by}: ${design.rows} training rows (${AVERAGES[design.average]}) of ${design.voxels} voxels (ROI ${design.roi}), normalised as "${normalisation}", ${design.intercept ? 'with' : 'without'} intercept, ${penalty}; split "${split}"; tested on ${AVERAGES[testAverage]}.`,
  ];
  const renormalised = RENORMALISED[head.renormalise];
  if (renormalised !== undefined) sentences.push(renormalised);
  return sentences;
}
