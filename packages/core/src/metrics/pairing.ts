import { F2iError } from '../error.ts';

/**
 * What every reconstruction would score as the answer to every scored trial. All our metrics are the mean of such a
 * table over a pairing, so a permutation costs one look-up a trial.
 */
export interface ScoreTable {
  /** [trials, reconstructions] row-major; NaN nowhere. */
  readonly values: Float64Array;
  /** For each row, the column of its own reconstruction. */
  readonly own: Int32Array;
  readonly reconstructions: number;
}

/** Scores of the true pairing, one a trial. */
export function ownScores({ values, own, reconstructions }: ScoreTable): Float64Array {
  return Float64Array.from(own, (column, row) => values[row * reconstructions + column]!);
}

/** Mean score when the reconstruction of column c is replaced by that of column `pairing[c]`. */
export function meanScore(table: ScoreTable, pairing: ArrayLike<number>): number {
  const { values, own, reconstructions } = table;
  let sum = 0;
  for (let row = 0; row < own.length; row++) sum += values[row * reconstructions + pairing[own[row]!]!]!;
  return sum / own.length;
}

/** Checks the list of scored trials (all when absent) against the number of reconstructions. */
export function scoredTrials(scored: ArrayLike<number> | undefined, trials: number): Int32Array {
  if (!scored) return Int32Array.from({ length: trials }, (_, i) => i);
  const list = Array.from(scored);
  const bad = list.find((i, at) => !Number.isInteger(i) || i < 0 || i >= trials || list.indexOf(i) !== at);
  if (bad !== undefined || list.length === 0) {
    throw new F2iError('INVALID_ARGUMENT', 'scored trials are listed wrongly', {
      field: 'scored',
      expected: `at least one of 0 to ${trials - 1}, each once`,
      found: bad === undefined ? 'none' : `${bad}`,
    });
  }
  return Int32Array.from(list);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
