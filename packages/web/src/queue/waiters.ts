import type { F2iError } from '@fmri2image/core';

/** Promises of this queue that must end when the device is lost or the backend closed, whatever the driver does. */
export class Waiters {
  readonly #reject = new Set<(error: F2iError) => void>();
  #ended: F2iError | undefined;

  get ended(): F2iError | undefined {
    return this.#ended;
  }

  /** The promise, or the end, whichever comes first; failures after the end are part of it. */
  until<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) {
        promise.catch(() => {});
        reject(this.#ended);
        return;
      }
      this.#reject.add(reject);
      promise.then(
        (value) => {
          this.#reject.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#reject.delete(reject);
          reject(this.#ended ?? error);
        },
      );
    });
  }

  end(error: F2iError): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const reject of this.#reject) reject(error);
    this.#reject.clear();
  }
}
