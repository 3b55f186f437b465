import type { Random } from '../random.ts';

/**
 * What may be exchanged if the brain carried nothing:
 * - `continuous`: frames of a film or moving bars, whose responses are smooth in time. Only circular shifts within a
 *   run keep the autocorrelation of the predictions; shuffled frames would call smooth noise significant.
 * - `trials`: separate trials in an order that was random within each run: any order within the run.
 */
export type Exchangeability = 'continuous' | 'trials';

/** Ways to rearrange what stands at some places, run by run. */
export interface Rearrangements {
  /** True if there are so few that each is taken exactly once, the true order among them. */
  readonly exact: boolean;
  /** Distinct rearrangements that respect the runs (Infinity beyond 2^53). */
  readonly distinct: number;
  /** How many `orders` yields. */
  readonly count: number;
  /** For each place, the place whose content it gets. The array is valid until the next is asked for. */
  orders(): Generator<Int32Array>;
}

/**
 * @param places how many there are; those in no run keep their content
 * @param runs places of each run, in order of time
 * @param permutations random draws to take where not all are taken
 */
export function rearrangements(
  places: number,
  runs: readonly (readonly number[])[],
  exchangeability: Exchangeability,
  permutations: number,
  random: Random,
): Rearrangements {
  const group = exchangeability === 'continuous' ? circularShifts : ordersWithinRun;
  const distinct = runs.reduce((product, run) => product * group.size(run.length), 1);
  const exact = distinct <= permutations + 1;
  const identity = () => Int32Array.from({ length: places }, (_, i) => i);
  return {
    exact,
    distinct,
    count: exact ? distinct : permutations,
    orders: () =>
      exact ? all(identity(), runs, group) : randomOrders(identity(), runs, group, permutations, random),
  };
}

/** Every order once. */
function* all(
  order: Int32Array,
  runs: readonly (readonly number[])[],
  group: RunGroup,
  r = 0,
): Generator<Int32Array> {
  if (r === runs.length) {
    yield order;
    return;
  }
  for (const arranged of group.all(runs[r]!)) {
    place(order, runs[r]!, arranged);
    yield* all(order, runs, group, r + 1);
  }
}

/** Independent uniform draws. */
function* randomOrders(
  order: Int32Array,
  runs: readonly (readonly number[])[],
  group: RunGroup,
  count: number,
  random: Random,
): Generator<Int32Array> {
  for (let i = 0; i < count; i++) {
    for (const run of runs) place(order, run, group.draw(run, random));
    yield order;
  }
}

function place(order: Int32Array, run: readonly number[], arranged: readonly number[]): void {
  for (let i = 0; i < run.length; i++) order[run[i]!] = arranged[i]!;
}

/** One way to rearrange a run: the size of its group, all of it, and a uniform draw (the identity is a member). */
interface RunGroup {
  size(length: number): number;
  all(run: readonly number[]): Iterable<readonly number[]>;
  draw(run: readonly number[], random: Random): readonly number[];
}

const rotate = (run: readonly number[], by: number) => [...run.slice(by), ...run.slice(0, by)];

const circularShifts: RunGroup = {
  size: (length) => length,
  all: (run) => run.map((_, by) => rotate(run, by)),
  draw: (run, random) => rotate(run, random.integer(run.length)),
};

const ordersWithinRun: RunGroup = {
  size(length) {
    let product = 1;
    for (let i = 2; i <= length; i++) product *= i;
    return product;
  },
  *all(run) {
    if (run.length <= 1) {
      yield run;
      return;
    }
    for (let i = 0; i < run.length; i++) {
      const rest = run.filter((_, j) => j !== i);
      for (const order of this.all(rest)) yield [run[i]!, ...order];
    }
  },
  draw: (run, random) => random.shuffle(run),
};
