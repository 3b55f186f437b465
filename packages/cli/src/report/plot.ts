import type { TopLevelSpec } from 'vega-lite';
import { redactHome } from '../redact.ts';
import { Html, html } from './html.ts';
import { COLOUR, FONT } from './theme.ts';

/** A drawn plot. */
export interface Figure {
  /** File name without extension. */
  readonly name: string;
  /** What it shows, for those who do not see it. */
  readonly description: string;
  /** A file of its own, on white. */
  readonly svg: string;
  /** For the page: no background, colours by the page's style. */
  readonly inline: Html;
}

const CONFIG = {
  background: 'white',
  font: FONT,
  view: { stroke: null },
  axis: {
    labelColor: COLOUR.muted,
    titleColor: COLOUR.ink,
    titleFontWeight: 'normal',
    labelFontSize: 11,
    titleFontSize: 12,
    gridColor: COLOUR.rule,
    domainColor: COLOUR.muted,
    tickColor: COLOUR.muted,
    tickSize: 4,
    labelFlush: false,
  },
  axisY: { domain: false, ticks: false, labelPadding: 6 },
  axisX: { grid: false },
  header: { labelColor: COLOUR.ink, titleColor: COLOUR.ink, labelFontSize: 12, labelFontWeight: 'normal' },
  title: { color: COLOUR.ink, fontSize: 13, fontWeight: 600, anchor: 'start', offset: 8 },
  text: { color: COLOUR.ink, fontSize: 11 },
} as const;

/** Draws a Vega-Lite plot without a screen. Nothing is loaded: data and pictures stand in the spec. */
export async function draw(name: string, description: string, spec: unknown): Promise<Figure> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const compiled = compile({ ...(spec as object), config: CONFIG } as unknown as TopLevelSpec).spec;
  const loader = {
    load: () => Promise.reject(new Error('plots load nothing')),
    sanitize: () => Promise.reject(new Error('plots load nothing')),
    http: () => Promise.reject(new Error('plots load nothing')),
    file: () => Promise.reject(new Error('plots load nothing')),
  };
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', loader, logLevel: vega.Error });
  try {
    const plain = withoutRoles(ownIds(redactHome(await view.toSVG()), name));
    const label = html`role="img" aria-label="${description}"`.text;
    const svg = plain.replace('<svg ', `<svg ${label} `);
    return {
      name,
      description,
      svg: `<?xml version="1.0" encoding="UTF-8"?>\n${svg}\n`,
      inline: new Html(svg.replace(/<rect width="\d+" height="\d+" fill="white"\/>/, '')),
    };
  } finally {
    view.finalize();
  }
}

/** Ids count from the first plot of the process: in one page, and from run to run, each plot has its own. */
function ownIds(svg: string, name: string): string {
  const ids = new Map<string, string>();
  for (const [, id] of svg.matchAll(/ id="([^"]+)"/g)) ids.set(id!, `${name}-${ids.size + 1}`);
  return svg
    .replace(/ id="([^"]+)"/g, (_, id: string) => ` id="${ids.get(id)}"`)
    .replace(/url\(#([^)]+)\)/g, (_, id: string) => `url(#${ids.get(id) ?? id})`);
}

/** The plot is one picture with one description: roles of its parts would only be noise to a screen reader. */
function withoutRoles(svg: string): string {
  return svg.replace(/<[a-zA-Z][^>]*>/g, (tag) =>
    tag.replace(/ (?:role|aria-[a-z]+|class|style|xmlns:xlink)="[^"]*"/g, ''),
  );
}
