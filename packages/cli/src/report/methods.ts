import type { MetricResult } from '@fmri2image/core';
import { CONSTANT, canBeGuessed, constantOf } from '../pipeline/baselines.ts';
import type { FoldRecord } from '../pipeline/folds.ts';
import { trainedTrials } from '../pipeline/training.ts';
import { CRITERIA, comparedSettings, record } from './choices.ts';
import { nearCopies } from './controls.ts';
import { type ReportCommon, type ReportData, runsOf, scoredItems } from './data.ts';
import { counted, listed, pValue, score, short } from './format.ts';
import { bandSentences } from './methodsOfBands.ts';
import { publishedModelSentences } from './methodsOfModel.ts';
import { AVERAGES, recipeSentences, recordingSentences } from './methodsOfRecipe.ts';
import { Citations, type Reference } from './references.ts';
import { wordsOf } from './words.ts';

/** What was done, in sentences ready for a paper, and what they cite. */
export interface Methods {
  readonly paragraphs: readonly string[];
  readonly references: readonly Reference[];
}

/** Written from the settings and records of this very analysis: what is unknown is not claimed. */
export function methodsOf(data: ReportData): Methods {
  const citations = new Citations();
  const paragraphs = [
    [...dataSentences(data, citations), ...preparationSentences(data.folds)],
    decoderSentences(data, citations),
    scoreSentences(data, citations),
    resultSentences(data),
  ]
    .map((sentences) => sentences.join(' '))
    .filter((text) => text !== '');
  return { paragraphs, references: citations.used };
}

export function dataSentences({ study, folds, results }: ReportCommon, citations: Citations): string[] {
  if (results.rows) return recordingSentences(results.rows, folds[0], citations);
  const [rows = 0, voxels = 0] = study.voxels.shape;
  const tr = study.tr === undefined ? '' : ` (repetition time ${study.tr} s)`;
  const what =
    study.rows === 'volumes'
      ? `${counted(rows, 'volume')}${tr} of ${counted(voxels, 'voxel')} in ${counted(study.runs.length, 'run')}`
      : `response amplitudes of ${counted(voxels, 'voxel')} in ${counted(rows, 'trial')}`;
  const used = folds[0]?.maps?.fields.voxel.length;
  const stimulus = study.continuous
    ? 'The stimulus was continuous; each volume has a frame of its own.'
    : study.stimuli?.kind === 'labels'
      ? `There were ${counted(study.trials.length, 'labelled trial')} of ${counted(study.stimuli.names.length, 'label')}.`
      : `There were ${counted(study.trials.length, 'trial')} of ${stimuliOf(new Set(study.trials.map((trial) => trial.stimulus)).size)}.`;
  return [
    `The data were ${what}.`,
    ...(used === undefined
      ? []
      : [
          `Of these, ${used} voxels were selected by their fit to the training data${folds.length > 1 ? ' (in the first fold)' : ''}.`,
        ]),
    stimulus,
  ];
}

export function preparationSentences(folds: readonly FoldRecord[]): string[] {
  const { preprocess: steps = [], ledger = [] } = folds[0] ?? {};
  return steps.flatMap(({ name, settings }) => {
    const { cutoffSeconds, delays } = (settings ?? {}) as { cutoffSeconds?: number; delays?: number[] };
    if (name === 'detrend' && cutoffSeconds !== undefined) {
      const line = ledger.some(({ step }) => step === 'drift of each run (a line)');
      return line
        ? 'A line was removed from each run by regression.'
        : `Drifts slower than ${short(cutoffSeconds)} s were removed from each run by regression on a line and cosines.`;
    }
    if (name === 'zscore') {
      return 'Each voxel was z-scored in each run by itself, over all of its volumes and without their labels.';
    }
    if (name === 'sample' && delays) {
      return `The response to a trial was its time series, linearly interpolated, ${listed(delays.map(short))} s after onset.`;
    }
    return [];
  });
}

