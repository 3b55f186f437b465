import type { LabelScore } from '@fmri2image/core';
import { independenceInWords } from '../../pipeline/evaluateLabels.ts';
import { counted, percent, pValue, score } from '../format.ts';
import { type Html, html } from '../html.ts';
import { plot, scrolling, table } from '../parts.ts';
import type { Section } from '../section.ts';
import { bandsSection } from '../sections/bands.ts';
import { dataFacts } from '../sections/data.ts';
import { decoderSection } from '../sections/decoder.ts';
import { ledgerSection } from '../sections/ledger.ts';
import { mapsSection } from '../sections/maps.ts';
import { methodsText } from '../sections/methods.ts';
import { notesSection } from '../sections/notes.ts';
import { reproduceSection } from '../sections/reproduce.ts';
import { isHeldOut, type LabelReportData } from './data.ts';
import { labelMethods } from './methods.ts';

type LabelSection = Section<LabelReportData>;

const interval = ({ interval: [low, high] }: LabelScore) =>
  `95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`;

/** The sentence that a reader needs. */
export function labelHeadline(data: LabelReportData): string {
  const { evaluation, study } = data;
  const { accuracy, names, trials, blocks, permutation } = evaluation;
  const which = `${trials} ${isHeldOut(data) ? 'held-out ' : ''}${blocks ? 'volumes' : 'trials'}`;
  const test = permutation.reason === undefined ? `, p = ${pValue(accuracy.p)}` : '';
  return `Of ${which} of ${study.name}, ${percent(accuracy.score)} are decoded to the right one of ${names.length} labels (chance ${percent(accuracy.chance)}${test}).`;
}

const summary: LabelSection = {
  id: 'summary',
  title: 'Summary',
  short: 'Summary',
  body: (data) => {
    const { accuracy, balancedAccuracy, blocks, mostFrequent } = data.evaluation;
    const uneven = percent(balancedAccuracy) !== percent(accuracy.score);
    return html`<p class="lead">${labelHeadline(data)}</p>
<ul class="cards">
<li><b>${percent(accuracy.score)}</b><span>accuracy<br>${interval(accuracy)}; chance ${percent(accuracy.chance)}</span></li>
${blocks && html`<li><b>${percent(blocks.accuracy.score)}</b><span>of ${blocks.count} blocks, the scores of their volumes averaged<br>${interval(blocks.accuracy)}</span></li>`}
${uneven && html`<li><b>${percent(balancedAccuracy)}</b><span>balanced accuracy: the mean recall of the labels</span></li>`}
${mostFrequent !== undefined && html`<li><b>${percent(mostFrequent)}</b><span>without a brain: the most frequent training label as every answer</span></li>`}
</ul>
<p>${blocks && 'Volumes of one block share one response and are not independent: the p-value rearranges whole blocks, the interval resamples whole runs. '}${accuracy.interval[0] <= accuracy.chance && 'The interval includes chance: these labels are not told apart.'}</p>`;
  },
};

const confusion: LabelSection = {
  id: 'confusion',
  title: 'What is taken for what',
  short: 'Confusion',
  body: (data) => {
    const { names, blocks } = data.evaluation;
    const how =
      'Rows: what was shown. Columns: what was decoded. In each cell the share of its row and the count.';
    return html`<h3>${blocks ? 'Volumes' : 'Trials'}</h3>
${scrolling('Confusion matrix', plot(data, 'confusion', how))}
<details><summary>The same as a table</summary>
${confusionTable('Counts by label shown (rows) and decoded (columns)', names, data.evaluation.confusion, String)}
${confusionTable('Shares of each row in per cent', names, data.evaluation.confusion, (count, total) => (total === 0 ? 'n/a' : (100 * (count / total)).toFixed(1)))}
</details>
${
  blocks &&
  html`<h3>Blocks</h3>
${scrolling('Confusion matrix of blocks', plot(data, 'confusion-blocks', 'The same of whole blocks: the label with the highest mean score over the volumes of the block.'))}
<details><summary>The same as a table</summary>
${confusionTable('Blocks by label shown (rows) and decoded (columns)', names, blocks.confusion, String)}
</details>`
}`;
  },
};

function confusionTable(
  caption: string,
  names: readonly string[],
  counts: readonly (readonly number[])[],
  cell: (count: number, total: number) => string,
): Html {
  const columns = [{ title: 'shown' }, ...names.map((title) => ({ title, number: true }))];
  const rows = names.map((name, i) => {
    const total = counts[i]!.reduce((sum, count) => sum + count, 0);
    return { cells: [name, ...counts[i]!.map((count) => cell(count, total))] };
  });
  return table(caption, columns, rows);
}

