// Browsers say nothing when a worker is terminated or closes itself. A lock does: the worker holds it, and whoever
// waits for it gets it when the worker has gone. Whoever asks for it before the worker has it would get it at once: it
// is waited for only when the worker has said that it holds it.

interface LockManagerLike {
  request(
    name: string,
    options: { signal?: AbortSignal },
    callback: () => Promise<void> | undefined,
  ): Promise<unknown>;
}

function lockManager(): LockManagerLike | undefined {
  return (globalThis as { navigator?: { locks?: LockManagerLike } }).navigator?.locks;
}

/** Whether this page or worker has locks: they are given to secure contexts only. */
export function hasLocks(): boolean {
  return lockManager() !== undefined;
}

/**
 * Holds a lock for as long as this page or worker lives.
 *
 * @returns true as soon as it is held; false where it cannot be had
 */
export function holdLock(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const forever = () => {
      resolve(true);
      return new Promise<void>(() => {});
    };
    request(name, {}, forever).catch(() => resolve(false));
  });
}

/** Calls `freed` when the holder of a lock has gone, unless `signal` aborts before. */
export function awaitLock(name: string, freed: () => void, signal: AbortSignal): void {
  const once = () => {
    freed();
    return undefined;
  };
  // Where it is refused, nothing tells of the end.
  request(name, { signal }, once).catch(() => {});
}

/** Rejects whatever is wrong: a context without locks, or one that may not use them. */
async function request(...what: Parameters<LockManagerLike['request']>): Promise<unknown> {
  const locks = lockManager();
  if (!locks) throw new Error('no locks');
  return locks.request(...what);
}
