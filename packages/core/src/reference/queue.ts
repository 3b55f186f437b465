/** One entry of the queue: exactly one of its two functions is called, once. */
export interface Job {
  run(): void;
  /** Called instead of `run` when the queue is closed. */
  drop?(): void;
}

/** Work is done in slices of about this long, in milliseconds; the event loop turns in between. */
const SLICE_MS = 4;

/**
 * An in-order queue on the thread of the caller. Jobs wait until someone waits; then they run until the queue is
 * empty, giving way to the event loop between them.
 */
export class Queue {
  #jobs: (Job | undefined)[] = [];
  /** Jobs before this one are done: shifting them off one by one would take quadratic time. */
  #next = 0;
  #draining = false;

  push(job: Job): void {
    this.#jobs.push(job);
  }

  /** Starts working; returns at once. */
  start(): void {
    if (this.#draining) return;
    this.#draining = true;
    void this.#drain();
  }

  /** Drops everything that has not run. */
  close(): void {
    for (let job = this.#take(); job; job = this.#take()) job.drop?.();
  }

  async #drain(): Promise<void> {
    let sliceEnd = 0;
    for (;;) {
      if (Date.now() >= sliceEnd) {
        await turnOfEventLoop();
        sliceEnd = Date.now() + SLICE_MS;
      }
      const job = this.#take();
      if (!job) break;
      job.run();
    }
    this.#draining = false;
  }

  #take(): Job | undefined {
    const job = this.#jobs[this.#next];
    if (!job) return undefined;
    this.#jobs[this.#next++] = undefined;
    if (2 * this.#next >= this.#jobs.length) {
      this.#jobs.splice(0, this.#next);
      this.#next = 0;
    }
    return job;
  }
}

/** The timers that every JavaScript runtime has; the language itself knows none. */
const runtime = globalThis as unknown as {
  setImmediate?: (callback: () => void) => unknown;
  setTimeout: (callback: () => void, ms: number) => unknown;
};

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (runtime.setImmediate) runtime.setImmediate(resolve);
    else runtime.setTimeout(resolve, 0);
  });
}
