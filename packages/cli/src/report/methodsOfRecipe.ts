import { HEADS_KIND, type HeadsConfig, type Json, RECIPES } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import type { RecordingRows, SideRows } from '../pipeline/recordingRows.ts';
import type { Results } from '../pipeline/results.ts';
import { CRITERIA, record } from './choices.ts';
import { counted, listed, short } from './format.ts';
import { headBandSentences } from './methodsOfBands.ts';
import { normalisationSentence, publishedBy, roiInWords, splitInWords } from './publishedTerms.ts';
import type { Citations } from './references.ts';

/** What rows are, by where the repeats of a picture were averaged. */
export const AVERAGES: Readonly<Record<string, string>> = {
  none: 'single trials',
  betas: 'betas averaged over the repeats of a picture',
  normalised: 'normalised responses averaged over the repeats of a picture',
  predictions: 'single trials, whose predictions were averaged over the repeats of a picture',
};

const RENORMALISED: Readonly<Record<string, string>> = {
  'stored-training':
    'As ridge regression shrinks its predictions, each value was given back the mean and standard deviation of its training targets, by the statistics of the training predictions.',
  'test-predictions':
    'As ridge regression shrinks its predictions, each value was given back the mean and standard deviation of its training targets, by the statistics of the test predictions themselves, as published: each prediction depends on the other test rows.',
};

/** What was measured, and which of it trained and tested the head. */
export function recordingSentences(
  { trials, sessions, runs, pictures, split, counts, training, test }: RecordingRows,
  fold: Pick<FoldRecord, 'voxels' | 'ledger'> | undefined,
  citations: Citations,
): string[] {
  const voxels = fold?.voxels;
  const betas = fold?.ledger.find(({ step }) => step === 'betas of single trials')?.note;
  const of = (side: SideRows) => `${counted(side.trials, 'trial')} of ${counted(side.pictures, 'picture')}`;
  const others = counts.flatMap((line) => {
    const [, here, what, published] = /^([\d,]+) (.+) \(published: ([\d,]+)\)$/.exec(line) ?? [];
    return published === undefined ? [] : [`${published} ${what} (here ${here})`];
  });
  return [
    `The data were response amplitudes of ${voxels === undefined ? 'an unknown number of voxels' : counted(voxels, 'voxel')} in ${counted(trials, 'trial')} of ${counted(pictures, 'picture')} (${counted(sessions.length, 'session')}, ${counted(runs, 'run')}).`,
    `Of these, ${of(training)} were for training and ${of(test)} for testing, ${splitInWords(split, citations)}.`,
    ...(betas === undefined
      ? []
      : [
          `Betas of single trials had been estimated beforehand (${betas})${/\bNSD\b/.test(betas) ? ` ${citations.cite('allen')}` : ''}.`,
        ]),
    ...(others.length > 0 ? [`The published split has other counts: ${listed(others)}.`] : []),
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
  const { recipe, normalisation, designs, heads } = fold.config as unknown as HeadsConfig;
  const head = heads.find(({ name }) => name === array) ?? heads[0]!;
  const { rows, average, voxels, roi, intercept, unitVoxels } = designs[head.design]!;
  const size = `${head.shape.join(' × ')} values`;
  const what = head.what === head.name ? `${head.name}, ${size}` : `${head.what}; ${size}`;
  const like = publishedBy(recipe, citations) ?? RECIPES.find(({ name }) => name === recipe)?.title;
  const units = [unitVoxels && 'Responses of a row', head.unitTargets && 'tokens of the features'].filter(
    (one) => one !== false,
  );
  const { penalties, headBands } = fold.report;
  return [
    normalisationSentence(normalisation, citations),
    `Features of the pictures (${what}) were predicted by ridge regression ${citations.cite('hoerl')} ${intercept ? 'with' : 'without'} an intercept${like === undefined ? '' : `, following ${like}`}, fitted on ${counted(rows, 'training row')} (${AVERAGES[average]}) of ${counted(voxels, 'voxel')} (${roiInWords(roi)}).`,
    ...(units.length > 0 ? [`${listed(units)} were brought to a Euclidean length of 1.`] : []),
    penaltySentence(alphaOf(fold, head.name), record(penalties)?.[head.name]),
    ...headBandSentences(record(headBands)?.[head.name], citations),
    ...(RENORMALISED[head.renormalise] === undefined ? [] : [RENORMALISED[head.renormalise]!]),
  ];
}

const alphaOf = ({ report }: FoldRecord, name: string): Json | undefined =>
  Array.isArray(report.heads)
    ? report.heads.map(record).find((head) => head?.name === name)?.alpha
    : undefined;

/** What the penalty was, or how it was chosen, as far as that is recorded. */
function penaltySentence(alpha: Json | undefined, choice: Json | undefined): string {
  if (typeof alpha === 'number') return `The penalty was set to ${short(alpha)} for all values, not chosen.`;
  const { grid, folds, score, perTarget } = record(choice) ?? {};
  const { count, seed, together } = record(folds) ?? {};
  if (!Array.isArray(grid) || typeof count !== 'number') {
    return 'Penalties were chosen by cross-validation inside the training rows.';
  }
  const range = grid.map(Number).sort((a, b) => a - b);
  const dealt = seed === undefined ? 'blocks of successive rows' : `rows dealt at random, seed ${seed}`;
  return `The penalty, ${perTarget === true ? 'of each value by itself' : 'one for all values'}, was chosen from ${counted(grid.length, 'candidate')} from ${short(range[0]!)} to ${short(range.at(-1)!)} by ${count}-fold cross-validation inside the training rows (${dealt}${together === true ? ', repeats of a picture together' : ''}; by ${CRITERIA[String(score)] ?? score}).`;
}
