import { createHash } from 'node:crypto';
import type { ReportCommon } from './data.ts';
import { Html, html } from './html.ts';
import type { Section } from './section.ts';
import { STYLE } from './style.ts';

/**
 * The page: one file, readable offline. It holds no script, and its policy lets it load nothing, whatever stands in
 * it: pictures are inside, and the style is admitted by its hash.
 *
 * @param about what the page is about: `reconstructed pictures`
 * @param options `roomy`: wide screens show maps beside their words and numbers
 */
export function renderPage<Data extends Pick<ReportCommon, 'reported'>>(
  data: Data,
  title: string,
  about: string,
  all: readonly Section<Data>[],
  { roomy = false }: { readonly roomy?: boolean } = {},
): string {
  const sections = all.filter(({ applies }) => applies?.(data) ?? true);
  const digest = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`;
  const contents = sections.map(({ id, short }) => html`<li><a href="#${id}">${short}</a></li>`);
  const bodies = sections.map(
    (section) =>
      html`<section id="${section.id}" aria-labelledby="${section.id}-title"${kind(section.id)}>
<h2 id="${section.id}-title">${section.title}</h2>
${section.body(data)}
</section>
`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="fmri2image ${data.reported.version}">
<title>${title}: ${about}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<div class="${roomy ? 'wide roomy' : 'wide'}">
<header>
<p class="kind">fmri2image: ${about}</p>
<h1>${title}</h1>
</header>
<nav aria-label="Contents"><ol>${contents}</ol></nav>
<main id="main">
${bodies}
</main>
<footer><p>Run ${data.reported.runId}, ${data.reported.created?.slice(0, 10)}, fmri2image ${data.reported.version}. This page is complete in itself and loads nothing.</p></footer>
</div>
</body>
</html>
`.text;
}

const kind = (id: string): Html => (id === 'notes' ? html` class="notes"` : html``);
