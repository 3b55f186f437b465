import type { ReportCommon } from '../data.ts';
import { html } from '../html.ts';
import { facts } from '../parts.ts';
import type { Section } from '../section.ts';

/** What another needs to get the same figures. */
export const reproduceSection: Section<ReportCommon> = {
  id: 'reproduce',
  title: 'How to get the same again',
  short: 'Reproduce',
  body: (data) => {
    const { made, reported, seed } = data;
    const together = made.runId === reported.runId;
    return html`${facts([
      ['run', reported.runId],
      ['date', reported.created],
      ['command', html`<pre>${reported.commandLine}</pre>`],
      ['versions', `fmri2image ${reported.version}; ${reported.platform}`],
      ['device', reported.device],
      ['devices passed over', rejected(reported)],
      ['seed', `${seed} (permutations, intervals, the random grid)`],
    ])}
<h3>The reconstructions</h3>
${facts([
  ['made', together ? 'in the same run' : `in run ${made.runId}${made.created ? `, ${made.created}` : ''}`],
  ['command', together ? undefined : html`<pre>${made.commandLine}</pre>`],
  [
    'versions',
    together ? undefined : `fmri2image ${made.version}${made.platform ? `; ${made.platform}` : ''}`,
  ],
  ['device', together ? undefined : made.device],
  ['devices passed over', together ? undefined : rejected(made)],
  [
    'bundle',
    made.bundle === 'none'
      ? 'none: decoders were fitted on the way and not kept'
      : html`content hash <code>${made.bundle}</code>`,
  ],
])}`;
  },
};

function rejected({ rejected }: ReportCommon['made']): string | undefined {
  return rejected?.map(({ device, reason }) => `${device}: ${reason}`).join('; ');
}
