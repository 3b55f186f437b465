import { F2iError } from '../../error.ts';

export interface AlphaSelection {
  /** The grid, as given. */
  readonly grid: readonly number[];
  /** Mean over folds of each alpha's score for each target, [grid, targets] row-major. */
  readonly table: Float64Array;
  /** Chosen alpha of each target. */
  readonly alphas: Float64Array;
  /** Mean score over folds of the chosen alpha, per target. */
  readonly scores: Float64Array;
  /** Targets whose choice is the grid's smallest or largest value: the optimum may lie outside. */
  readonly atBorder: { readonly smallest: number; readonly largest: number };
}

/**
 * Picks the alpha of the best mean score; of equal ones the first in the grid, as himalaya and scikit-learn do.
 *
 * @param table [grid, targets]
 * @param perTarget one alpha for each target, or the one with the best mean over targets for all
 */
export function selectAlphas(
  grid: readonly number[],
  table: Float64Array,
  perTarget: boolean,
): AlphaSelection {
  const targets = table.length / grid.length;
  const alphas = new Float64Array(targets);
  const scores = new Float64Array(targets);
  const pick = (scoreOf: (row: number) => number, who: string): number => {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let row = 0; row < grid.length; row++) {
      const score = scoreOf(row);
      if (score > bestScore) {
        best = row;
        bestScore = score;
      }
    }
    if (best < 0)
      throw new F2iError(
        'INVALID_ARGUMENT',
        `no alpha has a score for ${who}: is there NaN among its values?`,
        {
          field: 'targets',
        },
      );
    return best;
  };
  const shared = perTarget
    ? -1
    : pick((row) => mean(table.subarray(row * targets, (row + 1) * targets)), 'the targets');
  for (let t = 0; t < targets; t++) {
    const row = perTarget ? pick((r) => table[r * targets + t]!, `target ${t}`) : shared;
    alphas[t] = grid[row]!;
    scores[t] = table[row * targets + t]!;
  }
  return { grid, table, alphas, scores, atBorder: countAtBorder(grid, alphas) };
}

export function countAtBorder(grid: readonly number[], alphas: Float64Array) {
  if (grid.length < 2) return { smallest: 0, largest: 0 };
  const low = Math.min(...grid);
  const high = Math.max(...grid);
  return {
    smallest: alphas.reduce((count, alpha) => count + (alpha === low ? 1 : 0), 0),
    largest: alphas.reduce((count, alpha) => count + (alpha === high ? 1 : 0), 0),
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sentences for the report where the grid seems too narrow. */
export function borderWarnings({
  grid,
  alphas,
  atBorder,
}: Pick<AlphaSelection, 'grid' | 'alphas' | 'atBorder'>): string[] {
  const sentence = (count: number, which: string, value: number) =>
    `${count} of ${alphas.length} targets chose the ${which} alpha of the grid (${value}): the best may lie beyond`;
  const warnings: string[] = [];
  if (atBorder.smallest > 0) warnings.push(sentence(atBorder.smallest, 'smallest', Math.min(...grid)));
  if (atBorder.largest > 0) warnings.push(sentence(atBorder.largest, 'largest', Math.max(...grid)));
  return warnings;
}

/** `count` values from 10^from to 10^to, evenly spaced in their logarithm. */
export function logGrid(from: number, to: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => 10 ** (count === 1 ? from : from + ((to - from) * i) / (count - 1)),
  );
}
