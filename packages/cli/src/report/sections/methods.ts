import { type Html, html } from '../html.ts';
import { type Methods, methodsOf } from '../methods.ts';
import type { Section } from '../section.ts';

/** For a paper: written from what was done. */
export const methodsSection: Section = {
  id: 'methods',
  title: 'Methods, ready to copy',
  short: 'Methods',
  body: (data) => methodsText(methodsOf(data)),
};

export function methodsText({ paragraphs, references }: Methods): Html {
  return html`<p class="muted">Written from the records of this analysis; a click selects it all. Please check it against what you know of the recording.</p>
<div class="methods">${paragraphs.map((text) => html`<p>${text}</p>`)}</div>
<h3>References</h3>
<ul class="references">${references.map(
    ({ full, doi }) =>
      html`<li>${full}${doi === '' ? '' : html` <a href="https://doi.org/${doi}">doi:${doi}</a>`}</li>`,
  )}</ul>`;
}
