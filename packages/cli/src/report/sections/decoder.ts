import type { Json } from '@fmri2image/core';
import type { FoldRecord } from '../../pipeline/folds.ts';
import { trainedTrials } from '../../pipeline/training.ts';
import type { ReportData } from '../data.ts';
import { short } from '../format.ts';
import { type Html, html } from '../html.ts';
import { plot, table } from '../parts.ts';
import type { Section } from '../section.ts';

/** What was chosen inside the training data, fold by fold. */
export const decoderSection: Section = {
  id: 'decoder',
  title: 'What each decoder chose',
  short: 'Choices',
  applies: ({ folds }) => folds.length > 0,
  body: (data) => html`${choices(data)}
<div class="plots">${plot(data, 'alphas', 'Penalties that cross-validation chose (blue, area by the number of targets) among those on offer (ticks).')}</div>`,
};

function choices({ folds, study }: ReportData): Html {
  const listed = folds.map((fold) => ({ fold, chosen: chosenBy(fold) }));
  const names = [...new Set(listed.flatMap(({ chosen }) => Object.keys(chosen)))];
  const columns = [
    { title: folds.length > 1 ? 'held out' : 'decoder' },
    { title: 'training trials', number: true },
    ...names.map((title) => ({ title, number: true })),
  ];
  const rows = listed.map(({ fold, chosen }) => ({
    cells: [
      fold.heldOut ?? fold.decoder,
      trainedTrials(fold.training, study)?.length ?? 'unknown',
      ...names.map((name) => chosen[name] ?? 'n/a'),
    ],
  }));
  return table('Choices made inside the training data', columns, rows);
}

/** Choices of a fold by name. */
function chosenBy({ report, config, ledger, decoder }: FoldRecord): Record<string, string> {
  const chosen: Record<string, string> = {};
  const delays = ledger.flatMap(({ step }) => /^delays of (.+ s)$/.exec(step)?.[1] ?? [])[0];
  if (delays !== undefined) chosen.delays = delays;
  const alpha = record(report.alpha);
  if (alpha && typeof alpha.smallest === 'number' && typeof alpha.largest === 'number') {
    const [low, high] = [short(alpha.smallest), short(alpha.largest)];
    chosen.alpha = low === high ? low : `${low} to ${high}`;
  }
  const cross = record(report.crossValidation);
  if (cross && typeof cross.meanScore === 'number')
    chosen['score in cross-validation'] = short(cross.meanScore);
  if (decoder !== 'ridge') {
    for (const [name, value] of Object.entries({ ...config, ...report })) {
      const spoken = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      if (typeof value === 'number') chosen[spoken] = short(value);
      else if (typeof value === 'string' && value.length < 40) chosen[spoken] = value;
    }
  }
  return chosen;
}

function record(value: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
