import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { keptBundle, keptPictures } from '../conformance/index.ts';
import {
  createReferenceBackend,
  F2iError,
  type Folder,
  type LoadedDecoder,
  type LoadInWorker,
  type LoadProgress,
  loadInWorker,
  loadLocally,
  type ReferenceBackend,
  type Rows,
  serveDecoders,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';

const kept = 'ridge_v1';
const { betas, pictures } = keptPictures(kept);

function many(times: number): Rows {
  const data = new Float32Array(betas.data.length * times);
  for (let i = 0; i < times; i++) data.set(betas.data, i * betas.data.length);
  return { data, shape: [betas.shape[0] * times, betas.shape[1]] };
}

/** Both ends of a worker, in this thread. */
let ports: MessagePort[] = [];
let backends: ReferenceBackend[] = [];
afterEach(() => {
  for (const port of ports) port.close();
  ports = [];
  backends = [];
});

/** The other end loads from folders with the reference; `wrap` may change what it serves. */
function start(wrap: (decoder: LoadedDecoder) => LoadedDecoder = (decoder) => decoder): MessagePort {
  return startWith(async (source, options) => {
    const openBackend = async () => {
      const backend = createReferenceBackend();
      backends.push(backend);
      return backend;
    };
    const folder = typeof source === 'string' ? keptBundle(source) : (source as Folder);
    return wrap(await loadLocally(folder, { ...options, openBackend }));
  });
}

function startWith(load: LoadInWorker): MessagePort {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  serveDecoders(port2, load);
  return port1;
}

/** The same decoder with some members of its own. */
function instead(decoder: LoadedDecoder, members: Partial<LoadedDecoder>): LoadedDecoder {
  return new Proxy(decoder, {
    get(target, key) {
      const value = Reflect.get(key in members ? members : target, key) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const open = (worker: MessagePort, source: unknown = kept, options = {}) =>
  loadInWorker(source, { worker, entry: 'package/worker', settings: {}, ...options });

describe('a decoder in a worker', () => {
  it('is what it is in the thread itself', async () => {
    const worker = start();
    const remote = await open(worker);
    const local = await loadLocally(keptBundle(kept), { openBackend: async () => createReferenceBackend() });
    for (const key of ['kind', 'model', 'voxels', 'output', 'warnings'] as const) {
      expect(remote[key]).toEqual(local[key]);
    }
    expect(remote.backend).toEqual({ name: 'reference', info: local.backend.info });
    expect(await remote.predict(betas)).toEqual(await local.predict(betas));
    const shown = [];
    for await (const { trial, image } of remote.reconstruct(betas, { trials: Uint8Array.of(2, 0) })) {
      shown.push({ trial, png: image!.toPng() });
    }
    const expected = [];
    for await (const { trial, image } of local.reconstruct(betas, { trials: [2, 0] })) {
      expected.push({ trial, png: image!.toPng() });
    }
    expect(shown).toEqual(expected);
    expect(await remote.stats()).toMatchObject({ liveTensors: backends[0]!.stats().liveTensors });
    await remote.dispose();
    await local.dispose();
    expect(backends[0]!.disposed).toBe(true);
  });

  it('leaves the betas with the caller, also a part of a larger array', async () => {
    const remote = await open(start());
    const large = new Float32Array(betas.data.length + 100);
    large.set(betas.data, 50);
    const part = { data: large.subarray(50, 50 + betas.data.length), shape: betas.shape };
    expect(await remote.predict(part)).toEqual(await remote.predict(betas));
    expect(part.data.length).toBe(betas.data.length);
    const f64 = { data: Float64Array.from(betas.data), shape: betas.shape };
    expect((await remote.predict(f64)).length).toBe(pictures.length);
    await remote.dispose();
  });

  it('reads a folder that stays here, and reports progress', async () => {
    const events: LoadProgress[] = [];
    const remote = await open(start(), keptBundle('ridge_dual_v1'), {
      onProgress: (event: LoadProgress) => events.push(event),
    });
    expect(remote.model.containsTrainingData).toBe(true);
    expect([...new Set(events.map(({ phase }) => phase))]).toEqual(['read', 'verify', 'upload']);
    await remote.dispose();
  });

  it('passes errors with all that they say', async () => {
    const worker = start();
    const folder = keptBundle(kept);
    const broken: Folder = {
      ...folder,
      open: async (path) => {
        if (path.endsWith('.json')) return folder.open(path);
        throw new F2iError('IO', 'the disk is gone', { file: path, expected: 'a disk', found: 'none' });
      },
    };
    const error = await errorOf(open(worker, broken));
    expect(error).toMatchObject({
      code: 'IO',
      file: 'weights.safetensors',
      expected: 'a disk',
      found: 'none',
    });
    expect(error.message).toBe('weights.safetensors: the disk is gone; expected a disk, found none');
    expect(error.name).toBe('F2iError');
    const remote = await open(worker);
    const wrong = { data: new Float32Array(6), shape: [2, 3] };
    expect(await errorOf(remote.predict(wrong))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'betas',
      expected: '20',
      found: '3',
    });
    const local = await errorOf(remote.predict({ data: new Float32Array(6), shape: [2, 4] }));
    expect(local).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'betas' });
    const bare = await errorOf(remote.predict(new Float32Array(20) as never));
    expect(bare).toMatchObject({ field: 'betas', found: 'Float32Array' });
    const misspelt = remote.reconstruct(betas, { trails: [1] } as object).next();
    expect(await errorOf(misspelt)).toMatchObject({ field: 'trails' });
    expect(await errorOf(remote.reconstruct(betas, { trials: [-1] }).next())).toMatchObject({
      field: 'trials',
    });
    await remote.dispose();
  });

  it('refuses settings that cannot be sent, and what is no worker', async () => {
    const error = await errorOf(open(start(), kept, { settings: { device: () => {} } }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error.message).toMatch(/cannot be sent to a worker/);
    const nothing = await errorOf(open({} as never));
    expect(nothing).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'worker' });
  });

  it('leaves messages of the application alone', async () => {
    const worker = start();
    worker.postMessage('hello');
    worker.postMessage({ type: 'dispose' });
    worker.postMessage(undefined);
    const remote = await open(worker);
    expect(remote.kind).toBe('ridge');
    await remote.dispose();
  });

  it('says when the worker is of another version', async () => {
    const worker = start();
    const answer = new Promise<{ error: { message: string } }>((resolve) => {
      worker.on('message', ({ message }) => message.type === 'failed' && resolve(message));
    });
    worker.postMessage({ f2i: 99, message: { type: 'load', request: 'r' } });
    expect((await answer).error.message).toMatch(/another version.*expected protocol 1, found 99/);
  });
});

describe('several decoders in one worker', () => {
  it('do not disturb each other', async () => {
    const worker = start();
    const [first, second] = await Promise.all([open(worker), open(worker, 'ridge_dual_v1')]);
    const other = keptPictures('ridge_dual_v1').betas;
    const [a, b] = await Promise.all([first!.predict(betas), second!.predict(other)]);
    expect(a.length).toBe(pictures.length);
    const pending = errorOf(first!.predict(many(500)));
    await first!.dispose();
    expect((await pending).code).toBe('DISPOSED');
    expect(await second!.predict(other)).toEqual(b);
    expect(backends.map(({ disposed }) => disposed)).toEqual([true, false]);
    await second!.dispose();
    expect(backends.map(({ disposed }) => disposed)).toEqual([true, true]);
  });
});

describe('a slow reader', () => {
  it('holds the worker back', async () => {
    let made = 0;
    const worker = start((decoder) =>
      instead(decoder, {
        async *reconstruct(rows: Rows) {
          for (let trial = 0; trial < rows.shape[0]!; trial++) {
            made++;
            yield { trial, features: { data: Float32Array.of(trial), shape: [1] } };
          }
        },
      }),
    );
    const remote = await open(worker);
    const loop = remote.reconstruct(many(100));
    const rest = () => remote.stats(); // an answer comes after all that was sent before it
    await loop.next();
    for (let i = 0; i < 20; i++) await rest();
    expect(made).toBeGreaterThanOrEqual(2);
    expect(made).toBeLessThanOrEqual(6);
    for (let trial = 1; trial <= 20; trial++) {
      expect((await loop.next()).value).toMatchObject({ trial, features: { data: Float32Array.of(trial) } });
    }
    for (let i = 0; i < 20; i++) await rest();
    expect(made).toBeLessThanOrEqual(26);
    await loop.return();
    const after = made;
    for (let i = 0; i < 20; i++) await rest();
    expect(made).toBe(after);
    await remote.dispose();
  });
});

describe('cancellation', () => {
  it('ends a reconstruction and a prediction, and frees', async () => {
    const remote = await open(start());
    const before = (await remote.stats()).liveTensors;
    const controller = new AbortController();
    let seen = 0;
    const loop = (async () => {
      for await (const _ of remote.reconstruct(many(100), { signal: controller.signal })) {
        if (++seen === 5) controller.abort('enough');
      }
    })();
    expect(await errorOf(loop)).toMatchObject({ code: 'CANCELLED', name: 'AbortError', cause: 'enough' });
    expect(seen).toBe(5);
    const second = new AbortController();
    const prediction = errorOf(remote.predict(many(500), { signal: second.signal }));
    second.abort();
    expect((await prediction).code).toBe('CANCELLED');
    for await (const { trial } of remote.reconstruct(many(100))) if (trial === 3) break;
    // The order of messages: by the answer to this, the worker has heard of the aborts; its tile may still run.
    await expect.poll(async () => (await remote.stats()).liveTensors, { timeout: 300_000 }).toBe(before);
    await remote.dispose();
  });

  it('ends a loading in a worker that never answers', async () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const controller = new AbortController();
    const loading = errorOf(open(port1, kept, { signal: controller.signal }));
    controller.abort();
    expect((await loading).code).toBe('CANCELLED');
  });

  it('says of a worker that serves no decoders what it may lack', async () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const heard: string[] = [];
    port2.on('message', ({ message }) => heard.push(message.type));
    expect(await errorOf(open(port1, kept, { workerTimeout: 40 }))).toMatchObject({
      code: 'WORKER_LOST',
      message: "the worker does not answer: does it import 'package/worker'?",
    });
    // Asked more than once; what it may still come to do is called off.
    await expect.poll(() => heard, { timeout: 300_000 }).toContain('abort');
    expect(heard.filter((type) => type === 'hello').length).toBeGreaterThan(1);
    expect(heard.filter((type) => type === 'load')).toHaveLength(1);
  });

  it('gives a worker that has answered all the time that it needs', async () => {
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const greetings: string[] = [];
    const worker = startWith(async (_, options) => {
      await gate;
      return loadLocally(keptBundle(kept), { ...options, openBackend: async () => createReferenceBackend() });
    });
    worker.on('message', ({ message }) => greetings.push(message.type));
    await expect.poll(() => greetings, { timeout: 300_000 }).toContain('ready');
    // It said that it is ready before anybody who loads listened: now it is asked.
    const loading = open(worker, kept, { workerTimeout: 3000 });
    await expect.poll(() => greetings, { timeout: 300_000 }).toContain('here');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    go();
    const remote = await loading;
    expect(remote.kind).toBe('ridge');
    await remote.dispose();
    expect(await errorOf(open(worker, kept, { workerTimeout: 0 }))).toMatchObject({ field: 'workerTimeout' });
  });

  it('waits for a worker that begins to listen late, and loads once', async () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    let loads = 0;
    const late = open(port1);
    // Browsers drop what comes before anybody listens; Node keeps it, so that it comes twice.
    serveDecoders(port2, async (_, options) => {
      loads++;
      return loadLocally(keptBundle(kept), { ...options, openBackend: async () => createReferenceBackend() });
    });
    const remote = await late;
    expect(await remote.predict(betas)).toBeInstanceOf(Float32Array);
    for (let i = 0; i < 10; i++) await remote.stats();
    expect(loads).toBe(1);
    await remote.dispose();
  });

  it('ends the loading with what the application’s own report of progress throws', async () => {
    const failing = { onProgress: () => expect.unreachable('of the application') };
    await expect(open(start(), kept, failing)).rejects.toThrow('of the application');
  });

  it('frees a decoder whose loading was cancelled too late', async () => {
    const worker = start();
    const controller = new AbortController();
    // The last report comes when the decoder is ready.
    const onProgress = ({ phase, done, total }: LoadProgress) => {
      if (phase === 'upload' && done === total) controller.abort();
    };
    expect((await errorOf(open(worker, kept, { signal: controller.signal, onProgress }))).code).toBe(
      'CANCELLED',
    );
    await expect.poll(() => backends.map(({ disposed }) => disposed), { timeout: 300_000 }).toEqual([true]);
  });
});

