import type { MetricResult } from '@fmri2image/core';
import { type ReportData, scoredItems } from '../data.ts';
import { percent, pValue, score } from '../format.ts';
import { html } from '../html.ts';
import type { Section } from '../section.ts';

/** The sentence that a reader needs, and the figures beside it. */
export const summarySection: Section = {
  id: 'summary',
  title: 'Summary',
  body: (data) => {
    const { twoWay, frameCorrelation } = data.evaluation;
    return html`<p class="lead">${headline(data)}</p>
<ul class="cards">
<li><b>${percent(twoWay.score)}</b><span>two-way identification<br>${interval(twoWay, true)}; chance 50 %</span></li>
<li><b>${score(frameCorrelation.score, 2)}</b><span>frame correlation<br>${interval(frameCorrelation, false)}; chance 0</span></li>
<li><b>${twoWay.nearestTraining === undefined ? percent(twoWay.meanPicture ?? 0.5) : percent(twoWay.nearestTraining)}</b><span>${twoWay.nearestTraining === undefined ? 'with the mean training picture as every answer' : 'if a training picture is looked up instead: the one nearest to each reconstruction'}</span></li>
</ul>
<p>${verdict(data)}</p>`;
  },
};

function interval({ interval: [low, high] }: MetricResult, share: boolean): string {
  return share
    ? `95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`
    : `95 % interval ${score(low, 2)} to ${score(high, 2)}`;
}

/** What was scored, said as strongly as what is known of the training allows. */
export function headline(data: ReportData): string {
  const { evaluation, results, study } = data;
  const { twoWay, permutation } = evaluation;
  const items = scoredItems(data);
  const noun = results.kind === 'picture' ? 'Pictures' : 'Stimuli';
  const trials = items.reduce((sum, item) => sum + item.trials.length, 0);
  const averaged = trials > items.length;
  const unseen = items.every(({ seen }) => seen === 'no');
  const whose = unseen ? 'held-out ' : '';
  const what = averaged
    ? `${items.length} ${whose}stimuli (${trials} trials, averaged)`
    : `${items.length} ${whose}${study.continuous ? 'frames' : 'trials'}`;
  const test = permutation.reason === undefined ? `p = ${pValue(twoWay.p)}` : 'no permutation test possible';
  return `${noun} of ${what} are identified in ${percent(twoWay.score)} of pairs, from brain responses alone (two-way, chance 50 %, ${test}).`;
}

/** How the score stands to its controls, in words. */
function verdict({ evaluation }: ReportData): string {
  const { twoWay, frameCorrelation } = evaluation;
  const [low] = twoWay.interval;
  const sentences: string[] = [];
  if (low <= twoWay.chance) {
    sentences.push('The interval includes chance: these reconstructions do not tell pictures apart.');
  }
  const { nearestTraining, meanPicture } = frameCorrelation;
  if (nearestTraining !== undefined) {
    const beats = frameCorrelation.interval[0] > nearestTraining && low > twoWay.nearestTraining!;
    const loses = frameCorrelation.score < nearestTraining && twoWay.score < twoWay.nearestTraining!;
    sentences.push(
      beats
        ? `Looking up the most similar training picture would do worse (${percent(twoWay.nearestTraining!)}, correlation ${score(nearestTraining, 2)}): the reconstructions show more than a choice among known pictures.`
        : loses
          ? `Looking up the most similar training picture would do better (${percent(twoWay.nearestTraining!)}, correlation ${score(nearestTraining, 2)}): nothing here goes beyond choosing among known pictures.`
          : `Looking up the most similar training picture would do about as well (${percent(twoWay.nearestTraining!)}, correlation ${score(nearestTraining, 2)}).`,
    );
  }
  if (meanPicture !== undefined) {
    sentences.push(
      `Without a brain, the mean training picture as every answer reaches a correlation of ${score(meanPicture, 2)}.`,
    );
  }
  return sentences.join(' ');
}
