import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keptBundle } from '../conformance/index.ts';
import {
  createReferenceBackend,
  type LoadedDecoder,
  type LoadInWorker,
  loadInWorker,
  loadLocally,
  serveDecoders,
  type WorkerLike,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';

interface Asked {
  readonly name: string;
  /** Gives the lock; the callback's promise keeps it. */
  grant(): void;
}

/** Locks of a page and its worker in this thread; a lock is given when the test says so, unless `open`. */
class Locks {
  open = true;
  /** What was asked for and is not held, in order. */
  waiting: Asked[] = [];
  /** How often each name was asked for. */
  readonly asked: string[] = [];
  readonly #holders = new Map<string, () => void>();

  request(name: string, { signal }: { signal?: AbortSignal }, callback: () => unknown): Promise<unknown> {
    this.asked.push(name);
    return new Promise((resolve, reject) => {
      const request: Asked = {
        name,
        grant: () => {
          this.waiting = this.waiting.filter((each) => each !== request);
          const kept = callback();
          if (kept instanceof Promise) this.#holders.set(name, () => resolve(undefined));
          else resolve(undefined);
        },
      };
      signal?.addEventListener('abort', () => {
        this.waiting = this.waiting.filter((each) => each !== request);
        reject(signal.reason);
      });
      this.waiting.push(request);
      if (this.open && !this.#holders.has(name)) queueMicrotask(request.grant);
    });
  }

  /** What the browser does when the holder has gone: the next one in the queue gets the lock. */
  free(name: string): void {
    this.#holders.get(name)?.();
    this.#holders.delete(name);
    this.waiting.find((each) => each.name === name)?.grant();
  }
}

let locks: Locks;
let ports: MessagePort[] = [];
beforeEach(() => {
  locks = new Locks();
  vi.stubGlobal('navigator', { locks });
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const port of ports) port.close();
  ports = [];
});

const loadKept: LoadInWorker = (_, options) =>
  loadLocally(keptBundle('ridge_v1'), { ...options, openBackend: async () => createReferenceBackend() });

/** A worker as browsers show it: it has events, and none tells that it has gone. */
function browserWorker(port: MessagePort): WorkerLike & EventTarget {
  const target = new EventTarget();
  port.on('message', (data) => target.dispatchEvent(Object.assign(new Event('message'), { data })));
  const postMessage = (message: unknown, transfer: ArrayBuffer[]) => port.postMessage(message, transfer);
  return Object.assign(target, { postMessage }) as WorkerLike & EventTarget;
}

function start(load: LoadInWorker = loadKept) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  /** What the worker has said, by type. */
  const said: string[] = [];
  port1.on('message', ({ message }) => said.push(message.type));
  const end = serveDecoders(port2, load);
  return { worker: browserWorker(port1), port: port1, said, end };
}

const open = (worker: WorkerLike, options = {}): Promise<LoadedDecoder> =>
  loadInWorker('kept', { worker, entry: 'package/worker', settings: {}, ...options });

const patience = { timeout: 300_000 };
const closed = { code: 'WORKER_LOST', message: expect.stringMatching(/it was closed/) };

