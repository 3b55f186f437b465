import type { LabelScore, WriteFile } from '@fmri2image/core';
import { datasetDescription } from '../../bids.ts';
import { labelsTable } from '../../pipeline/labelsTable.ts';
import { redactHome } from '../../redact.ts';
import { drawAlphas } from '../figures/alphas.ts';
import { nullOf } from '../figures/permutations.ts';
import { renderPage } from '../page.ts';
import type { Figure } from '../plot.ts';
import { reportFiles } from '../write.ts';
import { drawConfusion } from './confusionMatrix.ts';
import type { LabelReportData } from './data.ts';
import { LABEL_SECTIONS, labelHeadline } from './sections.ts';

/** Draws what the report of decoded labels shows. */
export async function drawLabelFigures({
  evaluation,
  folds,
}: Pick<LabelReportData, 'evaluation' | 'folds'>): Promise<LabelReportData['figures']> {
  const { names, confusion, accuracy, blocks, permutation } = evaluation;
  const tested = permutation.reason === undefined;
  const figures: Figure[] = [
    await drawConfusion('confusion', names, confusion, blocks ? 'volumes' : 'trials'),
    ...(blocks ? [await drawConfusion('confusion-blocks', names, blocks.confusion, 'blocks')] : []),
    ...(tested
      ? [await nullOf('permutation-accuracy', `Accuracy of ${blocks ? 'volumes' : 'trials'}`, accuracy)]
      : []),
    ...(tested && blocks ? [await nullOf('permutation-blocks', 'Accuracy of blocks', blocks.accuracy)] : []),
    ...(await drawAlphas({ folds })),
  ];
  return new Map(figures.map((figure) => [figure.name, figure]));
}

/** Writes the folder of a report about decoded labels: a BIDS derivative. */
export async function writeLabelReport(data: LabelReportData, write: WriteFile): Promise<void> {
  const { study, results, figures } = data;
  const files = reportFiles(study);
  const title = study.pseudonym === undefined ? study.name : `${study.name}, ${study.pseudonym}`;
  await write(files.page, renderPage(data, title, 'decoded labels', LABEL_SECTIONS));
  const labels = labelsTable(study, results);
  await write(files.scores, redactHome(labels.tsv));
  await write(files.sidecar, json(labels.sidecar));
  for (const { name, svg } of figures.values()) {
    await write(`${files.figures}/${files.prefix}${name}.svg`, svg);
  }
  await write('dataset_description.json', json(datasetDescription(study, 'Decoded labels')));
  await write('README', redactHome(readme(data)));
  await write('report.json', json(summaryOf(data)));
}

function readme({ study, reported }: LabelReportData): string {
  const files = reportFiles(study);
  return `Labels decoded from the brain responses of ${study.name}, and their scores. Written by fmri2image ${reported.version}.

${files.page}: the report; open it in a browser, it is complete in itself
${files.scores}: label of each trial; ${files.sidecar} says what the columns mean
${files.figures}/: the plots
report.json: the figures for programs, and how they came about

Terms of the data: ${study.dataTerms ?? 'not stated'}
`;
}

/** The figures of the report for programs, and everything that went into it. */
function summaryOf(data: LabelReportData) {
  const { evaluation, made, reported, seed, notes, study, folds } = data;
  const brief = ({ null: _, ...score }: LabelScore) => score;
  const { accuracy, blocks, decoded: _, ...rest } = evaluation;
  return {
    format: 'fmri2image-report',
    version: 1,
    headline: labelHeadline(data),
    study: study.name,
    page: reportFiles(study).page,
    ...rest,
    accuracy: brief(accuracy),
    ...(blocks && { blocks: { ...blocks, accuracy: brief(blocks.accuracy) } }),
    seed,
    notes,
    reconstructions: made,
    report: reported,
    folds: folds.map(({ maps: _maps, ...fold }) => fold),
  };
}

const json = (value: unknown) => `${redactHome(JSON.stringify(value, undefined, 2))}\n`;
