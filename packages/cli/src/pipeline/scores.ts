import type { MetricResult, Study } from '@fmri2image/core';
import type { ScoredResults } from './evaluate.ts';
import type { Results } from './results.ts';

/** A column of scores.tsv. */
interface Column {
  readonly name: string;
  readonly description: string;
  /** Of scored trial i (its place among the scored ones) and item `index`; undefined: n/a. */
  readonly value: (i: number, index: number) => string | number | undefined;
}

/** The table of scores by trial, and what its columns mean: for people, and as a BIDS sidecar. */
export interface ScoresTable {
  readonly tsv: string;
  readonly sidecar: { readonly [column: string]: { readonly Description: string } };
}

/** One line for each scored trial. */
export function scoresTable(study: Study, results: Results, evaluation: ScoredResults): ScoresTable {
  const columns = [...describing(study, results, evaluation), ...scoring(evaluation)];
  const lines = evaluation.scored.map((index, i) =>
    columns.map(({ value }) => cell(value(i, index))).join('\t'),
  );
  const header = columns.map(({ name }) => name).join('\t');
  return {
    tsv: `${[header, ...lines].join('\n')}\n`,
    sidecar: Object.fromEntries(columns.map(({ name, description }) => [name, { Description: description }])),
  };
}

function cell(value: string | number | undefined): string {
  if (value === undefined || value === '') return 'n/a';
  return typeof value === 'number' ? value.toFixed(6) : value.replace(/[\s\p{Cc}]/gu, ' ');
}

function describing(study: Study, { items }: Results, { nearestStimulus }: ScoredResults): Column[] {
  const nameOf = (stimulus: number | undefined) =>
    stimulus === undefined ? undefined : (study.stimuli?.names[stimulus] ?? String(stimulus));
  const columns: Column[] = [
    {
      name: 'trial',
      description:
        'Number of the trial in the study, from 1; several, joined by +, where repeats were averaged',
      value: (_, index) => items[index]!.trials.map((trial) => trial + 1).join('+'),
    },
    { name: 'run', description: 'Run, or runs, of the trial', value: (_, index) => items[index]!.run },
    {
      name: 'stimulus',
      description: 'Name of the stimulus that was shown',
      value: (_, index) => nameOf(items[index]!.stimulus),
    },
  ];
  if (study.trials.some(({ label }) => label !== undefined)) {
    columns.push({
      name: 'category',
      description: 'Label of the trial in the study',
      value: (_, index) => study.trials[items[index]!.trials[0]!]!.label,
    });
  }
  if (nearestStimulus) {
    columns.push({
      name: 'nearest_training_stimulus',
      description:
        'Stimulus among those its decoder was trained on whose picture correlates most with the reconstruction',
      value: (_, index) => nameOf(nearestStimulus[index]),
    });
  }
  return columns;
}

function retrievalColumns({ retrieval, arrays }: ScoredResults): Column[] {
  if (!retrieval) return [];
  const { imageToBrain, brainToImage, pool, k } = retrieval;
  const among = `among the ${k} most similar of a random pool of ${pool}; chance ${k / pool}; of ${arrays.retrieval}.npy`;
  return [
    {
      name: 'retrieval_image_to_brain',
      description: `Probability that the response to this stimulus is ${among}; candidates are responses`,
      value: (i) => imageToBrain.perTrial[i],
    },
    {
      name: 'retrieval_brain_to_image',
      description: `Probability that the stimulus of this response is ${among}; candidates are stimuli`,
      value: (i) => brainToImage.perTrial[i],
    },
  ];
}

function scoring(evaluation: ScoredResults): Column[] {
  const { twoWay, withinCategory, acrossCategories, frameCorrelation, scored } = evaluation;
  const identification =
    'Share of the scored trials with other stimuli whose picture correlates less with the reconstruction than the one that was shown; chance 0.5';
  const correlation =
    'Pearson correlation of the reconstruction with the picture that was shown; it has no chance level, see frame_correlation_mean_picture';
  const partial = (
    name: string,
    result: (MetricResult & { readonly scored: readonly number[] }) | undefined,
    who: string,
  ): Column[] => {
    if (!result) return [];
    const at = new Map(result.scored.map((index, i) => [index, i]));
    const value = (_: number, index: number) => {
      const i = at.get(index);
      return i === undefined ? undefined : result.perTrial[i];
    };
    return [
      { name, description: `Two-way identification among pictures of ${who} alone; chance 0.5`, value },
    ];
  };
  const columns: Column[] = [
    { name: 'two_way_identification', description: identification, value: (i) => twoWay.perTrial[i] },
    { name: 'frame_correlation', description: correlation, value: (i) => frameCorrelation.perTrial[i] },
    ...partial('two_way_within_category', withinCategory, 'the same category'),
    ...partial('two_way_across_categories', acrossCategories, 'other categories'),
    ...retrievalColumns(evaluation),
  ];
  for (const [control, whose] of [
    ['meanPicture', 'a constant prediction, the mean training target, in its place'],
    ['nearestTraining', 'the training picture nearest to the reconstruction in its place'],
    ['bestTraining', 'the training picture nearest to the true picture in its place'],
    ['shuffled', 'a random reconstruction of the same run in its place, on average'],
  ] as const) {
    if (!twoWay.controls[control]) continue;
    const suffix = control.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    for (const [name, metric] of [
      ['two_way_identification', twoWay],
      ['frame_correlation', frameCorrelation],
    ] as const) {
      columns.push({
        name: `${name}_${suffix}`,
        description: `${name}, with ${whose}`,
        value: (i) => metric.controls[control]![i],
      });
    }
  }
  return scored.length === 0 ? [] : columns;
}
