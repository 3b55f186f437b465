import type { ReportCommon } from '../data.ts';
import { html } from '../html.ts';
import type { Section } from '../section.ts';

/** What qualifies everything below. */
export const notesSection: Section<ReportCommon> = {
  id: 'notes',
  title: 'Read this first',
  short: 'Notes',
  applies: ({ notes }) => notes.length > 0,
  body: ({ notes }) => html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
};
