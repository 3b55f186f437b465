import { OWN_RUN } from '../../pipeline/ledger.ts';
import type { ReportCommon } from '../data.ts';
import { counted } from '../format.ts';
import { html } from '../html.ts';
import { type LedgerRow, mergedLedger } from '../ledger.ts';
import { table } from '../parts.ts';
import type { Section } from '../section.ts';

/** How many steps could have carried something from test to training data. */
function passed(rows: readonly LedgerRow[]): string {
  const leaks = rows.filter(({ sawTest, ownRun }) => sawTest === 'yes' && !ownRun).length;
  const unknown = rows.filter(({ sawTest }) => sawTest === 'unknown').length;
  const doubt = unknown === 0 ? '' : `; of ${unknown} it is unknown`;
  return `${leaks} of ${counted(rows.length, 'step')} passed anything from test to training data${doubt}.`;
}

/** What was fitted, on what, and whether that included what was tested. */
export const ledgerSection: Section<ReportCommon> = {
  id: 'ledger',
  title: 'Ledger: what was fitted on what',
  short: 'Ledger',
  body: ({ folds, study, results }) => {
    if (folds.length === 0) {
      return html`<p>Unknown: the reconstructions do not say how their decoder was fitted. Whether it saw the test data is unknown, too.</p>`;
    }
    const severalFolds = folds.length > 1;
    const merged = mergedLedger(folds, study, results.rows?.sessions);
    const rows = merged.map(({ step, runs, sawTest, ownRun, note, folds }) => ({
      cells: [
        note === undefined ? step : html`${step}<br><span class="muted">${note}</span>`,
        runs,
        sawTest === 'yes' && ownRun ? OWN_RUN : html`<span class="saw-${sawTest}">${sawTest}</span>`,
        ...(severalFolds ? [folds] : []),
      ],
    }));
    const columns = [
      { title: 'step' },
      { title: 'fitted on' },
      { title: 'saw the test data' },
      ...(severalFolds ? [{ title: 'in the folds that held out' }] : []),
    ];
    return html`<p>${passed(merged)}</p>${table('Every fitted step', columns, rows)}`;
  },
};
