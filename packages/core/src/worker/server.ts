import type { Folder } from '../data/source.ts';
import type { Features, Reconstruction } from '../decoders/decoder.ts';
import type { LoadedDecoder, LoadProgress } from '../decoders/loaded.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { errorFromMessage, errorToMessage } from './errors.ts';
import { remoteFolder } from './folder.ts';
import { holdLock } from './liveness.ts';
import { type Port, portOf, type WorkerLike } from './port.ts';
import {
  contentOf,
  type DecoderMessage,
  type FolderQuestion,
  type FromWorker,
  type Id,
  type ItemMessage,
  ownBuffer,
  PROTOCOL,
  type SourceMessage,
  type ToWorker,
  WINDOW,
} from './protocol.ts';

/** Opens a decoder in the worker: the package's own `loadDecoder`, without a worker. */
export type LoadInWorker = (
  source: unknown,
  options: { signal: AbortSignal; onProgress: (progress: LoadProgress) => void },
) => Promise<LoadedDecoder>;

/**
 * Serves decoders to the application at the other end of `port`: what the entry `worker` of a package does. Messages
 * that are not of this protocol are left alone.
 *
 * @returns ends the service: what runs is aborted, decoders are disposed
 */
export function serveDecoders(port: WorkerLike, load: LoadInWorker): () => Promise<void> {
  const server = new Server(portOf(port), load);
  return () => server.end();
}

/** A request that is being worked on. */
interface Running {
  readonly decoder: Id;
  readonly controller: AbortController;
  /** Reconstructions that may still be sent ahead. */
  credit: number;
  /** Called when the reader has taken one, or has gone. */
  wake: () => void;
}

type Message<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

class Server {
  readonly #port: Port;
  readonly #load: LoadInWorker;
  readonly #decoders = new Map<Id, LoadedDecoder>();
  readonly #running = new Map<Id, Running>();
  /** Loads that have arrived: they may come twice. */
  readonly #loads = new Set<Id>();
  /** Locks that this worker holds while it lives, or has asked for; each settles when that is known and told. */
  readonly #locks = new Map<string, Promise<void>>();
  /** What the application was asked. */
  readonly #calls = new Map<Id, { resolve(value: unknown): void; reject(error: unknown): void }>();
  readonly #stop: () => void;
  #lastCall = 0;

