import { counted, percent, pValue } from '../format.ts';
import { dataSentences, type Methods, penaltySentences, preparationSentences } from '../methods.ts';
import { Citations } from '../references.ts';
import type { LabelReportData } from './data.ts';

/** What was done, in sentences ready for a paper: written from the records, what is unknown is not claimed. */
export function labelMethods(data: LabelReportData): Methods {
  const citations = new Citations();
  const paragraphs = [
    [...dataSentences(data, citations), ...preparationSentences(data.folds)],
    decoderSentences(data, citations),
    [...scoreSentences(data, citations), ...resultSentences(data)],
  ].map((sentences) => sentences.join(' '));
  return { paragraphs, references: citations.used };
}

function decoderSentences({ folds }: LabelReportData, citations: Citations): string[] {
  const standardised = folds[0]?.config.standardize === true;
  return [
    `Labels were decoded by ridge regression ${citations.cite('hoerl')} from voxels to one target a label, 1 where it was shown and 0 elsewhere${standardised ? ', voxels being standardised by their mean and standard deviation over the training data' : ''}; the label with the largest prediction was taken.`,
    ...penaltySentences(folds),
    ...(folds.length > 1
      ? [
          `Decoded labels are out of sample: each of ${counted(folds.length, 'fold')} was fitted without the data it was tested on, all choices included.`,
        ]
      : []),
  ];
}

function scoreSentences({ evaluation, reported }: LabelReportData, citations: Citations): string[] {
  const { blocks, bootstrap, permutation, names } = evaluation;
  const sentences = [
    `Accuracy is the share of ${blocks ? 'volumes' : 'trials'} whose label was decoded; chance is ${percent(1 / names.length)}.`,
    ...(blocks
      ? [
          'Volumes of one label that follow each other in a run are a block; they are not independent. Accuracy of blocks is that of the scores averaged over their volumes.',
        ]
      : []),
    `Intervals are 95 % percentile intervals from ${bootstrap.resamples} bootstrap samples of the ${bootstrap.units} ${bootstrap.unit}s ${citations.cite('efron')}.`,
  ];
  if (permutation.reason === undefined) {
    sentences.push(
      `P-values are one-sided, from ${permutation.exact ? `all ${permutation.permutations}` : `${permutation.permutations} random`} orders of the labels of ${blocks ? 'whole blocks' : 'trials'} within runs${permutation.exact ? '' : ` ${citations.cite('phipson')}`}${permutation.crossFitted ? '; their spread was widened by √2, as runs that are held out in turn train each other’s decoders' : ''}.`,
    );
  }
  return [...sentences, `All analyses were run with fmri2image ${reported.version}.`];
}

function resultSentences({ evaluation: { accuracy, blocks } }: LabelReportData): string[] {
  const one = ({ score, interval: [low, high], p }: typeof accuracy) =>
    `${percent(score)} (95 % interval ${(100 * low).toFixed(1)} to ${percent(high)}, p = ${pValue(p)})`;
  return [
    `Accuracy was ${one(accuracy)}${blocks ? `, of blocks ${one(blocks.accuracy)}` : ''}; chance is ${percent(accuracy.chance)}.`,
  ];
}
