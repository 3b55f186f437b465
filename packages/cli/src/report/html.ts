import { redactHome } from '../redact.ts';

/** Markup that may stand in a page as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

export type Content = Html | string | number | undefined | false | readonly Content[];

/**
 * Markup with values in it. Everything but `Html` is escaped: names of stimuli, runs and studies come from files and
 * may hold anything. Home folders are hidden.
 *
 * @example html`<td title="${name}">${score.toFixed(2)}</td>`
 */
export function html(pieces: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(
    pieces.reduce((text, piece, i) => text + piece + (i < values.length ? render(values[i]) : ''), ''),
  );
}

function render(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(render).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Control characters become U+FFFD: a page may not hold them. Marks that turn the direction of the text are
 * left out: a name could disguise what follows it.
 */
function escaped(text: string): string {
  return (
    redactHome(text)
      // A number stays with its sign.
      .replace(/(?<=\d) (?=%)|(?<=\bp) (?==)|(?<=\b[pr] =) /g, '\u00a0')
      .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
      .replace(/(?![\n\t])\p{Cc}/gu, '\ufffd')
      .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
  );
}
