import { throwIfAborted } from '../error.ts';

/** How long synchronous work may hold the event loop before it lets others run. */
const sliceMilliseconds = 4;

/** Node's setImmediate, where it exists, comes back sooner than a timer, which waits for a whole millisecond. */
const { setImmediate: immediately = (run: () => void) => setTimeout(run, 0) } = globalThis as {
  setImmediate?: (run: () => void) => unknown;
};

/** Lets everything that waits for the event loop run once. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => void immediately(resolve));

/**
 * A function to call between small pieces of long synchronous work: it returns a promise when the loop has been
 * held for a few milliseconds, else undefined. Throws CANCELLED once the signal is aborted.
 *
 * ```ts
 * const breathe = pacer(signal, `reading ${name}`);
 * for (const piece of pieces) { work(piece); await breathe(); }
 * ```
 */
export function pacer(signal: AbortSignal | undefined, what: string): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    throwIfAborted(signal, what);
    if (performance.now() - since < sliceMilliseconds) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
      throwIfAborted(signal, what);
    });
  };
}
