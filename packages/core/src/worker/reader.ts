import type { F2iError } from '../error.ts';
import type { Connection, Request } from './connection.ts';
import type { Id, ItemMessage } from './protocol.ts';

/**
 * The reading end of a reconstruction in a worker. At most a window of items waits here: each that is taken lets the
 * worker send another.
 */
export class Reader {
  readonly #connection: Connection;
  readonly #request: Id;
  readonly #items: ItemMessage[] = [];
  #ended = false;
  #failure: F2iError | undefined;
  #wake: () => void = () => {};

  constructor(connection: Connection, decoder: Id, request: Request, transfer: ArrayBuffer[]) {
    this.#connection = connection;
    this.#request = connection.send(
      request,
      {
        decoder,
        item: (item) => {
          this.#items.push(item);
          this.#wake();
        },
        value: () => this.#end(undefined),
        fail: (error) => this.#end(error),
      },
      transfer,
    );
  }

  /** The next item; undefined after the last. */
  async next(): Promise<ItemMessage | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const item = this.#items.shift();
      if (item) {
        if (!this.#ended) this.#connection.post({ type: 'more', request: this.#request });
        return item;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends the work in the worker, unless it has ended; with an error, waits fail with it. */
  cancel(error?: F2iError): void {
    if (!this.#ended) this.#connection.abort(this.#request);
    this.#end(error);
  }

  #end(error: F2iError | undefined): void {
    // What was computed before an end by itself is still read; after a failure nothing is.
    this.#failure ??= error;
    this.#ended = true;
    this.#wake();
  }
}
