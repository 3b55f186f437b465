/** A child of an element; `undefined` and `false` are left out. */
export type Child = Node | string | number | undefined | false;

type Attributes = Record<string, string | number | boolean | undefined | ((event: Event) => void)>;

/** An element: `h('p', { class: 'hint' }, 'text', h('b', {}, '!'))`. `onclick` and such become listeners. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== false).map(asNode));
  return element;
}

const asNode = (child: Node | string | number) => (child instanceof Node ? child : String(child));

/** An element of index.html. */
export function get<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as T;
}

/** A term and its description. */
export function fact(term: string, ...description: Child[]): HTMLElement {
  return h('div', { class: 'fact' }, h('dt', {}, term), h('dd', {}, ...description));
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** `1.7 MB`: decimal, as file managers show. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const step = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** `.62`, `-.07`: correlations, without the zero, as papers print them. */
export function rText(value: number): string {
  const text = value.toFixed(2).replace(/^(-?)0\./, '$1.');
  return (text === '-.00' ? '.00' : text).replace('-', '\u2212');
}

export const percentText = (share: number) => `${Math.round(100 * share)} %`;

export const counted = (count: number, one: string, many = `${one}s`) =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
