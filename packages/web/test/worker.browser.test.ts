import type { WorkerLike } from '@fmri2image/core';
import { keptBundle } from '@fmri2image/core/conformance';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { type LoadProgress, loadDecoder } from '../src/index.ts';
import { describeOnDevice } from './available.ts';
import { betas, errorOf, expectPictures, keptFiles, manyBetas } from './kept.ts';

type BrowserWorker = WorkerLike & { terminate(): void };
declare const Worker: new (url: URL, options: { type: 'module' }) => BrowserWorker;

let workers: BrowserWorker[] = [];
afterEach(() => {
  for (const worker of workers) worker.terminate();
  workers = [];
});
const kept = (worker: BrowserWorker) => {
  workers.push(worker);
  return worker;
};
const start = () => kept(new Worker(new URL('../src/worker.ts', import.meta.url), { type: 'module' }));
const startLosing = () =>
  kept(new Worker(new URL('./scripts/losing_worker.ts', import.meta.url), { type: 'module' }));
const tell = (worker: BrowserWorker, text: string) => worker.postMessage(text, []);

describeOnDevice('a decoder in a worker of the browser', () => {
  it('opens files, URLs and folders on WebGPU', async () => {
    const worker = start();
    const phases: string[] = [];
    const onProgress = ({ phase }: LoadProgress) => phases.push(phase);
    const sources = [await keptFiles(), `${inject('bundles')}/ranges/ridge_v1`, keptBundle('ridge_v1')];
    const decoders = await Promise.all(sources.map((source) => loadDecoder(source, { worker, onProgress })));
    for (const decoder of decoders) {
      expect(decoder.backend).toMatchObject({ name: 'webgpu' });
      await expectPictures(decoder);
      await decoder.dispose();
      expect((await errorOf(decoder.predict(betas))).code).toBe('DISPOSED');
    }
    expect(new Set(phases)).toEqual(new Set(['read', 'verify', 'upload']));
  });

  it('opens a folder of the private file system', async () => {
    const { storage } = navigator as unknown as {
      storage: { getDirectory(): Promise<WritableDirectory> };
    };
    const folder = await (await storage.getDirectory()).getDirectoryHandle('kept', { create: true });
    for (const file of await keptFiles()) {
      const stream = await (await folder.getFileHandle(file.name, { create: true })).createWritable();
      await stream.write(file);
      await stream.close();
    }
    for (const options of [{}, { worker: start() }]) {
      const decoder = await loadDecoder(folder, options);
      await expectPictures(decoder);
      await decoder.dispose();
    }
  });

  it('can be cancelled in the middle, and frees', async () => {
    const decoder = await loadDecoder(await keptFiles(), { worker: start() });
    const { liveTensors } = await decoder.stats();
    const controller = new AbortController();
    const loop = async () => {
      for await (const { trial } of decoder.reconstruct(manyBetas(50), { signal: controller.signal })) {
        if (trial === 40) controller.abort('enough');
      }
    };
    expect(await errorOf(loop())).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    for await (const { trial } of decoder.reconstruct(manyBetas(50))) if (trial === 40) break;
    await expect
      .poll(async () => (await decoder.stats()).liveTensors, { timeout: 120_000 })
      .toBe(liveTensors);
    await decoder.dispose();
  });

  it('tells of a device that is lost in it', async () => {
    const worker = startLosing();
    const decoder = await loadDecoder(keptBundle('ridge_v1'), { worker });
    const pending = errorOf(decoder.predict(manyBetas(50)));
    tell(worker, 'lose');
    expect(await decoder.lost).toMatchObject({ code: 'DEVICE_LOST', backend: 'webgpu' });
    expect((await pending).code).toBe('DEVICE_LOST');
    await decoder.dispose();
  });
});

describe('a worker of the browser', () => {
  const reference = { device: 'reference' } as const;

  it('that is terminated is lost, though browsers do not say so', async () => {
    const worker = start();
    const decoder = await loadDecoder(await keptFiles(), { ...reference, worker });
    const waits = [
      errorOf(decoder.predict(manyBetas(1000))),
      errorOf(decoder.reconstruct(manyBetas(1000)).next()),
    ];
    worker.terminate();
    for (const error of await Promise.all(waits)) expect(error.code).toBe('WORKER_LOST');
    expect((await decoder.lost).code).toBe('WORKER_LOST');
    await decoder.dispose();
  });

  it('refuses what stays on the page', async () => {
    const device = {} as GPUDevice;
    const error = await errorOf(loadDecoder(await keptFiles(), { device, worker: start() }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'device' });
  });

  it('says that its script could not be loaded', async () => {
    const missing = kept(new Worker(new URL('/no/such/worker.js', location.href), { type: 'module' }));
    const error = await errorOf(loadDecoder(await keptFiles(), { ...reference, worker: missing }));
    expect(error.code).toBe('WORKER_LOST');
  });
});

describeOnDevice('a worker that ends by itself', () => {
  it.each([
    ['close', /it was closed/],
    ['fail', /it failed: .*on purpose/],
  ])('%s: is lost', async (how, message) => {
    const worker = startLosing();
    // What the worker throws is for this test alone.
    (worker as { onerror?: unknown }).onerror = (event: { preventDefault(): void }) => event.preventDefault();
    const decoder = await loadDecoder(keptBundle('ridge_v1'), { device: 'reference', worker });
    tell(worker, how);
    expect(await decoder.lost).toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringMatching(message),
    });
    expect((await errorOf(decoder.predict(betas))).code).toBe('WORKER_LOST');
    await decoder.dispose();
  });
});

/** What the types of this package do not know of the browser. */
interface WritableDirectory {
  readonly kind: 'directory';
  readonly name: string;
  getDirectoryHandle(name: string, options?: { create: boolean }): Promise<WritableDirectory>;
  getFileHandle(
    name: string,
    options?: { create: boolean },
  ): Promise<{
    getFile(): Promise<File>;
    createWritable(): Promise<{ write(data: Blob): Promise<void>; close(): Promise<void> }>;
  }>;
}
declare const navigator: object;
declare const location: { href: string };
