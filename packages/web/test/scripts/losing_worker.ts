import { loadLocally, serveDecoders, type WorkerLike } from '@fmri2image/core';
import { keptBundle } from '@fmri2image/core/conformance';
import { createBackend } from '../../src/index.ts';

// A worker that loses its device, fails or closes itself when it is told to; it begins to listen late.
const { navigator } = globalThis as unknown as { navigator: { gpu: GPU } };
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
