import { CONSTANT } from '../../pipeline/baselines.ts';
import { mean, type ReportData, runsOf } from '../data.ts';
import { score } from '../format.ts';
import { type Html, html } from '../html.ts';
import { plot, scrolling, table } from '../parts.ts';
import type { Section } from '../section.ts';

/** Longer tables open on request. */
const MOST_ROWS = 30;

/** Where along the recording the scores are high and low. */
export const runsSection: Section = {
  id: 'runs',
  title: 'Run by run',
  short: 'Runs',
  // Averages of several runs belong to none.
  applies: ({ results }) => results.rows?.exchanged !== 'among all rows',
  body: (data) => {
    const timeline = plot(
      data,
      'timeline',
      'Frame correlation of each scored frame along its run; lines stop where frames are not scored.',
    );
    return html`${byRun(data)}${timeline && scrolling('Frame correlation over time', timeline)}`;
  },
};

function byRun(data: ReportData): Html {
  const { twoWay, frameCorrelation } = data.evaluation;
  const { items } = data.results;
  const folds = items.some(({ heldOut }) => heldOut !== undefined);
  const at = (values: readonly number[] | undefined, places: readonly number[]) =>
    values && score(mean(places.map((place) => values[place]!)));
  const runs = runsOf(data).filter(({ places }) => places.length > 0);
  const columns = [
    { title: 'run' },
    ...(folds ? [{ title: 'held out' }] : []),
    { title: 'scored', number: true },
    { title: 'identification', number: true },
    { title: 'correlation', number: true },
    { title: CONSTANT, number: true },
    ...(frameCorrelation.controls.nearestTraining ? [{ title: 'nearest training', number: true }] : []),
  ];
  const rows = runs.map(({ run, places, items: of }) => ({
    cells: [
      run,
      ...(folds ? [[...new Set(of.map((index) => items[index]!.heldOut ?? ''))].join(', ')] : []),
      places.length,
      at(twoWay.perTrial, places),
      at(frameCorrelation.perTrial, places),
      at(frameCorrelation.controls.meanPicture, places) ?? 'n/a',
      ...(frameCorrelation.controls.nearestTraining
        ? [at(frameCorrelation.controls.nearestTraining, places)]
        : []),
    ],
  }));
  const all = table('Mean scores of each run; the controls are frame correlations', columns, rows);
  return rows.length > MOST_ROWS
    ? html`<details><summary>All ${rows.length} runs</summary>${all}</details>`
    : all;
}
