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
  readonly #graphs = new Set<GraphPlaces>();

  constructor(capacity = 8192) {
    this.#slots = new Array(capacity).fill(undefined);
  }

  add(entry: Enqueued): void {
    this.#slots[entry.tag % this.#slots.length] = entry;
  }

  find(tag: number | undefined): Enqueued | undefined {
    if (tag === undefined) return undefined;
    const entry = this.#slots[tag % this.#slots.length];
    if (entry?.tag === tag) return entry;
    for (const graph of this.#graphs) {
      const recorded = graph.find(tag);
      if (recorded) return recorded;
    }
    return undefined;
  }

  /** Where else to look, as long as a graph may be launched. */
  keep(graph: GraphPlaces): void {
    this.#graphs.add(graph);
  }

  /** Its ops are ops like others from now on: what has been launched may yet fail. */
  letGo(graph: GraphPlaces): void {
    this.#graphs.delete(graph);
    const { length } = this.#slots;
    for (const entry of graph.entries()) {
      const newer = (this.#slots[entry.tag % length]?.tag ?? 0) > entry.tag;
      if (!newer) this.add(entry);
    }
  }

  /** Forgets everything up to this tag. */
  forget(upTo: number): void {
    const { length } = this.#slots;
    for (let i = 0; i < length; i++)
      if (this.#slots[i] && this.#slots[i]!.tag <= upTo) this.#slots[i] = undefined;
  }
}

/** The ops of a graph, which may fail at every launch. */
export class GraphPlaces {
  readonly #entries = new Map<number, Enqueued>();
  /** Of the last launch: its ops have none of their own. */
  signal: AbortSignal | undefined;

  add(entry: Enqueued): void {
    this.#entries.set(entry.tag, entry);
  }

  find(tag: number): Enqueued | undefined {
    const entry = this.#entries.get(tag);
    return entry && { ...entry, signal: this.signal };
  }

  entries(): Enqueued[] {
    return [...this.#entries.values()].map((entry) => ({ ...entry, signal: this.signal }));
  }
}