const scores: LabelSection = {
  id: 'scores',
  title: 'Scores beside their controls',
  short: 'Scores',
  body: ({ evaluation, made }) => {
    const { accuracy, blocks, mostFrequent, labels, permutation, perRun } = evaluation;
    const line = (name: string, of: LabelScore, count: number) => ({
      cells: [
        name,
        score(of.score),
        `${score(of.interval[0])} to ${score(of.interval[1])}`,
        score(of.chance),
        score(mostFrequent),
        permutation.reason === undefined ? score(of.shuffled.mean) : 'n/a',
        permutation.reason === undefined ? score(of.shuffled.p95) : 'n/a',
        pValue(of.p),
        count,
      ],
    });
    const number = true;
    return html`${table(
      'Share of right answers',
      [
        { title: 'what' },
        { title: made.decoder, number },
        { title: '95 % interval', number },
        { title: 'chance', number },
        { title: 'most frequent', number },
        { title: 'shuffled', number },
        { title: 'shuffled, 95th percentile', number },
        { title: 'p', number },
        { title: 'count', number },
      ],
      [
        line(blocks ? 'volumes' : 'trials', accuracy, evaluation.trials),
        ...(blocks ? [line('blocks', blocks.accuracy, blocks.count)] : []),
      ],
    )}
<p class="muted">Balanced accuracy ${score(evaluation.balancedAccuracy)}; ${independenceInWords(evaluation)}.</p>
${table(
  'Label by label',
  [
    { title: 'label' },
    { title: 'shown', number },
    { title: 'decoded', number },
    { title: 'right', number },
    { title: 'recall', number },
    { title: 'precision', number },
  ],
  labels.map(({ name, shown, decoded, right, recall, precision }) => ({
    cells: [name, shown, decoded, right, score(recall), score(precision)],
  })),
)}
${table(
  'Run by run',
  [{ title: 'run' }, { title: 'count', number }, { title: 'accuracy', number }],
  perRun.map(({ run, trials, accuracy: share }) => ({ cells: [run, trials, score(share)] })),
)}
<dl>
<dt>recall</dt><dd>Of the times that a label was shown, how often it was decoded; balanced accuracy is the mean of these.</dd>
<dt>precision</dt><dd>Of the times that a label was decoded, how often it had been shown.</dd>
<dt>most frequent</dt><dd>The most frequent label of the training trials as the answer to every trial: what can be had without a brain.</dd>
<dt>shuffled</dt><dd>The mean over the rearrangements of the permutation test.</dd>
</dl>`;
  },
};

const permutation: LabelSection = {
  id: 'permutation',
  title: 'Is it more than accident?',
  short: 'Permutations',
  body: (data) => {
    const { permutation: test, blocks } = data.evaluation;
    if (test.reason !== undefined) return html`<p>There is no permutation test: ${test.reason}.</p>`;
    return html`<p>If the responses carried nothing about the labels, those of ${blocks ? 'whole blocks' : 'trials'} could be exchanged within their run without a change in score. ${test.exact ? `All ${test.permutations}` : `${test.permutations} random`} rearrangements of this kind${test.exact ? '' : ` (seed ${test.seed})`} give the grey distributions; p is the share of them that does as well as the true order, and cannot fall below ${String(Number(test.smallestP.toPrecision(2)))}. This holds where the order of ${blocks ? 'blocks' : 'trials'} was drawn at random in each run.${test.crossFitted ? ' Runs that are held out in turn train each other’s decoders; the rearranged scores are therefore spread by √2 about their mean.' : ''}</p>
<div class="plots">
${plot(data, 'permutation-accuracy', `Accuracy of ${blocks ? 'volumes' : 'trials'} with rearranged labels (grey), and as observed (blue).`)}
${plot(data, 'permutation-blocks', 'Accuracy of blocks, in the same way.')}
</div>`;
  },
};

const data: LabelSection = {
  id: 'data',
  title: 'Data',
  short: 'Data',
  body: (report) => {
    const { trials, blocks, names } = report.evaluation;
    const within = blocks ? ` in ${counted(blocks.count, 'block')}` : '';
    return dataFacts(
      report,
      `${counted(trials, blocks ? 'volume' : 'trial')}${within} of ${names.length} labels`,
    );
  },
};

const methods: LabelSection = {
  id: 'methods',
  title: 'Methods, ready to copy',
  short: 'Methods',
  body: (report) => methodsText(labelMethods(report)),
};

/** The report of decoded labels, from top to bottom. */
export const LABEL_SECTIONS: readonly LabelSection[] = [
  notesSection,
  summary,
  confusion,
  scores,
  permutation,
  mapsSection,
  bandsSection,
  decoderSection,
  data,
  ledgerSection,
  methods,
  reproduceSection,
];