  constructor(port: Port, load: LoadInWorker) {
    this.#port = port;
    this.#load = load;
    this.#stop = port.listen({
      message: (data) => this.#receive(data),
      // Nobody is left to answer.
      end: () => void this.end(),
    });
    this.#post({ type: 'ready' });
  }

  async end(): Promise<void> {
    this.#stop();
    for (const { controller } of this.#running.values()) controller.abort();
    const decoders = [...this.#decoders.values()];
    this.#decoders.clear();
    await Promise.allSettled(decoders.map((decoder) => decoder.dispose()));
  }

  #receive(data: unknown): void {
    const content = contentOf<ToWorker>(data);
    if (!content) return;
    const { version, message } = content;
    if (version === PROTOCOL) this.#handle(message);
    else this.#refuseVersion(version, message);
  }

  #handle(message: ToWorker): void {
    switch (message.type) {
      case 'hello':
        this.#post({ type: 'here' });
        break;
      case 'load':
        if (this.#loads.has(message.request)) break;
        this.#loads.add(message.request);
        this.#run(message, (running) => this.#loadDecoder(message, running));
        break;
      case 'predict':
        this.#run(message, (running) => this.#predict(message, running));
        break;
      case 'reconstruct':
        this.#run(message, (running) => this.#reconstruct(message, running));
        break;
      case 'stats':
        this.#run(message, async () => this.#decoder(message.decoder).stats());
        break;
      case 'dispose':
        this.#run(message, () => this.#dispose(message));
        break;
      case 'more':
        this.#credit(this.#running.get(message.request));
        break;
      case 'abort':
        this.#abort(this.#running.get(message.request));
        break;
      case 'answer':
        this.#take(message.call)?.resolve(message.value);
        break;
      case 'refusal':
        this.#take(message.call)?.reject(errorFromMessage(message.error));
    }
  }

  #take(call: Id) {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    return waiting;
  }

  #credit(running: Running | undefined): void {
    if (!running) return;
    running.credit++;
    running.wake();
  }

  /** Answers with the value of `body`, or its error. */
  #run(
    { request, decoder }: { request: Id; decoder: Id },
    body: (running: Running) => Promise<unknown>,
  ): void {
    const running: Running = { decoder, controller: new AbortController(), credit: WINDOW, wake: () => {} };
    this.#running.set(request, running);
    const settle = async () => {
      try {
        const value = await body(running);
        this.#post({ type: 'value', request, value }, buffersOf(value));
      } catch (error) {
        this.#post({ type: 'failed', request, error: errorToMessage(error) });
      } finally {
        this.#running.delete(request);
      }
    };
    void settle();
  }

  async #loadDecoder(message: Message<'load'>, { controller }: Running): Promise<DecoderMessage> {
    const { signal } = controller;
    const { request, decoder: id, settings, lock } = message;
    // First of all: from here on the application learns of this worker's end, whenever that comes.
    if (lock !== undefined) await this.#hold(lock);
    throwIfAborted(signal, 'loading');
    const decoder = await this.#load(this.#sourceOf(message.source, request, signal), {
      ...settings,
      signal,
      onProgress: (progress) => this.#post({ type: 'progress', request, progress }),
    });
    if (signal.aborted) {
      // Too late for the loading to notice.
      await decoder.dispose();
      throw new F2iError('CANCELLED', 'loading was cancelled');
    }
    this.#decoders.set(id, decoder);
    void decoder.lost.then((error) =>
      this.#post({ type: 'lost', decoder: id, error: errorToMessage(error) }),
    );
    const { kind, model, backend, voxels, output, warnings } = decoder;
    return {
      kind,
      model,
      backend: { name: backend.name, info: backend.info },
      voxels,
      output,
      warnings: [...warnings],
    };
  }

  #hold(lock: string): Promise<void> {
    const known = this.#locks.get(lock);
    if (known) return known;
    const told = holdLock(lock).then((held) => this.#post({ type: 'lock', lock, held }));
    this.#locks.set(lock, told);
    return told;
  }

  #sourceOf(source: SourceMessage, request: Id, signal: AbortSignal): unknown | Folder {
    if (source.kind === 'value') return source.value;
    return remoteFolder(source.name, (what) => this.#ask(request, what, signal));
  }

  #ask(request: Id, what: FolderQuestion, signal: AbortSignal): Promise<unknown> {
    const call = `${request}/${++this.#lastCall}`;
    return new Promise((resolve, reject) => {
      const cancel = () => {
        this.#calls.delete(call);
        reject(new F2iError('CANCELLED', 'reading a folder was cancelled'));
      };
      if (signal.aborted) return cancel();
      signal.addEventListener('abort', cancel, { once: true });
      const settled = () => signal.removeEventListener('abort', cancel);
      this.#calls.set(call, {
        resolve: (value) => {
          settled();
          resolve(value);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#post({ type: 'ask', request, call, what });
    });
  }

  async #predict({ decoder, betas }: Message<'predict'>, { controller }: Running): Promise<Float32Array> {
    const { runs, ...rows } = betas;
    return this.#decoder(decoder).predict(rows, { runs, signal: controller.signal });
  }

  async #reconstruct(message: Message<'reconstruct'>, running: Running): Promise<undefined> {
    const { request, betas, trials, repeats, seed, noise } = message;
    const { runs, ...rows } = betas;
    const { signal } = running.controller;
    const options = { runs, trials, repeats, seed, noise, signal };
    for await (const reconstruction of this.#decoder(message.decoder).reconstruct(rows, options)) {
      const item = itemOf(reconstruction);
      this.#post({ type: 'item', request, item }, buffersOf(...arraysOf(item)));
      running.credit--;
      while (running.credit <= 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          running.wake = resolve;
        });
      }
      if (signal.aborted) break;
    }
    return undefined;
  }

  async #dispose({ decoder: id, request: own }: Message<'dispose'>): Promise<undefined> {
    const decoder = this.#decoders.get(id);
    this.#decoders.delete(id);
    for (const [request, running] of this.#running) {
      if (running.decoder === id && request !== own) this.#abort(running);
    }
    await decoder?.dispose();
    return undefined;
  }

  #abort(running: Running | undefined): void {
    running?.controller.abort();
    running?.wake();
  }

  #decoder(id: Id): LoadedDecoder {
    const decoder = this.#decoders.get(id);
    if (!decoder) throw new F2iError('DISPOSED', 'the decoder was disposed');
    return decoder;
  }

  #refuseVersion(version: number, message: ToWorker): void {
    if (message.type !== 'load') return;
    const error = new F2iError('UNSUPPORTED', 'the worker runs another version of fmri2image', {
      field: 'worker',
      expected: `protocol ${PROTOCOL}`,
      found: `${version}`,
    });
    this.#port.post({
      f2i: version,
      message: {
        type: 'failed',
        request: message.request,
        error: errorToMessage(error),
      } satisfies FromWorker,
    });
  }

  #post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#port.post({ f2i: PROTOCOL, message }, transfer);
  }
}

function itemOf({ trial, trials, image, features, label, beside }: Reconstruction): ItemMessage {
  const own = ({ data, shape }: Features): Features => ({ data: ownBuffer(data), shape });
  return {
    trial,
    ...(trials && { trials }),
    ...(image && {
      image: {
        data: ownBuffer(image.data),
        shape: [image.height, image.width, image.channels],
        range: image.range,
      },
    }),
    ...(features && { features: own(features) }),
    ...(label && { label: { ...label, scores: ownBuffer(label.scores) } }),
    ...(beside && {
      beside: Object.fromEntries(Object.entries(beside).map(([name, each]) => [name, own(each)])),
    }),
  };
}

const arraysOf = ({ image, features, label, beside }: ItemMessage): unknown[] => [
  ...[image, features, ...Object.values(beside ?? {})].map((output) => output?.data),
  label?.scores,
];

/** Handed over instead of copied: what was made for this answer. */
function buffersOf(...values: readonly unknown[]): ArrayBuffer[] {
  return values.flatMap((value) =>
    value instanceof Float32Array && ownBuffer(value) === value ? [value.buffer as ArrayBuffer] : [],
  );
}
