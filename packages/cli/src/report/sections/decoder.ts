import { trainedTrials } from '../../pipeline/training.ts';
import { choicesOf, sameInAll } from '../choices.ts';
import type { ReportCommon } from '../data.ts';
import { type Html, html } from '../html.ts';
import { isPublishedModel } from '../methodsOfModel.ts';
import { plot, table } from '../parts.ts';
import type { Section } from '../section.ts';
import { decoderOf } from '../words.ts';

/** What was chosen inside the training data, fold by fold. */
export const decoderSection: Section<ReportCommon> = {
  id: 'decoder',
  title: 'What each decoder chose',
  short: 'Choices',
  applies: ({ folds }) => folds.some(({ decoder }) => !isPublishedModel(decoder)),
  body: (data) => html`${choices(data)}
<div class="plots">${plot(data, 'alphas', 'Penalties that cross-validation chose (blue, area by the number of targets) among those on offer (ticks).')}</div>`,
};

function choices({ folds, study, made, results }: ReportCommon): Html {
  const { rows: of } = results;
  const all = folds.map((fold) => ({ fold, ...choicesOf(fold, results.array) }));
  const names = [...new Set(all.flatMap(({ chosen }) => Object.keys(chosen)))];
  const columns = [
    { title: folds.length > 1 ? 'held out' : 'decoder' },
    { title: of ? 'training rows' : 'training trials', number: true },
    ...(of ? [{ title: 'of trials', number: true }] : []),
    ...names.map((title) => ({ title, number: true })),
  ];
  const rows = all.map(({ fold, chosen }) => ({
    cells: [
      fold.heldOut ?? (of ? decoderOf({ results, made }) : fold.decoder),
      ...(of
        ? [of.training.rows, of.training.trials]
        : [trainedTrials(fold.training, study)?.length ?? 'unknown']),
      ...names.map((name) => chosen[name] ?? 'n/a'),
    ],
  }));
  const given = sameInAll(all).map(([name, value]) => `${name} ${value}`);
  return html`${table('Choices made inside the training data', columns, rows)}
${given.length > 0 && html`<p class="muted">Given${folds.length > 1 ? ' and the same in all folds' : ''}: ${given.join(', ')}.</p>`}`;
}
