import type { MetricResult, Study, WriteFile } from '@fmri2image/core';
import { datasetDescription, label, subjectEntity } from '../bids.ts';
import { arraysInWords } from '../pipeline/evaluate.ts';
import { fieldsTable } from '../pipeline/receptiveFields.ts';
import { enlarged, type ResultItem } from '../pipeline/results.ts';
import { scoresTable } from '../pipeline/scores.ts';
import { redactHome } from '../redact.ts';
import { hasPictures, type ReportData, truthOf } from './data.ts';
import { renderPage } from './page.ts';
import { pictureOf } from './pictures.ts';
import { SECTIONS } from './sections/index.ts';
import { headline } from './sections/summary.ts';

/** Where the files of a report lie in its folder: those of a named subject carry the name. */
export interface ReportFiles {
  readonly page: string;
  readonly scores: string;
  readonly sidecar: string;
  readonly figures: string;
  readonly pictures: string;
  /** Begins the names of pictures. */
  readonly prefix: string;
}

export function reportFiles({ pseudonym }: Pick<Study, 'pseudonym'>): ReportFiles {
  const subject = subjectEntity(pseudonym);
  const folder = subject === undefined ? '' : `${subject}/`;
  const prefix = subject === undefined ? '' : `${subject}_`;
  return {
    page: `${subject ?? 'report'}.html`,
    scores: `${folder}${prefix}scores.tsv`,
    sidecar: `${folder}${prefix}scores.json`,
    figures: `${folder}figures`,
    pictures: `${folder}pictures`,
    prefix,
  };
}

/** Writes the folder of a report: a BIDS derivative. */
export async function writeReport(data: ReportData, write: WriteFile): Promise<void> {
  const { study, results, evaluation, figures } = data;
  const files = reportFiles(study);
  const title = study.pseudonym === undefined ? study.name : `${study.name}, ${study.pseudonym}`;
  const about = hasPictures(data) ? 'reconstructed pictures' : 'decoded features';
  await write(files.page, renderPage(data, title, about, SECTIONS));
  const scores = scoresTable(study, results, evaluation);
  await write(files.scores, redactHome(scores.tsv));
  await write(files.sidecar, json(scores.sidecar));
  for (const { name, svg } of figures.values())
    await write(`${files.figures}/${files.prefix}${name}.svg`, svg);
  if (hasPictures(data)) await writePictures(data, files, write);
  const fields = fieldsTable(data.folds);
  if (fields !== undefined)
    await write(`${files.scores.replace(/scores\.tsv$/, '')}receptive-fields.tsv`, fields);
  await write(
    'dataset_description.json',
    json(
      datasetDescription(
        study,
        hasPictures(data) ? 'Reconstructed pictures and scores' : 'Scores of decoded features',
      ),
    ),
  );
  await write('README', redactHome(readme(data, files)));
  await write('report.json', json(summaryOf(data, files)));
}

async function writePictures(data: ReportData, files: ReportFiles, write: WriteFile): Promise<void> {
  const { results, study, showStimuli } = data;
  for (const [index, item] of results.items.entries()) {
    const path = `${files.pictures}/${files.prefix}${pictureLabel(item)}`;
    await write(`${path}_desc-reconstruction_image.png`, enlarged(pictureOf(results.values, index)).toPng());
    if (!showStimuli || item.stimulus === undefined) continue;
    const truth = pictureOf(truthOf(study, results, [index]), 0);
    await write(`${path}_desc-stimulus_image.png`, enlarged(truth).toPng());
  }
}

/** `trial-0012_stim-beach` */
function pictureLabel({ trials, stimulusName, stimulus }: ResultItem): string {
  const trial = trials.map((index) => String(index + 1).padStart(4, '0')).join('x');
  return `trial-${trial.slice(0, 59)}_stim-${label(stimulusName ?? String(stimulus ?? 'unknown'))}`;
}

/** The figures of the report for programs, and everything that went into it. */
function summaryOf(data: ReportData, files: ReportFiles) {
  const { evaluation, made, reported, seed, notes, showStimuli, study, ceiling, agreement, folds } = data;
  const brief = (metric: MetricResult) => {
    const { null: _null, perTrial: _perTrial, controls: _controls, ...rest } = metric;
    return rest;
  };
  return {
    format: 'fmri2image-report',
    version: 1,
    headline: headline(data),
    study: study.name,
    page: files.page,
    arrays: evaluation.arrays,
    trials: evaluation.trials,
    stimuli: evaluation.stimuli,
    twoWay: brief(evaluation.twoWay),
    ...(evaluation.withinCategory && { withinCategory: brief(evaluation.withinCategory) }),
    ...(evaluation.acrossCategories && { acrossCategories: brief(evaluation.acrossCategories) }),
    frameCorrelation: brief(evaluation.frameCorrelation),
    ...(evaluation.retrieval && {
      retrieval: {
        ...evaluation.retrieval,
        imageToBrain: brief(evaluation.retrieval.imageToBrain),
        brainToImage: brief(evaluation.retrieval.brainToImage),
      },
    }),
    permutation: evaluation.permutation,
    bootstrap: evaluation.bootstrap,
    ...(ceiling && {
      noiseCeiling: {
        stimuli: ceiling.stimuli,
        presentations: ceiling.presentations,
        repeats: ceiling.repeats,
      },
    }),
    ...(agreement && { agreementOfRepeats: agreement }),
    stimuliShown: showStimuli,
    seed,
    notes,
    reconstructions: made,
    report: reported,
    folds: folds.map(({ maps: _maps, ledger, ...fold }) => ({ ...fold, ledger })),
  };
}

function readme(data: ReportData, files: ReportFiles): string {
  const { study, reported, showStimuli, evaluation } = data;
  const pictures = `${files.pictures}/: reconstructions${showStimuli ? ' and stimuli' : ' (the stimuli were left out)'}, by trial and stimulus, pixels enlarged\n`;
  const what = hasPictures(data) ? 'Pictures' : 'Features of what was shown,';
  return `${what} reconstructed from the brain responses of ${study.name}, and their scores${hasPictures(data) ? '' : ` (${arraysInWords(evaluation.arrays)})`}. Written by fmri2image ${reported.version}.

${files.page}: the report; open it in a browser, it is complete in itself
${files.scores}: scores of each trial; ${files.sidecar} says what the columns mean
${hasPictures(data) ? pictures : ''}${files.figures}/: the plots
report.json: the figures for programs, and how they came about

Terms of the data: ${study.dataTerms ?? 'not stated'}
`;
}

const json = (value: unknown) => `${redactHome(JSON.stringify(value, undefined, 2))}\n`;
