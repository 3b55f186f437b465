/** How the repeats of a stimulus become reconstructions. */
export const REPEATS = ['each', 'all', 'published'] as const;
export type Repeats = (typeof REPEATS)[number];

/** Repeats that MindEye2 averages (recon_inference). */
const PUBLISHED_REPEATS = 3;

/** One reconstruction that is to be made. */
export interface Repetition {
  /** Trials that it comes from, each once. */
  readonly trials: readonly number[];
  /** Trials whose outputs are averaged, in order; one may stand here twice. */
  readonly averaged: readonly number[];
}

/**
 * Sorts trials into reconstructions. `each`: every trial by itself. `all`: the outputs of all repeats are averaged.
 * `published`, as MindEye2's recon_inference: pictures in ascending order, the first three repeats of each; a single one
 * counts three times, and of two the first counts twice. Trials without stimulus stay by themselves.
 *
 * @param stimulusOf identity of what a trial showed
 */
export function repetitions(
  trials: readonly number[],
  stimulusOf: (trial: number) => number | undefined,
  how: Repeats,
): Repetition[] {
  if (how === 'each') return trials.map((trial) => ({ trials: [trial], averaged: [trial] }));
  const groups = new Map<number | string, number[]>();
  for (const trial of trials) {
    const key = stimulusOf(trial) ?? `trial ${trial}`;
    groups.set(key, [...(groups.get(key) ?? []), trial]);
  }
  if (how === 'all') return [...groups.values()].map((group) => ({ trials: group, averaged: group }));
  const order = (key: number | string) => (typeof key === 'number' ? key : Number.POSITIVE_INFINITY);
  return [...groups]
    .sort(([a], [b]) => (order(a) === order(b) ? 0 : order(a) - order(b)))
    .map(([, group]) => {
      const own = group.slice(0, PUBLISHED_REPEATS);
      const averaged = Array.from({ length: PUBLISHED_REPEATS }, (_, i) => own[i % own.length]!);
      return { trials: own, averaged };
    });
}
