import { F2iError } from '../error.ts';
import { createRandom, type Random } from '../random.ts';
import { meanScore, type ScoreTable } from './pairing.ts';

/**
 * What may be exchanged if the brain carried nothing:
 * - `continuous`: frames of a film or moving bars, whose responses are smooth in time. Only circular shifts within a
 *   run keep the autocorrelation of the predictions; shuffled frames would call smooth noise significant.
 * - `trials`: separate trials in an order that was random within each run: any order within the run.
 */
export type Exchangeability = 'continuous' | 'trials';

export interface PermutationOptions {
  exchangeability: Exchangeability;
  /** Run (or sweep) of each reconstruction; one run when absent. Frames of a run are in their order of time. */
  runs?: ArrayLike<string | number> | undefined;
  /** Random rearrangements; 999 by default. Where fewer exist, each of them is taken exactly once. */
  permutations?: number | undefined;
  seed?: number | undefined;
}

export interface PermutationResult {
  /** One-sided: the share of rearrangements, the true pairing among them, that score at least as well. */
  readonly p: number;
  /** Scores of the rearrangements (in an exact test the true pairing is one of them). */
  readonly null: Float64Array;
  /** True if all rearrangements were enumerated. */
  readonly exact: boolean;
  /** Number of distinct rearrangements that respect the runs (Infinity beyond 2^53). */
  readonly rearrangements: number;
  /** Smallest p that this test could have given. */
  readonly smallestP: number;
}

/**
 * Permutation test of a mean score. With random rearrangements p = (1 + count) / (1 + n), which is never 0 and valid
 * for any n (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39); with all of them p = count / n.
 */
export function permutationTest(table: ScoreTable, options: PermutationOptions): PermutationResult {
  const { permutations = 999, seed = 0 } = options;
  if (!(Number.isInteger(permutations) && permutations >= 1)) {
    throw new F2iError('INVALID_ARGUMENT', 'a permutation test needs permutations', {
      field: 'permutations',
      expected: 'a whole number above 0',
      found: `${permutations}`,
    });
  }
  const runs = runsWithTrials(table, options.runs);
  const group = options.exchangeability === 'continuous' ? circularShifts : ordersWithinRun;
  const identity = Int32Array.from({ length: table.reconstructions }, (_, i) => i);
  // Sums in another order differ in their last bits: equal pairings must count as equal.
  const observed = meanScore(table, identity);
  const threshold = observed - 1e-12 * Math.max(1, Math.abs(observed));

  const rearrangements = runs.reduce((product, run) => product * group.size(run.length), 1);
  const exact = rearrangements <= permutations + 1;
  const scores: number[] = [];
  const pairing = identity.slice();
  if (exact) {
    const enumerate = (r: number): void => {
      if (r === runs.length) {
        scores.push(meanScore(table, pairing));
        return;
      }
      for (const arranged of group.all(runs[r]!)) {
        place(pairing, runs[r]!, arranged);
        enumerate(r + 1);
      }
    };
    enumerate(0);
  } else {
    const random = createRandom(seed);
    for (let i = 0; i < permutations; i++) {
      for (const run of runs) place(pairing, run, group.draw(run, random));
      scores.push(meanScore(table, pairing));
    }
  }
  const count = scores.filter((score) => score >= threshold).length;
  const [p, smallestP] = exact
    ? [count / scores.length, 1 / rearrangements]
    : [(1 + count) / (1 + permutations), 1 / (1 + permutations)];
  return { p, null: Float64Array.from(scores), exact, rearrangements, smallestP };
}

function place(pairing: Int32Array, run: readonly number[], arranged: readonly number[]): void {
  for (let i = 0; i < run.length; i++) pairing[run[i]!] = arranged[i]!;
}

/** Columns of each run that has scored trials; others cannot change the score. */
function runsWithTrials(table: ScoreTable, labels: ArrayLike<string | number> | undefined): number[][] {
  if (labels && labels.length !== table.reconstructions) {
    throw new F2iError('INVALID_ARGUMENT', 'one run label for each reconstruction', {
      field: 'runs',
      expected: `${table.reconstructions}`,
      found: `${labels.length}`,
    });
  }
  const runs = new Map<string | number, number[]>();
  for (let c = 0; c < table.reconstructions; c++) {
    const label = labels?.[c] ?? 0;
    const run = runs.get(label);
    if (run) run.push(c);
    else runs.set(label, [c]);
  }
  const scored = new Set(table.own);
  return [...runs.values()].filter((run) => run.some((c) => scored.has(c)));
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
