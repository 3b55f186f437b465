import { F2iError } from '../error.ts';

/** What listeners take: each event another thing. */
// biome-ignore lint/suspicious/noExplicitAny: neither the DOM's types of `addEventListener` nor Node's of `on` accept anything narrower for all events at once
type Listener = (value: any) => void;

/** A worker, or a port, of browsers: events. */
export interface EventTargetPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: Listener): void;
  removeEventListener(type: string, listener: Listener): void;
}

/** A `Worker` or `MessagePort` of node:worker_threads: an emitter. */
export interface EmitterPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** What decoders can live behind: a Worker of the browser or of node:worker_threads. */
export type WorkerLike = EventTargetPort | EmitterPort;

/** The two ends of a conversation, whatever they are made of. */
export interface Port {
  /** Whether the end of the other side is heard of; browsers say nothing of a worker that was closed. */
  readonly tellsEnd: boolean;
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  /** Listens until the returned function is called. */
  listen(on: {
    message(data: unknown): void;
    end(why: string): void;
    /** The other end's thread has begun to run; only where that is told. */
    started?(): void;
  }): () => void;
}

/** What browsers say of an error that nobody caught in a worker, or of a script that did not load. */
interface ErrorEventLike {
  readonly message?: string;
  readonly filename?: string;
  readonly lineno?: number;
}

/** @throws INVALID_ARGUMENT for something that is no worker */
export function portOf(worker: WorkerLike): Port {
  const { postMessage } = (worker ?? {}) as Partial<WorkerLike>;
  const isTarget = typeof (worker as Partial<EventTargetPort>)?.addEventListener === 'function';
  const isEmitter = typeof (worker as Partial<EmitterPort>)?.on === 'function';
  if (typeof postMessage !== 'function' || !(isTarget || isEmitter)) {
    throw new F2iError('INVALID_ARGUMENT', 'not a worker', {
      field: 'worker',
      expected: 'a Worker of the browser or of node:worker_threads',
      found: worker === null ? 'null' : typeof worker,
    });
  }
  return {
    tellsEnd: isEmitter,
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    // Node's MessagePort has both; its emitter also tells when the other end has gone.
    listen: isEmitter
      ? (on) => listenToEmitter(worker as EmitterPort, on)
      : (on) => listenToTarget(worker as EventTargetPort, on),
  };
}

function listenToEmitter(
  port: EmitterPort,
  { message, end, started }: Parameters<Port['listen']>[0],
): () => void {
  const listeners = {
    message,
    messageerror: (error: Error) => end(`a message could not be read: ${error.message}`),
    error: (error: unknown) => end(`it failed: ${error instanceof Error ? error.message : String(error)}`),
    exit: (code: number) => end(`it ended with exit code ${code}`),
    close: () => end('its port was closed'),
    online: () => started?.(),
  };
  for (const [event, listener] of Object.entries(listeners)) port.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) port.off(event, listener);
  };
}

function listenToTarget(port: EventTargetPort, { message, end }: Parameters<Port['listen']>[0]): () => void {
  const listeners = {
    message: ({ data }: { data: unknown }) => message(data),
    messageerror: () => end('a message could not be read'),
    error: ({ message: text, filename, lineno }: ErrorEventLike) => {
      const place = filename ? ` (${filename}:${lineno ?? 0})` : '';
      end(text ? `it failed: ${text}${place}` : 'its script could not be loaded, or failed');
    },
  };
  for (const [type, listener] of Object.entries(listeners)) {
    port.addEventListener(type, listener as () => void);
  }
  return () => {
    for (const [type, listener] of Object.entries(listeners)) {
      port.removeEventListener(type, listener as () => void);
    }
  };
}
