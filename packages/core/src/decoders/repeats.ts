import { F2iError } from '../error.ts';
import { chosenTrials } from './checks.ts';
import type { ReconstructOptions } from './decoder.ts';

/** One reconstruction: the rows of betas that it is made of. */
export interface Repeats {
  /** As they were asked for; a row may stand twice. */
  readonly trials: readonly number[];
  /** Each row once. */
  readonly rows: readonly number[];
  /** Share of each of `rows` in the mean. */
  readonly weights: readonly number[];
}

/**
 * The reconstructions that were asked for, of so many rows of betas.
 *
 * @throws INVALID_ARGUMENT for a row that is not there, an empty list, or trials and repeats together
 */
export function chosenRepeats({ trials, repeats }: ReconstructOptions, count: number): Repeats[] {
  if (repeats === undefined) {
    return chosenTrials(trials, count).map((trial) => ({ trials: [trial], rows: [trial], weights: [1] }));
  }
  if (trials !== undefined) throw invalid('repeats', 'trials or repeats, not both', 'both');
  if (!Array.isArray(repeats)) throw invalid('repeats', 'a list of lists of rows', typeof repeats);
  return repeats.map((list: readonly number[], i) => {
    if (!Array.isArray(list) || list.length === 0) {
      throw invalid(`repeats[${i}]`, 'rows of the betas, one or more', JSON.stringify(list) ?? 'nothing');
    }
    const rows = [...new Set(chosenTrials(list, count, `repeats[${i}]`))];
    const share = (row: number) => list.filter((trial) => trial === row).length / list.length;
    return { trials: [...list], rows, weights: rows.map(share) };
  });
}

/** Neighbours of a list in batches of at most so many rows; a longer one is a batch by itself. */
export function batchesOf(list: readonly Repeats[], most: number): Repeats[][] {
  const batches: Repeats[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const one of list) {
    if (used + one.rows.length > most) {
      batches.push([]);
      used = 0;
    }
    batches.at(-1)!.push(one);
    used += one.rows.length;
  }
  return batches;
}

/** What averages rows [from, from + count) of a batch: [reconstructions, count] row-major. */
export function averaging(batch: readonly Repeats[], from: number, count: number): Float32Array {
  const matrix = new Float32Array(batch.length * count);
  let row = -from;
  for (const [i, { weights }] of batch.entries()) {
    for (const weight of weights) {
      if (row >= 0 && row < count) matrix[i * count + row] = weight;
      row++;
    }
  }
  return matrix;
}

/** Decoders that neither average repeats nor draw noise refuse to be asked for it. */
export function refuseRepeats(kind: string, options: ReconstructOptions): void {
  const field = (['repeats', 'noise'] as const).find((name) => options[name] !== undefined);
  if (field) throw invalid(field, `nothing: a decoder of kind ${kind} has no use for it`, field);
}

function invalid(field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'not reconstructions that can be made', { field, expected, found });
}
