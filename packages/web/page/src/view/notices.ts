import { type Notice, sentenceOf } from '../notice.ts';
import { fact, h } from './dom.ts';

/** Errors and notes, each once, as an alert that can be dismissed. */
export class Notices {
  readonly #shown = new Map<number, HTMLElement>();

  constructor(
    private readonly container: HTMLElement,
    private readonly dismiss: (id: number) => void,
  ) {}

  render(notices: readonly Notice[]): void {
    for (const [id, element] of this.#shown) {
      if (notices.some((notice) => notice.id === id)) continue;
      element.remove();
      this.#shown.delete(id);
    }
    for (const notice of notices) {
      if (this.#shown.has(notice.id)) continue;
      const element = this.#element(notice);
      this.#shown.set(notice.id, element);
      this.container.append(element);
      element.scrollIntoView({ block: 'nearest' });
    }
  }

  #element({ id, kind, title, message, file, field, expected, found }: Notice): HTMLElement {
    const facts = [
      file !== undefined && fact('File', file),
      field !== undefined && fact('Field', field),
      expected !== undefined && fact('Expected', expected),
      found !== undefined && fact('Found', found),
    ];
    return h(
      'div',
      { class: `notice ${kind}`, role: kind === 'error' ? 'alert' : 'status' },
      h(
        'div',
        {},
        h('p', { class: 'notice-title' }, title),
        h('p', {}, sentenceOf(message)),
        facts.some(Boolean) && h('dl', { class: 'facts' }, ...facts),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'quiet',
          'aria-label': `Dismiss: ${title}`,
          onclick: () => this.dismiss(id),
        },
        'Dismiss',
      ),
    );
  }
}
