import {
  canResume,
  canStart,
  mismatch,
  needsSubject,
  remaining,
  type State,
  summary,
  unitOf,
} from '../state.ts';
import { counted, h, percentText, rText, setText } from './dom.ts';
import { tag } from './facts.ts';

export interface ControlActions {
  start(count: number): void;
  cancel(): void;
  resume(): void;
  saveAll(): void;
}

/** Beyond this many, a run starts with the first of them unless told otherwise. */
const MANY = 200;

/** Start, cancel, continue and save; how far a run is, in words and as a bar. */
export class Controls {
  readonly #start = h('button', { type: 'button', class: 'primary', id: 'start' }, 'Reconstruct');
  readonly #cancel = h('button', { type: 'button', id: 'cancel' }, 'Cancel');
  readonly #resume = h('button', { type: 'button', class: 'primary', id: 'resume' }, 'Continue');
  readonly #saveAll = h('button', { type: 'button', id: 'save-all' }, 'Save all as ZIP');
  readonly #count = h('select', { id: 'count' });
  readonly #countLabel = h('label', { class: 'count' }, 'Trials ', this.#count);
  readonly #line = h('span', { id: 'line' });
  readonly #simulated = tag('info', 'simulated person');
  readonly #bar = h('progress', { id: 'run-bar', 'aria-label': 'Trials reconstructed' });
  #offered: readonly number[] | undefined;

  constructor(
    private readonly container: HTMLElement,
    actions: ControlActions,
  ) {
    this.#start.addEventListener('click', () => actions.start(Number(this.#count.value)));
    this.#cancel.addEventListener('click', () => actions.cancel());
    this.#resume.addEventListener('click', () => actions.resume());
    this.#saveAll.addEventListener('click', () => actions.saveAll());
    container.append(
      h(
        'div',
        { class: 'buttons' },
        this.#start,
        this.#resume,
        this.#cancel,
        this.#countLabel,
        this.#saveAll,
      ),
      h('p', { class: 'line' }, this.#simulated, this.#line),
      this.#bar,
    );
  }

  render(state: State): void {
    const { phase, wanted, pictures, responses, bundle } = state;
    const running = phase === 'running';
    const focused = this.container.contains(document.activeElement);
    this.container.hidden = !bundle && !responses;
    this.#offerCounts(responses?.trials);
    this.#start.hidden = running || phase === 'lost';
    this.#start.disabled = !canStart(state);
    this.#start.textContent = wanted.length > 0 ? 'Start again' : 'Reconstruct';
    this.#cancel.hidden = !running;
    this.#resume.hidden = !canResume(state);
    // One of the two is what one most likely wants.
    this.#start.classList.toggle('primary', this.#resume.hidden);
    this.#resume.disabled = state.opening !== undefined;
    this.#countLabel.hidden = running || phase === 'lost' || !canStart(state);
    this.#saveAll.hidden = running || pictures.length === 0;
    this.#bar.hidden = wanted.length === 0;
    this.#bar.max = Math.max(1, wanted.length);
    // Some decoders answer only when all is computed: until then the bar says that it is at work.
    if (running && pictures.length === 0) this.#bar.removeAttribute('value');
    else this.#bar.value = pictures.length;
    setText(this.#line, lineOf(state));
    this.#simulated.hidden = !responses?.simulated;
    // The button that had the focus may be gone: its successor takes it.
    if (focused && document.activeElement === document.body) {
      [this.#cancel, this.#resume, this.#start].find((button) => !button.hidden && !button.disabled)?.focus();
    }
  }

  /** Once for each set of responses; what is chosen then is the person's. */
  #offerCounts(trials: readonly number[] | undefined): void {
    if (trials === this.#offered) return;
    this.#offered = trials;
    const total = trials?.length ?? 0;
    const steps = [12, 48, MANY, 1000].filter((step) => step < total);
    const chosen = Math.min(total, MANY);
    this.#count.replaceChildren(
      ...steps.map((step) => h('option', { value: step, selected: step === chosen }, `first ${step}`)),
      h('option', { value: total, selected: total === chosen }, `all ${total.toLocaleString('en')}`),
    );
  }
}

/** Where things stand, as a sentence. */
export function lineOf(state: State): string {
  const { phase, wanted, pictures, bundle, responses, decoder, device, backend, elapsed } = state;
  const unit = unitOf(state);
  const of = `${pictures.length} of ${counted(wanted.length, unit)}`;
  const on = decoder ? ` on ${decoder.device}` : '';
  switch (phase) {
    case 'running':
      return pictures.length === 0 ? `Computing ${counted(wanted.length, unit)} …` : `${of} …`;
    case 'done':
      return `${unit === 'trial' ? 'Features of ' : ''}${counted(pictures.length, unit)} in ${(elapsed / 1e3).toFixed(1)} s${on}`;
    case 'cancelled':
      return `Cancelled: ${of} are done.`;
    case 'failed':
      return `Stopped by an error: ${of} are done.`;
    case 'lost':
      return remaining(state).length > 0
        ? `Interrupted: ${of} are done. Continue opens the device again and makes the others.`
        : 'The device is gone. Continue opens it again; no file has to be chosen again.';
  }
  if (!bundle) return 'Now open the bundle of a fitted decoder.';
  if (!responses) return 'Now open the responses that it is to decode.';
  if (needsSubject(state)) return 'Now choose the subject whose responses these are.';
  if (mismatch(state)) return 'These responses are not for this decoder.';
  if (!decoder) {
    return device.kind === 'missing' && backend === 'webgpu'
      ? 'Without WebGPU: see below.'
      : 'The decoder is being opened …';
  }
  return `Ready${on}.`;
}

/** Mean scores, each beside what chance gives. Their place is kept while the first picture is computed. */
export function renderScores(container: HTMLElement, state: State): void {
  const { wanted, responses, phase } = state;
  const scores = summary(state);
  container.hidden =
    !scores && !(phase === 'running' && responses?.hasStimuli && unitOf(state) === 'picture');
  if (container.hidden) return;
  const { correlation, chance, twoWay, meanPicture, scored } = scores ?? {};
  container.replaceChildren(
    tile('Correlation', correlation === undefined ? '…' : rText(correlation), [
      `chance ${chance === undefined ? '…' : rText(chance)}`,
      ...(meanPicture === undefined ? [] : [`mean picture ${rText(meanPicture)}`]),
    ]),
    tile('Two-way identification', twoWay === undefined ? '…' : percentText(twoWay), ['chance 50 %']),
    tile('Scored', String(scored ?? 0), [`of ${counted(wanted.length, 'trial')}`]),
    h(
      'p',
      { class: 'legend' },
      'Left: shown. Right: reconstructed. Bar: correlation with what was shown; tick: chance, the mean correlation with the other stimuli.',
    ),
  );
}

function tile(name: string, value: string, beside: readonly string[]): HTMLElement {
  return h(
    'div',
    { class: 'tile' },
    h('span', { class: 'tile-name' }, name),
    h('span', { class: 'tile-value' }, value),
    h('span', { class: 'tile-beside' }, beside.join(' · ')),
  );
}
