import { placesBy } from '../../grouped.ts';
import { createRandom } from '../../random.ts';

/**
 * Six values of mean 0 and variance 1 (Webb 2014, Queen's Economics Department Working Paper 1315): of few groups they make
 * many more draws than two signs do.
 */
const SIX = [-Math.sqrt(1.5), -1, -Math.sqrt(0.5), Math.sqrt(0.5), 1, Math.sqrt(1.5)];

const BITS = 32;

/** What moves together in a bootstrap, as lists of rows. */
export function groupsOf(rows: number, labels: ArrayLike<string | number> | undefined): number[][] {
  if (!labels) return Array.from({ length: rows }, (_, row) => [row]);
  return [...placesBy(rows, (row) => labels[row]!).values()];
}

/**
 * Multipliers of the residuals of a wild bootstrap, block by block of draws: [draws of the block, groups]. Signs where each
 * row is by itself (Davidson and Flachaire 2008), one of six values where rows are grouped. The same for a seed, however
 * wide the blocks: they are made anew for each pass rather than kept.
 *
 * @param isSingle whether each group is one row
 * @param width draws of a block
 */
export function* multipliers(
  groups: number,
  isSingle: boolean,
  { draws, seed, width }: { draws: number; seed: number; width: number },
): Generator<{ readonly from: number; readonly to: number; readonly values: Float64Array }> {
  const random = createRandom(seed);
  for (let from = 0; from < draws; from += width) {
    const to = Math.min(draws, from + width);
    const count = to - from;
    const values = new Float64Array(groups * count);
    for (let b = 0; b < count; b++) {
      for (let group = 0, bits = 0; group < groups; group++) {
        if (!isSingle) {
          values[b * groups + group] = SIX[random.integer(SIX.length)]!;
          continue;
        }
        if (group % BITS === 0) bits = random.integer(2 ** BITS);
        values[b * groups + group] = 2 * ((bits >>> (group % BITS)) & 1) - 1;
      }
    }
    yield { from, to, values };
  }
}
