import { F2iError } from '../error.ts';
import { placesBy } from '../grouped.ts';
import { createRandom } from '../random.ts';

/**
 * Random pools of trials that show different stimuli. Where a stimulus was shown several times, each pool takes one of
 * its trials at random.
 *
 * @param trials their number
 * @returns `draws` lists of `pool` trials
 */
export function drawPools(
  trials: number,
  {
    pool,
    draws,
    seed,
    stimuli,
  }: { pool: number; draws: number; seed: number; stimuli?: ArrayLike<number | string> | undefined },
): Int32Array[] {
  const groups = placesBy(trials, (trial) => (stimuli ? stimuli[trial]! : trial));
  const random = createRandom(seed);
  const all = [...groups.values()];
  return Array.from({ length: draws }, () =>
    Int32Array.from(random.shuffle(all).slice(0, pool), (group) => group[random.integer(group.length)]!),
  );
}

/** Pools that were given: each lists trials of different stimuli, and all are of one size. */
export function checkPools(
  pools: readonly ArrayLike<number>[],
  trials: number,
  stimuli: ArrayLike<number | string> | undefined,
): Int32Array[] {
  const refuse = (field: string, expected: string, found: string) =>
    new F2iError('INVALID_ARGUMENT', 'pools are listed wrongly', { field, expected, found });
  const [first] = pools;
  if (!first || first.length < 2) {
    throw refuse('draws', 'at least one pool of at least 2 trials', first ? `${first.length}` : 'none');
  }
  return pools.map((pool, d) => {
    const list = Array.from(pool);
    if (list.length !== first.length)
      throw refuse(`draws.${d}`, `${first.length} trials, as in the first`, `${list.length}`);
    const seen = new Set<number | string>();
    for (const [i, trial] of list.entries()) {
      const exists = Number.isInteger(trial) && trial >= 0 && trial < trials;
      const stimulus = stimuli ? stimuli[trial]! : trial;
      if (!exists || seen.has(stimulus))
        throw refuse(`draws.${d}.${i}`, `one of 0 to ${trials - 1}, each stimulus once`, `${trial}`);
      seen.add(stimulus);
    }
    return Int32Array.from(list);
  });
}
