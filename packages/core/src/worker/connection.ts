import type { LoadProgress } from '../decoders/loaded.ts';
import { F2iError } from '../error.ts';
import { errorFromMessage, errorToMessage } from './errors.ts';
import { awaitLock, hasLocks } from './liveness.ts';
import { type Port, portOf, type WorkerLike } from './port.ts';
import {
  contentOf,
  type FolderQuestion,
  type FromWorker,
  type Id,
  type ItemMessage,
  PROTOCOL,
  type ToWorker,
} from './protocol.ts';

/** What waits for the worker. */
export interface Wait {
  /** The decoder that it belongs to: ends with it. */
  readonly decoder: Id;
  value(value: unknown): void;
  fail(error: F2iError): void;
  progress?(progress: LoadProgress): void;
  item?(item: ItemMessage): void;
  /** Answers what the worker asks, where the bundle stayed here. */
  answer?: ((what: FolderQuestion) => Promise<unknown>) | undefined;
}

/** What a request says, apart from its own name. */
export type Request = DistributiveOmit<
  Extract<ToWorker, { request: Id; decoder: Id }>,
  'request' | 'decoder'
>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const connections = new WeakMap<WorkerLike, Connection>();

/** The application's side of a worker: one for all decoders in it, for as long as the worker lives. */
export class Connection {
  readonly #port: Port;
  readonly #waits = new Map<Id, Wait>();
  /** Loads of which the worker has said nothing: it may not have listened yet. */
  readonly #unanswered = new Map<Id, ToWorker>();
  readonly #decoders = new Map<Id, (error: F2iError) => void>();
  readonly #stop: () => void;
  /** Tells this connection's names from those of another copy of this module. */
  readonly #session = Math.random().toString(36).slice(2);
  /** For the worker to hold, where its end is to be learnt from a lock. */
  readonly lock: string | undefined;
  /** Ends the wait for the lock. */
  readonly #watch = new AbortController();
  #last = 0;
  #heard = false;
  #signs = 0;
  /** The worker has said what became of the lock. */
  #locked = false;
  #lost: F2iError | undefined;

  static to(worker: WorkerLike): Connection {
    const known = connections.get(worker);
    if (known && !known.#lost) return known;
    const made = new Connection(portOf(worker), () => connections.delete(worker));
    connections.set(worker, made);
    return made;
  }

  private constructor(port: Port, forget: () => void) {
    this.#port = port;
    this.lock = !port.tellsEnd && hasLocks() ? `fmri2image-worker-${this.#session}` : undefined;
    const end = (why: string) => {
      if (this.#lost) return;
      this.#stop();
      this.#watch.abort();
      forget();
      this.#end(why);
    };
    this.#stop = port.listen({
      message: (data) => this.#receive(data, end),
      end,
      started: () => {
        this.#signs++;
      },
    });
  }

  get lost(): F2iError | undefined {
    return this.#lost;
  }

  /** The worker has said something: it serves decoders. */
  get heard(): boolean {
    return this.#heard;
  }

  /** The worker serves decoders, and its end will be noticed as far as it ever is. */
  get watched(): boolean {
    return this.lock ? this.#locked : this.#heard;
  }

  /** How often the worker has shown that it lives. */
  get signs(): number {
    return this.#signs;
  }

  greet(): void {
    this.post({ type: 'hello' });
  }

  newId(): Id {
    return `${this.#session}-${++this.#last}`;
  }

  /** Sends a request; `wait` hears of it until it has a value or fails, or `forget` is called. */
  send(request: Request, wait: Wait, transfer: ArrayBuffer[] = []): Id {
    const id = this.newId();
    if (this.#lost) {
      wait.fail(this.#lost);
      return id;
    }
    this.#waits.set(id, wait);
    const message = { ...request, request: id, decoder: wait.decoder } as ToWorker;
    try {
      this.post(message, transfer);
      if (message.type === 'load') this.#unanswered.set(id, message);
    } catch (cause) {
      this.#waits.delete(id);
      const why = cause instanceof Error ? cause.message : String(cause);
      wait.fail(new F2iError('INVALID_ARGUMENT', `it cannot be sent to a worker: ${why}`, { cause }));
    }
    return id;
  }

  /** Ends a wait from this side. */
  abort(request: Id): void {
    this.#unanswered.delete(request);
    if (this.#waits.delete(request)) this.post({ type: 'abort', request });
  }

  /** Registers a decoder, for the loss of its device or of the worker. */
  register(decoder: Id, lost: (error: F2iError) => void): void {
    this.#decoders.set(decoder, lost);
  }

  /** Ends all waits of a decoder. */
  unregister(decoder: Id, error: F2iError): void {
    this.#decoders.delete(decoder);
    this.#fail(error, (wait) => wait.decoder === decoder);
  }

  post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (!this.#lost) this.#port.post({ f2i: PROTOCOL, message }, transfer);
  }

  #receive(data: unknown, end: (why: string) => void): void {
    const content = contentOf<FromWorker>(data);
    if (content?.version !== PROTOCOL) return;
    const { message } = content;
    this.#heard = true;
    this.#signs++;
    if (message.type === 'here') return;
    if (message.type === 'ready') {
      for (const unanswered of this.#unanswered.values()) this.post(unanswered);
      return;
    }
    if (message.type === 'lock') {
      // The locks of others who use this worker are none of ours.
      if (message.lock !== this.lock) return;
      if (message.held && !this.#locked)
        awaitLock(message.lock, () => end('it was closed'), this.#watch.signal);
      this.#locked = true;
      return;
    }
    if (message.type === 'lost') {
      const error = errorFromMessage(message.error);
      this.#decoders.get(message.decoder)?.(error);
      return;
    }
    this.#unanswered.delete(message.request);
    const wait = this.#waits.get(message.request);
    if (!wait) return;
    switch (message.type) {
      case 'progress':
        wait.progress?.(message.progress);
        break;
      case 'item':
        wait.item?.(message.item);
        break;
      case 'ask':
        void this.#answer(wait, message.call, message.what);
        break;
      case 'value':
        this.#waits.delete(message.request);
        wait.value(message.value);
        break;
      case 'failed':
        this.#waits.delete(message.request);
        wait.fail(errorFromMessage(message.error));
    }
  }

  async #answer(wait: Wait, call: Id, what: FolderQuestion): Promise<void> {
    try {
      this.post({ type: 'answer', call, value: await wait.answer!(what) });
    } catch (error) {
      this.post({ type: 'refusal', call, error: errorToMessage(error) });
    }
  }

  #end(why: string): void {
    const error = new F2iError('WORKER_LOST', `the worker was lost: ${why}`);
    // A worker that only failed may go on: it is not to keep what nobody can reach.
    for (const decoder of this.#decoders.keys())
      this.post({ type: 'dispose', request: this.newId(), decoder });
    this.#lost = error;
    for (const lost of this.#decoders.values()) lost(error);
    this.#decoders.clear();
    this.#fail(error, () => true);
  }

  #fail(error: F2iError, concerns: (wait: Wait) => boolean): void {
    for (const [id, wait] of this.#waits) {
      if (!concerns(wait)) continue;
      this.#waits.delete(id);
      wait.fail(error);
    }
  }
}