describe('a worker that is lost', () => {
  it('ends every wait with WORKER_LOST', async () => {
    const worker = start();
    const remote = await open(worker);
    const waits = [
      errorOf(remote.predict(many(1000))),
      errorOf(remote.reconstruct(many(1000)).next()),
      errorOf(open(worker, 'ridge_dual_v1')),
    ];
    ports[1]!.close();
    for (const error of await Promise.all(waits)) expect(error.code).toBe('WORKER_LOST');
    expect(await remote.lost).toMatchObject({ code: 'WORKER_LOST' });
    expect((await errorOf(remote.predict(betas))).code).toBe('WORKER_LOST');
    expect((await errorOf(remote.reconstruct(betas).next())).code).toBe('WORKER_LOST');
    await remote.dispose();
  });

  it('frees what it holds when the application goes', async () => {
    const worker = start();
    await open(worker);
    worker.close();
    await expect.poll(() => backends.map(({ disposed }) => disposed), { timeout: 300_000 }).toEqual([true]);
  });

  it('tells of a device that is lost in it', async () => {
    const error = new F2iError('DEVICE_LOST', 'the GPU device was lost', { backend: 'webgpu' });
    let lose: (error: F2iError) => void = () => {};
    const worker = startWith(async () => {
      const decoder = await loadLocally(keptBundle(kept), {
        openBackend: async () => createReferenceBackend(),
      });
      const lost = new Promise<F2iError>((resolve) => {
        lose = resolve;
      });
      return instead(decoder, { lost });
    });
    const remote = await open(worker);
    const other = await open(worker);
    lose(error);
    expect(await other.lost).toMatchObject({
      code: 'DEVICE_LOST',
      backend: 'webgpu',
      message: error.message,
    });
    expect((await errorOf(other.predict(betas))).code).toBe('DEVICE_LOST');
    expect(await remote.predict(betas)).toBeInstanceOf(Float32Array);
    await other.dispose();
    await remote.dispose();
  });
});
