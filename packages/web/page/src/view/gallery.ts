import type { Picture } from '@fmri2image/core';
import { shownAs } from '../features.ts';
import type { PictureFacts, State } from '../state.ts';
import { h, percentText, rText } from './dom.ts';

/** What the gallery shows that is no plain value. */
export interface Images {
  stimulus(trial: number): Picture | undefined;
  reconstruction(trial: number): Picture | undefined;
}

interface Card {
  readonly element: HTMLElement;
  readonly slot: HTMLElement;
  readonly caption: HTMLElement;
  readonly save: HTMLButtonElement;
  filled: boolean;
}

/** One card a trial: what was shown, the reconstruction when it is there, and its score beside chance. */
export class Gallery {
  readonly #cards = new Map<number, Card>();
  #wanted: readonly number[] = [];
  #isPicture = true;

  constructor(
    private readonly list: HTMLElement,
    private readonly images: Images,
    private readonly save: (trial: number) => void,
  ) {}

  render(state: State): void {
    const { wanted, pictures, responses } = state;
    if (wanted !== this.#wanted || pictures.length < this.#filled()) {
      this.#wanted = wanted;
      this.#cards.clear();
      const { kind = 'picture', shape = [1, 1] } = state.decoder?.output ?? {};
      this.#isPicture = kind === 'picture';
      const { height, width } = this.#isPicture ? { height: shape[0]!, width: shape[1]! } : shownAs(shape);
      this.list.setAttribute('aria-label', this.#isPicture ? 'Pictures' : 'Features');
      this.list.style.setProperty('--aspect', `${width} / ${height}`);
      for (const trial of wanted) this.#cards.set(trial, this.#card(trial, responses?.labels[trial] ?? ''));
      this.list.replaceChildren(...[...this.#cards.values()].map(({ element }) => element));
    }
    this.list.hidden = wanted.length === 0;
    // Pictures come in order: those that are new are at the end.
    for (let i = pictures.length - 1; i >= 0; i--) {
      const card = this.#cards.get(pictures[i]!.trial);
      if (!card || card.filled) break;
      this.#fill(card, pictures[i]!, responses?.labels[pictures[i]!.trial] ?? '');
    }
  }

  #filled(): number {
    return [...this.#cards.values()].filter(({ filled }) => filled).length;
  }

  #card(trial: number, label: string): Card {
    const stimulus = this.images.stimulus(trial);
    const slot = h('div', { class: 'slot', 'aria-hidden': 'true' });
    const save = h(
      'button',
      {
        type: 'button',
        class: 'save',
        'aria-label': `Save ${label} as ${this.#isPicture ? 'PNG' : 'npy'}`,
        onclick: () => this.save(trial),
        hidden: true,
      },
      this.#isPicture ? 'PNG' : 'NPY',
    );
    const score = h('span', { class: 'score' });
    const element = h(
      'li',
      { class: stimulus ? 'card' : 'card alone', 'data-trial': trial },
      h('div', { class: 'pair' }, stimulus && canvasOf(stimulus, `Shown in ${label}`, 'shown'), slot),
      h('div', { class: 'caption' }, h('span', { class: 'label', title: label }, label), score, save),
    );
    return { element, slot, caption: score, save, filled: false };
  }

  #fill(card: Card, { trial, score, decoded }: PictureFacts, label: string): void {
    const image = this.images.reconstruction(trial);
    if (!image) return;
    card.filled = true;
    const what = this.#isPicture ? 'Reconstruction' : 'Features';
    const canvas = canvasOf(image, `${what} of ${label}`, 'made');
    card.slot.replaceWith(canvas);
    card.save.hidden = false;
    if (decoded !== undefined) card.caption.textContent = decoded;
    if (!score) return;
    const { correlation, chance, twoWay } = score;
    card.caption.textContent = `r ${rText(correlation)}`;
    card.caption.title = `correlation ${rText(correlation)}, with other stimuli ${rText(chance)}; more like its stimulus than like ${percentText(twoWay)} of the others`;
    card.element.append(meter(correlation, chance));
  }
}

/** A line from 0 to 1 with the correlation, and a tick where other stimuli lie. */
function meter(value: number, chance: number): HTMLElement {
  const NS = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', '0 0 100 4');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'meter');
  svg.setAttribute('aria-hidden', 'true');
  const rect = (x: number, width: number, name: string) => {
    const element = document.createElementNS(NS, 'rect');
    for (const [key, size] of Object.entries({ x, width, y: 0, height: 4 }))
      element.setAttribute(key, String(size));
    element.setAttribute('class', name);
    return element;
  };
  const at = (r: number) => 100 * Math.min(1, Math.max(0, r));
  svg.append(
    rect(0, 100, 'track'),
    rect(0, at(value), 'bar'),
    rect(Math.min(98.5, at(chance)), 1.5, 'chance'),
  );
  return svg as unknown as HTMLElement;
}

/** A picture as it is, one canvas pixel a pixel; style sheets enlarge it. */
function canvasOf(picture: Picture, label: string, name: string): HTMLCanvasElement {
  const { width, height } = picture;
  const canvas = h('canvas', { width, height, role: 'img', 'aria-label': label, class: name });
  canvas.getContext('2d')!.putImageData(new ImageData(picture.toRgba(), width, height), 0, 0);
  return canvas;
}
