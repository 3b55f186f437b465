import { estimateReference, REFERENCE_LIMIT_BYTES } from '../reference.ts';
import type { State } from '../state.ts';
import { bytesText, h, setText } from './dom.ts';

/** The device in the header. */
export function renderDevice(element: HTMLElement, { device, decoder, backend }: State): void {
  const text =
    decoder?.device ??
    (backend === 'reference'
      ? 'Reference backend (slow)'
      : { checking: 'Looking for WebGPU …', webgpu: 'WebGPU is available', missing: 'No WebGPU' }[
          device.kind
        ]);
  setText(element, text);
  element.dataset.kind = backend === 'reference' ? 'reference' : device.kind;
}

/** What takes the place of pictures while there are none: what to do next, or what is missing. */
export function emptyMessage(state: State, chooseReference: () => void): HTMLElement | undefined {
  if (state.device.kind === 'missing' && state.backend === 'webgpu') {
    return withoutWebGpu(state, chooseReference);
  }
  if (state.wanted.length > 0) return undefined;
  if (state.bundle || state.responses || state.opening) return undefined;
  return h('div', {}, steps(), preview());
}

function steps(): HTMLElement {
  return h(
    'ol',
    { class: 'steps' },
    step(
      'Open a bundle',
      'A decoder that was fitted on training trials: two files with checksums and a ledger of every fitted step.',
    ),
    step(
      'Open responses',
      'Brain responses of trials that it has not seen, with the voxels that it was fitted on.',
    ),
    step(
      'Watch',
      'Pictures appear as they are computed, on this computer’s GPU. With stimuli, each is scored beside chance.',
    ),
  );
}

/** A glimpse of the demo; a page that was built without one does without. */
function preview(): HTMLElement {
  const figure = h(
    'figure',
    { class: 'preview' },
    h('img', {
      src: new URL('demo/preview.png', document.baseURI).href,
      alt: 'Pictures that the demo shows to a simulated person, and below each what the decoder made of the responses',
      width: 263,
      height: 65,
      onerror: () => figure.remove(),
    }),
    h(
      'figcaption',
      {},
      'From the demo, a simulated person. Above: what was shown. Below: what the decoder made of the responses, which it had never seen.',
    ),
  );
  return figure;
}

function step(title: string, text: string): HTMLElement {
  return h('li', {}, h('h3', {}, title), h('p', {}, text));
}

function withoutWebGpu({ device, bundle }: State, chooseReference: () => void): HTMLElement {
  const { reason, advice } = device as Extract<State['device'], { kind: 'missing' }>;
  const estimate = bundle && estimateReference(bundle.model);
  return h(
    'div',
    { class: 'missing', id: 'no-webgpu' },
    h('h3', {}, 'No WebGPU here'),
    h('p', {}, reason),
    h('ul', {}, ...advice.map((text) => h('li', {}, text))),
    h('h3', {}, 'Or without a GPU'),
    h(
      'p',
      {},
      `The reference backend computes in plain JavaScript: the same pictures, slowly. It takes bundles of up to ${bytesText(REFERENCE_LIMIT_BYTES)}, and is never chosen by itself. `,
      estimate && h('strong', {}, estimateText(estimate)),
    ),
    h(
      'button',
      {
        type: 'button',
        id: 'use-reference',
        onclick: chooseReference,
        disabled: estimate?.allowed === false,
      },
      'Use the reference backend',
    ),
  );
}

function estimateText({ allowed, bytes, secondsPerPicture }: ReturnType<typeof estimateReference>): string {
  if (!allowed) return `This bundle has ${bytesText(bytes)}: too large.`;
  if (secondsPerPicture === undefined)
    return `This bundle has ${bytesText(bytes)}; its pictures may take minutes.`;
  const time =
    secondsPerPicture < 0.1 ? 'less than a tenth of a second' : `about ${secondsPerPicture.toPrecision(1)} s`;
  return `This bundle has ${bytesText(bytes)}: ${time} a picture.`;
}
