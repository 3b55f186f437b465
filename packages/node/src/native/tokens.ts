import type { NativeContext } from './addon.ts';

interface Listening {
  readonly token: number;
  readonly stop: () => void;
  /** Tag of the last op that listens to it. */
  last: number;
}

/** Cancellation tokens of the core for the AbortSignals of queued ops. */
export class Tokens {
  readonly #native: NativeContext;
  readonly #listening = new Map<AbortSignal, Listening>();

  constructor(native: NativeContext) {
    this.#native = native;
  }

  /** The token that the op with this tag listens to; 0 without a signal. */
  of(signal: AbortSignal | undefined, tag: number): number {
    if (!signal) return 0;
    let entry = this.#listening.get(signal);
    if (!entry) {
      const token = this.#native.createToken();
      const cancel = () => this.#native.cancelToken(token);
      signal.addEventListener('abort', cancel, { once: true });
      entry = { token, last: tag, stop: () => signal.removeEventListener('abort', cancel) };
      this.#listening.set(signal, entry);
    }
    entry.last = tag;
    return entry.token;
  }

  /** Everything up to this tag has run: signals that no later op listens to are let go. */
  finished(upTo: number): void {
    for (const [signal, { token, stop, last }] of this.#listening) {
      if (last > upTo) continue;
      stop();
      this.#native.destroyToken(token);
      this.#listening.delete(signal);
    }
  }

  /** Before the context is closed, which frees the tokens. */
  close(): void {
    for (const { stop } of this.#listening.values()) stop();
    this.#listening.clear();
  }
}
