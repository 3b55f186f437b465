import { placesBy } from '../grouped.ts';
import type { NestedFold } from '../interpret/heldOut.ts';
import { invalid } from './invalid.ts';

/** Rows that move together: a block of a run, or a row by itself. */
export interface Unit {
  readonly run: number;
  readonly rows: readonly number[];
}

export function unitsOf(
  runs: readonly (readonly number[])[],
  rows: number,
  blocks: ArrayLike<string | number> | undefined,
): Unit[] {
  if (blocks && blocks.length !== rows) {
    throw invalid('blocks', 'one block for each row', `${rows}`, `${blocks.length}`);
  }
  return runs.flatMap((run, r) => {
    if (!blocks) return run.map((row) => ({ run: r, rows: [row] }));
    const members = new Map<string | number, number[]>();
    for (const row of run) members.set(blocks[row]!, [...(members.get(blocks[row]!) ?? []), row]);
    return [...members.values()].map((rows) => ({ run: r, rows }));
  });
}

/** Places in the list of units that may be exchanged: those of a run that are equally long. */
export function byRun(units: readonly Unit[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [u, { run, rows }] of units.entries()) {
    const key = `${run} ${rows.length}`;
    groups.set(key, [...(groups.get(key) ?? []), u]);
  }
  return [...groups.values()];
}

/** The true order of rows, then those in which units have changed places. */
export function* rowOrders(
  rows: number,
  units: readonly Unit[],
  orders: Iterable<Int32Array>,
): Generator<Int32Array, void> {
  const order = Int32Array.from({ length: rows }, (_, i) => i);
  yield order;
  for (const places of orders) {
    for (const [u, { rows }] of units.entries()) {
      const from = units[places[u]!]!.rows;
      for (let k = 0; k < rows.length; k++) order[rows[k]!] = from[k]!;
    }
    yield order;
  }
}

/** Rows of each run that has held-out rows, or training rows: what is never used stays where it is. */
export function runsOf(
  rows: number,
  folds: readonly NestedFold[],
  labels: ArrayLike<string | number> | undefined,
): number[][] {
  const held = new Set(folds.flatMap(({ test }) => Array.from(test)));
  const used = new Set([...held, ...folds.flatMap(({ train }) => Array.from(train))]);
  const runs = placesBy(rows, (row) => labels?.[row] ?? 0);
  return [...runs].flatMap(([label, run]) => {
    const tested = run.filter((row) => held.has(row)).length;
    if (tested > 0 && tested < run.length) {
      throw invalid(
        'runs',
        'labels that are held out cannot change places with labels that never are',
        'runs of which all rows are held out, or none',
        `${tested} of ${run.length} rows of run ${label}`,
      );
    }
    return run.some((row) => used.has(row)) ? [run] : [];
  });
}