describe('the lock of a worker in a browser', () => {
  it('is held before the worker loads, so that no end is missed', async () => {
    locks.open = false;
    let loads = 0;
    const { worker, said } = start((...args) => {
      loads++;
      return loadKept(...args);
    });
    const loading = open(worker);
    // The browser takes its time; the worker answers all the same.
    await expect.poll(() => said, patience).toContain('here');
    await expect.poll(() => locks.waiting, patience).toHaveLength(1);
    expect(loads).toBe(0);
    expect(said).not.toContain('progress');
    const [{ name, grant }] = locks.waiting as [Asked];
    grant();
    const decoder = await loading;
    expect(loads).toBe(1);
    expect(said.indexOf('lock')).toBeLessThan(said.indexOf('progress'));
    // At this moment the application already waits for the lock.
    expect(locks.waiting.map((each) => each.name)).toEqual([name]);
    locks.free(name);
    expect(await decoder.lost).toMatchObject(closed);
    await decoder.dispose();
  });

  it('tells of a worker that goes in the middle of a load, and the worker may be used anew', async () => {
    let begun: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let wait = true;
    const { worker } = start((...args) => {
      begun();
      return wait ? new Promise(() => {}) : loadKept(...args);
    });
    const loading = errorOf(open(worker));
    await started;
    locks.free(locks.asked[0]!);
    expect(await loading).toMatchObject(closed);
    wait = false;
    const decoder = await open(worker);
    expect(decoder.kind).toBe('ridge');
    expect(new Set(locks.asked).size).toBe(2);
    await decoder.dispose();
  });

  it('is asked for once, and given up by an application that has lost the worker otherwise', async () => {
    const { worker } = start();
    const decoders = [await open(worker), await open(worker)];
    const [name] = locks.asked;
    // The worker's request and the application's.
    expect(locks.asked).toEqual([name, name]);
    worker.dispatchEvent(Object.assign(new Event('error'), { message: 'on purpose' }));
    for (const { lost } of decoders) expect((await lost).message).toMatch(/it failed: on purpose/);
    expect(locks.waiting).toEqual([]);
    const anew = await open(worker);
    locks.free(name!);
    expect(await anew.predict({ data: new Float32Array(20), shape: [1, 20] })).toBeInstanceOf(Float32Array);
    await anew.dispose();
  });

  it('is another for each application at the worker: none waits for a lock before it is held', async () => {
    locks.open = false;
    const { worker, port } = start();
    const loadings = [open(worker), open(browserWorker(port))];
    await expect.poll(() => locks.waiting, patience).toHaveLength(2);
    const [first, second] = locks.waiting as [Asked, Asked];
    first.grant();
    const decoder = await loadings[0]!;
    expect(locks.waiting.map(({ name }) => name).sort()).toEqual([first.name, second.name].sort());
    second.grant();
    const other = await loadings[1]!;
    locks.free(second.name);
    expect(await other.lost).toMatchObject(closed);
    expect(await decoder.stats()).toBeDefined();
    await decoder.dispose();
  });

  it('may be long in coming, as long as the worker answers', async () => {
    locks.open = false;
    const { worker, said } = start();
    const loading = open(worker, { workerTimeout: 200 });
    const answers = () => said.filter((type) => type === 'here').length;
    // Asked every 50 ms: more than twice the limit.
    await expect.poll(answers, patience).toBeGreaterThan(8);
    locks.waiting[0]!.grant();
    const decoder = await loading;
    await decoder.dispose();
  });

  it('is not waited for in a worker that has gone before it had it', async () => {
    locks.open = false;
    const { worker, said, end } = start();
    const loading = errorOf(open(worker, { workerTimeout: 200 }));
    await expect.poll(() => said, patience).toContain('here');
    await end();
    expect(await loading).toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringMatching(/no longer answers/),
    });
  });

  it('ends a load that is cancelled while the worker waits for it', async () => {
    locks.open = false;
    let loads = 0;
    const { worker, said } = start((...args) => {
      loads++;
      return loadKept(...args);
    });
    const controller = new AbortController();
    const loading = errorOf(open(worker, { signal: controller.signal }));
    await expect.poll(() => locks.waiting, patience).toHaveLength(1);
    controller.abort();
    expect((await loading).code).toBe('CANCELLED');
    // The decoder that is not wanted any more is disposed: by that answer the worker has heard of the abort.
    await expect.poll(() => said, patience).toContain('value');
    locks.waiting[0]!.grant();
    await expect.poll(() => said, patience).toContain('failed');
    expect(loads).toBe(0);
    const decoder = await open(worker);
    expect(loads).toBe(1);
    await decoder.dispose();
  });
});

describe('without locks', () => {
  it.each([
    ['refused', { request: async () => Promise.reject(new Error('refused')) }],
    ['broken', { request: () => expect.unreachable('broken') }],
    ['none', undefined],
  ])('a worker serves: %s', async (_, manager) => {
    vi.stubGlobal('navigator', { locks: manager });
    const { worker, said } = start();
    const decoder = await open(worker);
    expect(decoder.kind).toBe('ridge');
    expect(said.includes('lock')).toBe(manager !== undefined);
    await decoder.dispose();
  });

  it('a worker that has none serves an application that has', async () => {
    const { worker } = start();
    // The application sees locks when it connects, the worker none when it is asked to hold one.
    const loading = open(worker);
    vi.stubGlobal('navigator', {});
    const decoder = await loading;
    expect(decoder.kind).toBe('ridge');
    await decoder.dispose();
  });

  it('a worker that tells of its end is asked for none', async () => {
    const { port } = start();
    const decoder = await open(port);
    expect(locks.asked).toEqual([]);
    await decoder.dispose();
  });
});