function decoderSentences(data: ReportData, citations: Citations): string[] {
  const { folds, results } = data;
  const kind = folds[0]?.decoder ?? results.provenance.decoder;
  const split = splitSentence(data);
  const how =
    kind === 'ridge'
      ? ridgeSentences(data, citations)
      : kind === 'retinotopic'
        ? retinotopicSentences(data, citations)
        : (publishedModelSentences(results, folds[0], citations) ??
          recipeSentences(results, folds[0], citations) ?? [
            `${results.kind === 'picture' ? 'Pictures were reconstructed' : 'Features were decoded'} by a decoder (“${kind}”).`,
          ]);
  return [...how, ...split];
}

function splitSentence({ study, folds, results }: ReportData): string[] {
  if (folds.length > 1) {
    return [
      `Reconstructions are out of sample: each of ${counted(folds.length, 'fold')} was fitted without the data it was tested on (${folds.length > 8 ? 'each group' : listed(folds.map(({ heldOut }) => `${heldOut ?? 'none'}`))} held out in turn), all choices included.`,
    ];
  }
  const unseen = results.items.every(({ seen }) => seen === 'no');
  if (results.rows) {
    return unseen ? ['The test pictures were not among those of the training rows.'] : [];
  }
  const training = folds[0] && trainedTrials(folds[0].training, study);
  if (!training) return [];
  return [
    `It was fitted on ${counted(training.length, 'trial')}${unseen ? `; the trials reported here and their ${wordsOf(results).pictures} were not among them` : ''}.`,
  ];
}

function ridgeSentences({ folds, results }: ReportData, citations: Citations): string[] {
  const { config = {} } = folds[0] ?? {};
  const target = results.kind === 'picture' ? 'the pixels of the pictures' : 'the features of the stimuli';
  const sentences = [
    `${results.kind === 'picture' ? 'Pictures were' : 'Features were'} reconstructed by ridge regression ${citations.cite('hoerl')} from voxels to ${target}${config.standardize === true ? ', voxels being standardised by their mean and standard deviation over the training data' : ''}.`,
  ];
  const delays = delaysOf(folds);
  if (delays.length > 0) sentences.push(`Responses were read ${listed(delays)} after the frame.`);
  const bands = folds[0] ? bandSentences(folds[0], citations) : [];
  return [...sentences, ...penaltySentences(folds), ...bands];
}

/** How the penalty was chosen, or what it was. */
export function penaltySentences(folds: readonly FoldRecord[]): string[] {
  const { report = {} } = folds[0] ?? {};
  const sentences: string[] = [];
  const chosen = record(report.crossValidation);
  const alpha = record(report.alpha);
  if (chosen && Array.isArray(chosen.grid)) {
    const measure = CRITERIA[String(chosen.score)] ?? String(chosen.score);
    sentences.push(
      `The penalty was chosen from ${counted(chosen.grid.length, 'value')} by cross-validation inside the training data (${measure}), ${chosen.perTarget === true ? 'for each target by itself' : 'one for all targets'}.`,
    );
  } else if (alpha && typeof alpha.smallest === 'number') {
    sentences.push(`The penalty was ${short(alpha.smallest)}.`);
  }
  return sentences;
}

/** Delays in the words of the ledger, `4, 5.3 s`, each once. */
function delaysOf(folds: readonly FoldRecord[]): string[] {
  const found = folds.flatMap(({ ledger }) =>
    ledger.flatMap(({ step }) => /^delays of (.+ s)$/.exec(step)?.[1] ?? []),
  );
  return [...new Set(found)].map((delays) => delays.replace(/, ([^,]+)$/, ' and $1'));
}

