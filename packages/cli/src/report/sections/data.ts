import type { Study } from '@fmri2image/core';
import type { RecordingRows, SideRows } from '../../pipeline/recordingRows.ts';
import { termsOf } from '../../terms.ts';
import { type ReportCommon, scoredItems } from '../data.ts';
import { counted, listed, short } from '../format.ts';
import { type Html, html } from '../html.ts';
import { AVERAGES } from '../methodsOfRecipe.ts';
import { facts } from '../parts.ts';
import type { Section } from '../section.ts';

/** What was measured. */
export const dataSection: Section = {
  id: 'data',
  title: 'Data',
  short: 'Data',
  body: (data) => {
    const { results, evaluation } = data;
    if (results.rows) return recordingFacts(data, results.rows);
    const count = scoredItems(data).length;
    const some = count < results.items.length ? ` (${results.items.length} reconstructed)` : '';
    return dataFacts(data, `${counted(count, 'trial')} of ${evaluation.stimuli} stimuli${some}`);
  },
};

/** @param scored which trials are scored, in words */
export function dataFacts(data: ReportCommon, scored: string): Html {
  const { study, folds, results } = data;
  // Of the data that the decoder was fitted on, where they are known; those of the study itself otherwise.
  const terms = termsOf(results.terms ?? {}, study);
  const [rows, voxels] = study.voxels.shape;
  const runs = runSizes(study).map(([name, count]) => `${name} (${count})`);
  const many = runs.length > 12 ? `${runs.length} runs` : listed(runs);
  const used = folds[0]?.maps?.fields.voxel.length;
  const shape = study.stimuli?.values.shape.slice(1).join(' × ');
  return html`${facts([
    ['study', study.name],
    ['description', study.description],
    ['subject', study.pseudonym ?? terms.pseudonym],
    [
      'responses',
      `${rows} ${study.rows === 'volumes' ? 'volumes' : 'trials'} of ${voxelsInWords(voxels, study.selection.description)}`,
    ],
    [
      'voxels used',
      used === undefined
        ? undefined
        : `${used}${folds.length > 1 ? ' in the first fold' : ''}, selected by their fit in the training data`,
    ],
    ['repetition time', study.tr === undefined ? undefined : `${study.tr} s`],
    [study.rows === 'volumes' ? 'runs (volumes)' : 'runs (trials)', many],
    ['trials', `${study.trials.length}${study.continuous ? ', one a volume' : ''}; ${splits(data)}`],
    ['scored', scored],
    [
      'stimuli',
      study.stimuli &&
        (study.stimuli.kind === 'labels'
          ? `none; ${study.stimuli.names.length} labels: ${listed(study.stimuli.names)}`
          : `${study.stimuli.values.shape[0]} ${study.stimuli.kind}, ${shape}${study.stimuli.kind === 'pictures' ? ' (height × width) pixels' : ' values'}`),
    ],
    [
      'visual field',
      study.visualField &&
        `${short(study.visualField.widthDegrees)}° × ${short(study.visualField.heightDegrees)}°`,
    ],
    ['data terms', terms.dataTerms ?? 'not stated'],
    ['consent', terms.consentReference],
  ])}`;
}

/** Of rows of a recording: the recording, and which of its trials the rows are made of. */
function recordingFacts({ study, folds, results }: ReportCommon, of: RecordingRows): Html {
  const terms = termsOf(results.terms ?? {}, study);
  const shape = study.stimuli?.values.shape.slice(1).join(' × ');
  return html`${facts([
    ['recording', study.name],
    ['subject', terms.pseudonym],
    ['responses', `${of.trials} trials of ${voxelsInWords(folds[0]?.voxels, study.selection.description)}`],
    ['sessions, runs', `${counted(of.sessions.length, 'session')}, ${counted(of.runs, 'run')}`],
    ['split', of.split],
    ['as counted', of.counts.length > 0 ? of.counts.join(', ') : undefined],
    ['normalisation', of.normalisation],
    ['training', sideInWords(of.training)],
    ['test', sideInWords(of.test)],
    ['features', `${results.array ?? 'features'}: ${shape} values a picture`],
    ['data terms', terms.dataTerms ?? 'not stated'],
    ['consent', terms.consentReference],
  ])}`;
}

/** How many, and which: the count once. */
const voxelsInWords = (count: number | undefined, which: string) =>
  which.startsWith(`${count} voxels `) ? which : `${count ?? 'unknown'} voxels: ${which}`;

const sideInWords = ({ rows, trials, pictures, average }: SideRows) =>
  `${counted(rows, 'row')}, from ${counted(trials, 'trial')} of ${counted(pictures, 'picture')}: ${AVERAGES[average]}`;

/** Volumes of each run, or trials: those of several runs may take turns. */
function runSizes({ rows, runs, trials }: Study): [run: string, count: number][] {
  if (rows === 'volumes') return runs.map(({ name, start, end }) => [name, end - start]);
  const counts = new Map<string, number>();
  for (const { run } of trials) counts.set(run, (counts.get(run) ?? 0) + 1);
  return [...counts];
}

function splits({ study, folds }: ReportCommon): string {
  if (folds.length > 1) return `each run tested once, ${counted(folds.length, 'fold')}`;
  const counts = new Map<string, number>();
  for (const { split } of study.trials) counts.set(split ?? 'none', (counts.get(split ?? 'none') ?? 0) + 1);
  if (counts.size === 1 && counts.has('none')) return 'no split stated';
  return `split ${listed([...counts].map(([split, count]) => `${split} (${count})`))}`;
}
