import type { MetricResult } from '@fmri2image/core';
import { CONSTANT } from '../../pipeline/baselines.ts';
import { type Advantage, advantageOver, nearCopies } from '../controls.ts';
import { type ReportData, scoredItems } from '../data.ts';
import { percent, pValue, score } from '../format.ts';
import { type Html, html } from '../html.ts';
import type { Section } from '../section.ts';
import { wordsOf } from '../words.ts';

/** The sentence that a reader needs, and the figures beside it. */
export const summarySection: Section = {
  id: 'summary',
  title: 'Summary',
  short: 'Summary',
  body: (data) => {
    const { twoWay, frameCorrelation } = data.evaluation;
    return html`<p class="lead">${headline(data)}</p>
<ul class="cards">
<li><b>${percent(twoWay.score)}</b><span>two-way identification<br>${interval(twoWay, true)}; chance 50 %</span></li>
<li><b>${score(frameCorrelation.score)}</b><span>frame correlation<br>${interval(frameCorrelation, false)}${besideConstant(frameCorrelation)}</span></li>
${control(data)}
</ul>
<p>${verdict(data)}</p>`;
  },
};

/** What the scores stand beside, where it is known what the decoder was trained on. */
function control({ evaluation, results }: ReportData): Html | undefined {
  const { nearestTraining } = evaluation.twoWay;
  const { meanPicture } = evaluation.frameCorrelation;
  if (nearestTraining !== undefined) {
    return html`<li><b>${percent(nearestTraining)}</b><span>if a training ${wordsOf(results).picture} is looked up instead: the one nearest to each reconstruction</span></li>`;
  }
  return meanPicture === undefined
    ? undefined
    : html`<li><b>${score(meanPicture)}</b><span>frame correlation of a ${CONSTANT}: the ${wordsOf(results).meanTraining} as every answer</span></li>`;
}

const besideConstant = ({ meanPicture }: MetricResult) =>
  meanPicture === undefined ? '' : `; ${CONSTANT} ${score(meanPicture)}`;

function interval({ interval: [low, high] }: MetricResult, share: boolean): string {
  return share
    ? `95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`
    : `95 % interval ${score(low)} to ${score(high)}`;
}

/** What was scored, said as strongly as what is known of the training allows. */
export function headline(data: ReportData): string {
  const { evaluation, results, study } = data;
  const { twoWay, permutation } = evaluation;
  const items = scoredItems(data);
  const trials = items.reduce((sum, item) => sum + item.trials.length, 0);
  const averaged = trials > items.length;
  const unseen = items.every(({ seen }) => seen === 'no');
  const whose = unseen ? 'held-out ' : '';
  const noun = results.kind === 'picture' ? 'pictures' : 'stimuli';
  const { rows } = results;
  const what = rows
    ? rows.test.trials > rows.test.rows
      ? `The ${noun} of ${items.length} ${whose}test rows (${rows.test.trials} trials, averaged)`
      : `The ${noun} of ${items.length} ${whose}trials`
    : averaged
      ? `The ${noun} of ${items.length} ${whose}stimuli (${trials} trials, averaged)`
      : study.continuous
        ? `${items.length} ${whose}frames`
        : `The ${noun} of ${items.length} ${whose}trials`;
  const test = permutation.reason === undefined ? `p = ${pValue(twoWay.p)}` : 'no permutation test possible';
  return `${what} of ${study.name} are identified from brain responses in ${percent(twoWay.score)} of pairs (two-way; chance 50 %, ${test}).`;
}

/** How the score stands to its controls, in words: no more than holds of each metric by itself. */
function verdict({ evaluation, results }: ReportData): string {
  const { picture, pictures, meanTraining } = wordsOf(results);
  const { twoWay, frameCorrelation } = evaluation;
  const [low] = twoWay.interval;
  const sentences: string[] = [];
  if (low <= twoWay.chance) {
    sentences.push(`The interval includes chance: these reconstructions do not tell ${pictures} apart.`);
  }
  const identification = advantageOver('nearestTraining', twoWay, evaluation);
  const correlation = advantageOver('nearestTraining', frameCorrelation, evaluation);
  const best = advantageOver('bestTraining', frameCorrelation, evaluation);
  const copies = nearCopies(evaluation);
  const constant = advantageOver('meanPicture', frameCorrelation, evaluation);
  const { bestTraining, meanPicture } = frameCorrelation;
  if (identification && correlation) {
    sentences.push(
      `With the most similar training ${picture} looked up in place of each reconstruction, identification would be ${identification.control} (${percent(twoWay.nearestTraining!)}; the decoder ${more(identification)}) and correlation ${correlation.control} (${score(frameCorrelation.nearestTraining)}; the decoder ${more(correlation)}).`,
    );
    if (best?.control === 'lower') {
      sentences.push(
        `Even the best choice among the training ${pictures}, which no decoder can know, would correlate less (${score(bestTraining)}; the decoder ${more(best)}): the reconstructions show more than a choice among known ${pictures}.`,
      );
    } else if (identification.control === 'higher' && correlation.control === 'higher') {
      sentences.push(`By neither score do the reconstructions go beyond choosing among known ${pictures}.`);
    } else if (best && copies === undefined) {
      sentences.push(
        `The best choice among the training ${pictures}, which no decoder can know, would correlate ${best.control === 'higher' ? 'more' : 'about as much'} (${score(bestTraining)}).`,
      );
    }
  }
  if (copies !== undefined) {
    sentences.push(
      `Mind that the training ${pictures} hold near copies of the scored ones (the best choice among them correlates ${score(copies)} with what was shown): whether the decoder would do as well for new ${pictures}, these data do not say.`,
    );
  }
  if (constant) {
    sentences.push(
      `Without a brain, a ${CONSTANT} (the ${meanTraining} as every answer) reaches a correlation of ${score(meanPicture)}; the decoder ${more(constant)}.`,
    );
  }
  return sentences.join(' ');
}

/** `0.012 above, 95 % interval of the difference −0.004 to 0.027` */
function more({ difference, interval: [low, high] }: Advantage): string {
  const side = difference < 0 ? 'below' : 'above';
  return `is ${score(Math.abs(difference))} ${side}, 95 % interval of the difference ${score(low)} to ${score(high)}`;
}