function retinotopicSentences({ folds }: ReportData, citations: Citations): string[] {
  const { maps, config = {}, report = {} } = folds[0] ?? {};
  const model = maps?.fields.exponent
    ? `population receptive fields with compressive spatial summation ${citations.cite('dumoulin', 'kay')}`
    : maps?.fields.surroundSize
      ? `population receptive fields with a difference of Gaussians ${citations.cite('dumoulin', 'zuiderbaan')}`
      : `Gaussian population receptive fields ${citations.cite('dumoulin')}`;
  const sentences = [
    `Pictures were reconstructed by inverting an encoding model ${citations.cite('thirion')}: ${model} were fitted to the training data of each voxel by grid search and refinement, and the sequence of pictures was found by regularised least squares whose predicted responses come closest to those observed${config.bounds === 'non-negative' ? ', pixels being non-negative' : config.bounds === 'range' ? ', pixels being bounded by black and white' : ''}.`,
  ];
  const response = record(report.response);
  if (response && typeof response.candidates === 'number') {
    sentences.push(
      response.candidates > 1
        ? `One haemodynamic response function for all voxels was chosen from ${response.candidates} by its fit to the training data.`
        : 'One haemodynamic response function was used for all voxels.',
    );
  }
  if (typeof config.threshold === 'number') {
    sentences.push(
      `Voxels were used whose prediction correlated with their training responses by at least ${short(config.threshold)}.`,
    );
  }
  if (typeof config.guardSeconds === 'number' && config.guardSeconds > 0) {
    sentences.push(
      `Training volumes within ${short(config.guardSeconds)} s after held-out frames were left out, as they still respond to them.`,
    );
  }
  const grid = comparedSettings(report);
  const chosen = Object.entries(PENALTIES).flatMap(([name, words]) => {
    const options = grid[name] ?? [];
    if (options.length < 2) return [];
    const taken = folds.flatMap(({ config }) => (typeof config[name] === 'number' ? [config[name]] : []));
    const offered = options.map((option) => short(Number(option))).join(', ');
    return `${words} (${[...new Set(taken)]
      .sort((a, b) => a - b)
      .map(short)
      .join(' or ')}, from ${offered})`;
  });
  if (chosen.length > 0) {
    sentences.push(`Chosen by cross-validation inside the training data were ${listed(chosen)}.`);
  }
  return sentences;
}

/** What a retinotopic decoder chooses by cross-validation, by the names of its configuration. */
export const PENALTIES: Readonly<Record<string, string>> = {
  noiseCorrelation: 'the part of the residuals’ correlations in the noise covariance',
  varianceShrinkage: 'the shrinkage of noise variances',
  ridge: 'the penalty on pixel values',
  smoothTime: 'the penalty on differences of successive frames',
  blockDrift: 'the degree of the drift that is fitted to a decoded block (−1: none)',
  smoothSpace: 'the penalty on differences of neighbouring pixels',
};

const stimuliOf = (count: number) => (count === 1 ? '1 stimulus' : `${count} stimuli`);

function resultSentences({ evaluation, results }: ReportData): string[] {
  const { twoWay, frameCorrelation, retrieval } = evaluation;
  const { picture } = wordsOf(results);
  const controls = (metric: MetricResult) => {
    const { nearestTraining } = metric;
    const constant = constantOf(metric, evaluation);
    return [
      ...(constant === undefined ? [] : [`${CONSTANT} ${score(constant)}`]),
      ...(nearestTraining === undefined ? [] : [`nearest training ${picture} ${score(nearestTraining)}`]),
      ...(canBeGuessed(metric) ? [`chance ${short(metric.chance)}`] : []),
    ].join(', ');
  };
  const one = (name: string, metric: MetricResult) =>
    `${name} was ${score(metric.score)} (95 % interval ${score(metric.interval[0])} to ${score(metric.interval[1])}, p = ${pValue(metric.p)}${controls(metric) === '' ? '' : `; ${controls(metric)}`})`;
  return [
    `${one('Two-way identification', twoWay)}; ${one('frame correlation', frameCorrelation)}.`,
    ...(retrieval
      ? [
          `Retrieval from image to brain ${one('(the direction of “image retrieval” in MindEye)', retrieval.imageToBrain)}; ${one('from brain to image (that of “brain retrieval”)', retrieval.brainToImage)}.`,
        ]
      : []),
  ];
}

/** Which output each score is of, where a model gives several that are not scored alike. */
function outputSentences({ evaluation: { arrays }, results }: ReportData): string[] {
  if (!results.outputs || arrays.retrieval === undefined || arrays.retrieval === arrays.twoWay) return [];
  return [
    `Identification and correlation are of its output “${arrays.twoWay}”, retrieval of its output “${arrays.retrieval}”.`,
  ];
}

