import { bandScoresOf } from '../../pipeline/bandScores.ts';
import type { ReportCommon } from '../data.ts';
import { percent, score } from '../format.ts';
import { html } from '../html.ts';
import { table } from '../parts.ts';
import type { Section } from '../section.ts';

/** What each band of voxels adds to held-out predictions. */
export const bandsSection: Section<ReportCommon> = {
  id: 'bands',
  title: 'What each band adds',
  short: 'Bands',
  applies: ({ folds }) => bandScoresOf(folds).length > 0,
  body: ({ folds }) => {
    const bands = bandScoresOf(folds);
    const sum = (of: (band: (typeof bands)[number]) => number) =>
      bands.reduce((total, band) => total + of(band), 0);
    const number = true;
    return html`${table(
      `Split scores of held-out predictions, means over targets${folds.length > 1 ? ' and folds' : ''}`,
      [
        { title: 'band' },
        { title: 'values', number },
        { title: 'share of the weights', number },
        { title: 'correlation', number },
        { title: 'explained variance', number },
      ],
      [
        ...bands.map(({ name, values, share, correlation, r2 }) => ({
          cells: [name, values, percent(share), score(correlation), score(r2)],
        })),
        {
          cells: [
            'together',
            sum(({ values }) => values),
            percent(sum(({ share }) => share)),
            score(sum(({ correlation }) => correlation)),
            score(sum(({ r2 }) => r2)),
          ],
        },
      ],
    )}
<p class="muted">Bands of voxels have penalties of their own, chosen inside the training data. Predictions are the sum of what each band adds; their correlation and explained variance are split by the product measure (Dupré la Tour et al. 2022), so that the rows sum up to the last one. A negative share says that a band adds what does not fit. Values are voxels, times the delays at which they are read.</p>`;
  },
};
