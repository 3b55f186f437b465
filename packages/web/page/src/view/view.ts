import type { App } from '../app.ts';
import type { BundleFacts, State } from '../state.ts';
import { Controls, lineOf, renderScores } from './controls.ts';
import { emptyMessage, renderDevice } from './device.ts';
import { bytesText, get, setText } from './dom.ts';
import { bundleFacts, responsesFacts } from './facts.ts';
import { Gallery } from './gallery.ts';
import { Notices } from './notices.ts';

/** The document as a function of the state. Parts are made again only when what they show has changed. */
export class View {
  readonly #notices: Notices;
  readonly #gallery: Gallery;
  readonly #controls: Controls;
  readonly #app: App;
  #last: State | undefined;

  constructor(app: App) {
    this.#app = app;
    this.#notices = new Notices(get('notices'), (id) => app.dismiss(id));
    this.#gallery = new Gallery(get('gallery'), app, (trial) => app.save(trial));
    this.#controls = new Controls(get('controls'), {
      start: (count) => void app.start(count),
      cancel: () => app.cancel(),
      resume: () => void app.resume(),
      saveAll: () => app.saveAll(),
    });
  }

  render(state: State): void {
    const last = this.#last;
    this.#last = state;
    document.body.dataset.phase = state.phase;
    document.body.dataset.open = String(Boolean(state.bundle || state.responses));
    get('demo').classList.toggle('primary', !state.bundle && !state.responses);
    renderDevice(get('device'), state);
    this.#notices.render(state.notices);
    this.#opening(state);
    if (state.bundle !== last?.bundle || state.decoder !== last?.decoder) {
      get('bundle').hidden = !state.bundle;
      const focused = document.activeElement?.id;
      get('bundle-facts').replaceChildren(...(state.bundle ? [this.#bundleFacts(state.bundle, state)] : []));
      // What was chosen with the keyboard keeps it.
      if (focused === 'stage' || focused === 'subject') get(focused).focus();
    }
    if (state.responses !== last?.responses) {
      get('responses').hidden = !state.responses;
      get('responses-facts').replaceChildren(...(state.responses ? [responsesFacts(state.responses)] : []));
    }
    this.#controls.render(state);
    renderScores(get('scores'), state);
    this.#gallery.render(state);
    this.#empty(state, last);
    // Screen readers are told of the turns, not of every picture.
    if (
      state.phase !== last?.phase ||
      state.decoder !== last?.decoder ||
      state.subject !== last?.subject ||
      state.responses !== last?.responses
    ) {
      setText(
        get('status'),
        state.phase === 'idle' && !state.bundle && !state.responses ? '' : lineOf(state),
      );
    }
  }

  #bundleFacts(bundle: BundleFacts, { decoder, stage, subject }: State): HTMLElement {
    return bundleFacts(
      bundle,
      decoder,
      { chosen: stage, choose: (value) => void this.#app.chooseStage(value) },
      { chosen: subject, choose: (value) => void this.#app.chooseSubject(value) },
    );
  }

  #opening({ opening }: State): void {
    const box = get('opening');
    box.hidden = !opening;
    if (!opening) return;
    const { name, progress } = opening;
    const bar = get<HTMLProgressElement>('opening-bar');
    const verb = { fetch: 'Fetching', read: 'Reading', verify: 'Checking', upload: 'To the device:' }[
      progress?.phase ?? 'read'
    ];
    const amount = progress?.done ? ` (${bytesText(progress.done)})` : '';
    setText(get('opening-label'), `${verb} ${name}${amount} …`);
    if (progress && progress.total > 0) {
      bar.max = progress.total;
      bar.value = progress.done;
    } else bar.removeAttribute('value');
  }

  #empty(state: State, last: State | undefined): void {
    const keys = ['device', 'backend', 'bundle', 'responses', 'opening', 'wanted'] as const;
    if (last && keys.every((key) => state[key] === last[key])) return;
    const box = get('empty');
    const message = emptyMessage(state, () => void this.#app.choose('reference'));
    box.hidden = !message;
    const focused = box.contains(document.activeElement);
    box.replaceChildren(...(message ? [message] : []));
    if (focused) get(message ? 'use-reference' : 'work').focus();
  }
}