function retrievalSentences({ evaluation: { retrieval } }: ReportData, citations: Citations): string[] {
  if (!retrieval) return [];
  const { pool, k, imageToBrain } = retrieval;
  return [
    `Retrieval is the share of queries whose counterpart is ${k === 1 ? 'the most similar' : `among the ${k} most similar`} of ${pool} candidates by cosine similarity of the embeddings ${citations.cite('scotti')}, expected over all pools, of responses for a given image (image to brain) and of images for a given response (brain to image); chance is ${short(imageToBrain.chance)}.`,
  ];
}

function scoreSentences(data: ReportData, citations: Citations): string[] {
  const { evaluation, study, ceiling } = data;
  const { permutation, bootstrap, trials, stimuli } = evaluation;
  const items = scoredItems(data);
  const averaged = items.some((item) => item.trials.length > 1);
  const { picture, pictures, meanTraining, unit } = wordsOf(data.results);
  const { rows } = data.results;
  const what = rows
    ? `Predictions of ${counted(trials, unit)}${stimuli < trials ? ` of ${stimuli} pictures` : ''} were scored${rows.test.trials > rows.test.rows ? `, each of all trials of its picture (${AVERAGES[rows.test.average]})` : ''}.`
    : `Reconstructions of ${averaged ? stimuliOf(trials) : counted(trials, 'trial')}${!averaged && stimuli < trials ? ` of ${stimuli} stimuli` : ''} were scored${averaged ? ', those of repeated presentations averaged' : ''}.`;
  const sentences = [
    `${what} Two-way identification is the share of other scored ${pictures} whose Pearson correlation with the reconstruction is strictly smaller than that of the ${picture} shown, averaged over ${unit}s; chance is 50 % ${citations.cite('ozcelik')}.`,
    `Frame correlation is the Pearson correlation of reconstruction and ${picture} over all ${data.results.kind === 'picture' ? 'pixels' : 'features'}.`,
    ...outputSentences(data),
    ...retrievalSentences(data, citations),
    bootstrap.block > 1
      ? `Intervals are 95 % percentile intervals from ${bootstrap.resamples} circular block bootstrap samples (blocks of ${bootstrap.block} frames) ${citations.cite('politis')}.`
      : `Intervals are 95 % percentile intervals from ${bootstrap.resamples} bootstrap samples of the ${bootstrap.over === 'stimuli' ? 'stimuli, each with all its presentations' : `${unit}s`} ${citations.cite('efron')}.`,
  ];
  if (permutation.reason === undefined) {
    const what =
      permutation.exchangeability === 'continuous'
        ? `circular shifts of the reconstructions within ${counted(runsOf(data).filter(({ places }) => places.length > 0).length, 'run')}`
        : `orders of the reconstructions ${rows?.exchanged ?? 'within runs'}`;
    sentences.push(
      `P-values are one-sided, from ${permutation.exact ? `all ${permutation.permutations}` : `${permutation.permutations} random`} ${what}${permutation.exact ? '' : ` ${citations.cite('phipson')}`}${permutation.crossFitted ? '; their spread was widened by √2, as runs that are held out in turn train each other’s decoders' : ''}.`,
    );
  }
  const { nearestTraining, meanPicture } = evaluation.twoWay;
  if (meanPicture !== undefined) {
    sentences.push(
      `Controls scored in the same way are a ${CONSTANT}, the ${meanTraining}${nearestTraining === undefined ? '' : `, and for each reconstruction the training ${picture} that correlates most with it`}.`,
    );
  }
  if (ceiling) {
    sentences.push(
      `The noise ceiling of voxels was estimated from ${counted(ceiling.presentations, 'presentation')} of ${ceiling.stimuli} stimuli by analysis of variance ${citations.cite('allen')}.`,
    );
  } else if (study.continuous) {
    sentences.push(
      `No noise ceiling could be estimated: every frame counts as a stimulus of its own${nearCopies(evaluation) === undefined ? '' : ', near copies among them included'}.`,
    );
  }
  sentences.push(`All analyses were run with fmri2image ${data.reported.version}.`);
  return sentences;
}
