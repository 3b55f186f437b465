import { createRandom } from '../random.ts';

/**
 * Six values of mean 0 and variance 1 (Webb 2014, Queen's Economics Department Working Paper 1315): of few groups they make
 * many more draws than two signs do.
 */
const SIX = [-Math.sqrt(1.5), -1, -Math.sqrt(0.5), Math.sqrt(0.5), 1, Math.sqrt(1.5)];

/** What moves together in a bootstrap, as lists of rows. */
export function groupsOf(rows: number, labels: ArrayLike<string | number> | undefined): number[][] {
  if (!labels) return Array.from({ length: rows }, (_, row) => [row]);
  const groups = new Map<string | number, number[]>();
  for (let row = 0; row < rows; row++) {
    const own = groups.get(labels[row]!);
    if (own) own.push(row);
    else groups.set(labels[row]!, [row]);
  }
  return [...groups.values()];
}

/**
 * Multipliers of the residuals of a wild bootstrap, [rows, draws]: rows of a group share theirs. Signs where each row is by
 * itself (Davidson and Flachaire 2008), one of six values where rows are grouped.
 */
export function multipliers(
  rows: number,
  groups: readonly (readonly number[])[],
  draws: number,
  seed: number,
) {
  const random = createRandom(seed);
  const isSingle = groups.length === rows;
  const values = new Float64Array(rows * draws);
  for (let b = 0; b < draws; b++) {
    for (const group of groups) {
      const value = isSingle ? (random.uniform() < 0.5 ? -1 : 1) : SIX[random.integer(SIX.length)]!;
      for (const row of group) values[row * draws + b] = value;
    }
  }
  return values;
}
