import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBackend, type LoadProgress, loadDecoder } from '../src/index.ts';
import { errorOf, manyBetas, writeKept } from './kept.ts';

/** The worker runs the build, as users do: it cannot load TypeScript. */
const entry = fileURLToPath(new URL('../dist/worker.js', import.meta.url));
const { betas, pictures } = keptPictures('ridge_v1');

let root: string;
let workers: Worker[] = [];
beforeAll(() => {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run npm run build first`);
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'f2i-worker-'));
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
  rmSync(root, { recursive: true, force: true });
});

/** Without the test runner's own conditions and loaders. */
function start(file = entry): Worker {
  const worker = new Worker(file, { execArgv: [] });
  workers.push(worker);
  return worker;
}

const cpu = { device: 'cpu', threads: 1 } as const;

describe('a decoder in a worker thread', () => {
  it('gives the pictures of the thread itself, and writes files', async () => {
    const worker = start();
    const path = await writeKept(root);
    const phases: string[] = [];
    const onProgress = ({ phase }: LoadProgress) => phases.push(phase);
    const decoder = await loadDecoder(path, { ...cpu, worker, onProgress });
    expect(new Set(phases)).toEqual(new Set(['read', 'verify', 'upload']));
    expect(decoder.backend).toMatchObject({ name: 'cpu', info: { threads: 1, rejected: [] } });
    const backend = await createBackend(cpu);
    const local = await loadDecoder(path, { backend });
    const values = await decoder.predict(betas);
    expect(values).toEqual(await local.predict(betas));
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - pictures[i]!)), 0);
    expect(worst).toBeLessThan(PICTURE_TOLERANCE);
    for await (const { image } of decoder.reconstruct(betas, { trials: [1] })) {
      await image!.writePng(join(root, 'one.png'));
      expect(new Uint8Array(readFileSync(join(root, 'one.png')))).toEqual(image!.toPng());
    }
    await decoder.dispose();
    await local.dispose();
    await backend.dispose();
  });

  it('is not waited for in a worker that does not serve decoders', async () => {
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true, execArgv: [] });
    workers.push(worker);
    const error = await errorOf(loadDecoder(await writeKept(root), { worker, workerTimeout: 500 }));
    expect(error.code).toBe('WORKER_LOST');
    expect(await errorOf(loadDecoder(root, { devices: 'cpu' } as object))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'devices',
      expected: expect.stringMatching(/^signal, .*device, threads/),
    });
    expect(error.message).toMatch(/does not answer: does it import '@fmri2image\/node\/worker'\?/);
  });

  it('shares the worker with others, which outlive it', async () => {
    const worker = start();
    const [first, second] = await Promise.all([
      loadDecoder(await writeKept(root), { ...cpu, worker }),
      loadDecoder(keptBundle('ridge_dual_v1'), { ...cpu, worker }),
    ]);
    const other = keptPictures('ridge_dual_v1').betas;
    const expected = await second!.predict(other);
    const pending = errorOf(first!.predict(manyBetas(3000)));
    await first!.dispose();
    expect((await pending).code).toBe('DISPOSED');
    expect(await second!.predict(other)).toEqual(expected);
    await second!.dispose();
    // The worker stays with the application: another decoder can move in.
    const third = await loadDecoder(join(root, 'ridge_v1.bundle'), { ...cpu, worker });
    expect((await third.predict(betas)).length).toBe(pictures.length);
    await third.dispose();
  });

  it('sends labels', async () => {
    const { betas } = keptPictures('ridge_labels_v3');
    const here = await loadDecoder(keptBundle('ridge_labels_v3'), cpu);
    const there = await loadDecoder(keptBundle('ridge_labels_v3'), { ...cpu, worker: start() });
    const labels = async (decoder: typeof here) => {
      const found = [];
      for await (const { trial, label } of decoder.reconstruct(betas)) found.push({ trial, label });
      return found;
    };
    expect(await labels(there)).toEqual(await labels(here));
    expect((await labels(there))[1]).toMatchObject({ trial: 1, label: { name: 'shoe', index: 3 } });
    await Promise.all([here.dispose(), there.dispose()]);
  });

  it('can be cancelled in the middle, and frees', async () => {
    const decoder = await loadDecoder(await writeKept(root), { ...cpu, worker: start() });
    const before = await decoder.stats();
    const controller = new AbortController();
    let seen = 0;
    const loop = async () => {
      for await (const _ of decoder.reconstruct(manyBetas(1000), { signal: controller.signal })) {
        if (++seen === 70) controller.abort('enough');
      }
    };
    expect(await errorOf(loop())).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    expect(seen).toBe(70);
    for await (const { trial } of decoder.reconstruct(manyBetas(1000))) if (trial === 40) break;
    const { liveTensors, liveBytes } = before;
    await expect.poll(() => decoder.stats(), { timeout: 300_000 }).toMatchObject({ liveTensors, liveBytes });
    await decoder.dispose();
  });

  it('rejects every wait when the worker is terminated', async () => {
    const worker = start();
    const decoder = await loadDecoder(await writeKept(root), { ...cpu, worker });
    const loop = decoder.reconstruct(manyBetas(1000));
    await loop.next();
    const waits = [
      errorOf(decoder.predict(manyBetas(3000))),
      errorOf(loadDecoder(keptBundle('ridge_dual_v1'), { ...cpu, worker })),
    ];
    await worker.terminate();
    for (const error of await Promise.all(waits)) {
      expect(error).toMatchObject({ code: 'WORKER_LOST', message: expect.stringMatching(/exit code 1/) });
    }
    expect((await decoder.lost).code).toBe('WORKER_LOST');
    expect((await errorOf(decoder.predict(betas))).code).toBe('WORKER_LOST');
    const rest = async () => {
      for await (const _ of loop);
    };
    expect((await errorOf(rest())).code).toBe('WORKER_LOST');
    await decoder.dispose();
  });

  it('passes on what is wrong with the bundle', async () => {
    const path = await writeKept(root);
    truncateSync(join(path, 'weights.safetensors'), 1000);
    const error = await errorOf(loadDecoder(path, { ...cpu, worker: start() }));
    expect(error).toMatchObject({ code: 'FORMAT', file: join(path, 'weights.safetensors'), found: '1000' });
  });

  it('says what ended a worker that never served', async () => {
    const broken = new Worker('throw new Error("on purpose")', { eval: true });
    workers.push(broken);
    broken.on('error', () => undefined);
    const error = await errorOf(loadDecoder(await writeKept(root), { ...cpu, worker: broken }));
    expect(error).toMatchObject({ code: 'WORKER_LOST', message: expect.stringMatching(/on purpose/) });
  });

  it('does not wait for ever for a worker that does something else', async () => {
    const other = new Worker('setInterval(() => {}, 1000)', { eval: true });
    workers.push(other);
    await once(other, 'online');
    const controller = new AbortController();
    const loading = errorOf(loadDecoder(await writeKept(root), { worker: other, signal: controller.signal }));
    controller.abort();
    expect((await loading).code).toBe('CANCELLED');
  });

  it('refuses a backend of this thread', async () => {
    const backend = await createBackend(cpu);
    const error = await errorOf(loadDecoder(await writeKept(root), { backend, worker: start() }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'backend' });
    await backend.dispose();
  });
});
