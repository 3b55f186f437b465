/**
 * Browsers say nothing when a worker is terminated or closes itself. A lock does: the worker holds it, and whoever
 * waits for it gets it when the worker has gone.
 */
interface LockManagerLike {
  request(
    name: string,
    options: { signal?: AbortSignal },
    callback: () => Promise<void> | undefined,
  ): Promise<unknown>;
}

function lockManager(): LockManagerLike | undefined {
  // Workers of Node report their end themselves, and a lock that is waited for would keep a process running.
  const { navigator, process } = globalThis as unknown as {
    navigator?: { locks?: LockManagerLike };
    process?: { versions?: { node?: string } };
  };
  return process?.versions?.node ? undefined : navigator?.locks;
}

/** Whether this page or worker has locks: they are given to secure contexts only. */
export function hasLocks(): boolean {
  return lockManager() !== undefined;
}

/** Holds a lock for ever; calls `held` as soon as it has it. */
export function holdLock(name: string, held: () => void): void {
  const forever = () => {
    held();
    return new Promise<void>(() => {});
  };
  void lockManager()
    ?.request(name, {}, forever)
    .catch(() => {});
}

/** Calls `freed` when the holder of a lock has gone. */
export function awaitLock(name: string, freed: () => void): void {
  void lockManager()
    ?.request(name, {}, () => {
      freed();
      return undefined;
    })
    .catch(() => {});
}
