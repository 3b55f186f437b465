import { loadLocally, serveDecoders, type WorkerLike } from '@fmri2image/core';
import { keptBundle } from '@fmri2image/core/conformance';
import { createBackend } from '../../src/index.ts';

// A worker that loses its device, fails or closes itself when it is told to; it begins to listen late, and in a browser
// that takes its time over locks: the kept bundle would be loaded long before.
const { navigator } = globalThis as unknown as {
  navigator: { gpu: GPU; locks: { request(...what: unknown[]): Promise<unknown> } };
};
const request = navigator.locks.request.bind(navigator.locks);
navigator.locks.request = async (...what) => {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return request(...what);
};
const adapter = await navigator.gpu.requestAdapter();
const scope = globalThis as unknown as WorkerLike & {
  addEventListener(type: string, listener: (event: { data: unknown }) => void): void;
  close(): void;
};
let device: GPUDevice | undefined;
serveDecoders(scope, (_, { device: name, ...options }: { device?: 'reference' } & object) =>
  loadLocally(keptBundle('ridge_v1'), {
    ...options,
    openBackend: async () => {
      if (name !== 'reference') device = await adapter!.requestDevice();
      return createBackend({ device: device ?? 'reference' });
    },
  }),
);
scope.addEventListener('message', ({ data }) => {
  if (data === 'lose') device?.destroy();
  if (data === 'close') scope.close();
  if (data === 'fail') throw new Error('on purpose');
});
