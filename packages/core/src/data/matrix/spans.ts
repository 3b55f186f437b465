/** Rows of a file that are read at once, and where they go. */
export interface Span {
  readonly first: number;
  /** Rows from `first` on, those between wanted ones included. */
  readonly count: number;
  /** Row of the file for each of them that is wanted, and its place in the result. */
  readonly rows: readonly number[];
  readonly places: readonly number[];
}

/**
 * Wanted rows by ascending place in the file, neighbours together: what reads a file forwards, and each row once however
 * often it is wanted.
 *
 * @param limit most rows of a span
 * @param gap most rows between two wanted ones that are read along
 */
export function* spansOf(rows: ArrayLike<number>, limit: number, gap = 0): Generator<Span> {
  const order = Uint32Array.from({ length: rows.length }, (_, i) => i);
  if (!ascends(rows)) order.sort((a, b) => rows[a]! - rows[b]! || a - b);
  for (let start = 0; start < order.length; ) {
    const first = rows[order[start]!]!;
    let last = first;
    let end = start + 1;
    for (; end < order.length; end++) {
      const row = rows[order[end]!]!;
      if (row > last + 1 + gap || row >= first + limit) break;
      last = row;
    }
    const places = Array.from(order.subarray(start, end));
    yield { first, count: last - first + 1, rows: places.map((place) => rows[place]!), places };
    start = end;
  }
}

function ascends(rows: ArrayLike<number>): boolean {
  for (let i = 1; i < rows.length; i++) if (rows[i]! < rows[i - 1]!) return false;
  return true;
}
