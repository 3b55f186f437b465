/** What an op's tag stands for, kept for its error. */
export interface Enqueued {
  readonly tag: number;
  readonly op: string;
  readonly place: { readonly stack?: string | undefined };
  readonly signal: AbortSignal | undefined;
}

/**
 * The last ops that were enqueued, by tag. An error may name any op whose outputs are still in use, so entries go
 * only when a wait has shown that everything succeeded, or when newer ones need their place.
 */
export class Places {
  readonly #slots: (Enqueued | undefined)[];

  constructor(capacity = 8192) {
    this.#slots = new Array(capacity).fill(undefined);
  }

  add(entry: Enqueued): void {
    this.#slots[entry.tag % this.#slots.length] = entry;
  }

  find(tag: number | undefined): Enqueued | undefined {
    if (tag === undefined) return undefined;
    const entry = this.#slots[tag % this.#slots.length];
    return entry?.tag === tag ? entry : undefined;
  }

  /** Forgets everything up to this tag. */
  forget(upTo: number): void {
    const { length } = this.#slots;
    for (let i = 0; i < length; i++)
      if (this.#slots[i] && this.#slots[i]!.tag <= upTo) this.#slots[i] = undefined;
  }
}
