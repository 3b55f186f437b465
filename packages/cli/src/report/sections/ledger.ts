import { html } from '../html.ts';
import { mergedLedger } from '../ledger.ts';
import { table } from '../parts.ts';
import type { Section } from '../section.ts';

const SAW = { yes: 'yes', no: 'no', unknown: 'unknown' } as const;

/** What was fitted, on what, and whether that included what was tested. */
export const ledgerSection: Section = {
  id: 'ledger',
  title: 'Ledger: what was fitted on what',
  short: 'Ledger',
  body: ({ folds, study }) => {
    if (folds.length === 0) {
      return html`<p>Unknown: the reconstructions do not say how their decoder was fitted. Whether it saw the test data is unknown, too.</p>`;
    }
    const rows = mergedLedger(folds, study).map(({ step, runs, sawTest, note, folds }) => ({
      cells: [
        note === undefined ? step : html`${step}<br><span class="muted">${note}</span>`,
        runs,
        html`<span class="saw-${sawTest}">${SAW[sawTest]}</span>`,
        folds,
      ],
    }));
    const columns = [
      { title: 'step' },
      { title: 'fitted on' },
      { title: 'saw the test data' },
      { title: 'folds' },
    ];
    return html`${table('Every fitted step', columns, rows)}`;
  },
};
