import type { ReportCommon } from './data.ts';
import { type Content, type Html, html } from './html.ts';

/** Pieces that several sections are made of. */

/** A drawn plot with what it says below; nothing where it does not apply. */
export function plot(
  { figures }: Pick<ReportCommon, 'figures'>,
  name: string,
  caption: Content,
): Html | undefined {
  const figure = figures.get(name);
  return figure && html`<figure>${figure.inline}<figcaption>${caption}</figcaption></figure>`;
}

/** What may be wider than the page, reachable by keyboard. */
export function scrolling(label: string, content: Content): Html {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>`;
}

export interface TableColumn {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly number?: boolean;
}

/** The first cell of a row names it. */
export function table(
  caption: string,
  columns: readonly TableColumn[],
  rows: readonly { readonly cells: readonly Content[] }[],
): Html {
  const kind = (i: number) => (columns[i]?.number ? html` class="n"` : html``);
  // Beside text, the first column may break its lines; beside numbers it need not.
  const named = columns.some(({ number }) => number) ? html` class="name"` : '';
  const head = columns.map(({ title }, i) => html`<th scope="col"${kind(i)}>${title}</th>`);
  const body = rows.map(({ cells }) => {
    const [first, ...rest] = cells;
    const others = rest.map((cell, i) => html`<td${kind(i + 1)}>${cell}</td>`);
    return html`<tr><th scope="row"${named}>${first}</th>${others}</tr>`;
  });
  return scrolling(
    caption,
    html`<table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`,
  );
}

/** What is known, by name; undefined values are left out. */
export function facts(list: readonly (readonly [name: string, value: Content])[]): Html {
  const known = list.filter(([, value]) => value !== undefined && value !== '');
  return html`<dl>${known.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
