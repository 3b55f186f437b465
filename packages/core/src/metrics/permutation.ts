import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import { placesBy } from '../grouped.ts';
import { createRandom } from '../random.ts';
import { mean, meanScore, type ScoreTable } from './pairing.ts';
import { type Exchangeability, rearrangements } from './rearrangements.ts';

export type { Exchangeability };

export interface PermutationOptions {
  exchangeability: Exchangeability;
  /** Run (or sweep) of each reconstruction; one run when absent. Frames of a run are in their order of time. */
  runs?: ArrayLike<string | number> | undefined;
  /** Random rearrangements; 999 by default. Where fewer exist, each of them is taken exactly once. */
  permutations?: number | undefined;
  /**
   * True if each run was predicted by a decoder fitted to the others, themselves predicted in turn: the null scores
   * are then stretched by sqrt(2) about their mean, see `permutationTest`.
   */
  crossFitted?: boolean | undefined;
  seed?: number | undefined;
  /** CANCELLED once it is aborted. */
  signal?: AbortSignal | undefined;
}

export interface PermutationResult {
  /**
   * One-sided: the share of rearrangements, the true pairing among them, that score at least as well. Undefined where
   * the true pairing is the only one that respects the runs: nothing can be tested.
   */
  readonly p: number | undefined;
  /** Scores of the rearrangements (in an exact test the true pairing is one of them), stretched if cross-fitted. */
  readonly null: Float64Array;
  /** True if all rearrangements were enumerated. */
  readonly exact: boolean;
  /** Number of distinct rearrangements that respect the runs (Infinity beyond 2^53). */
  readonly rearrangements: number;
  /** Smallest p that this test could have given. */
  readonly smallestP: number;
}

/** More would take hours and tell nothing: the error of p is below its last printed digit by then. */
const MOST_PERMUTATIONS = 1e6;

/**
 * Permutation test of a mean score. With random rearrangements p = (1 + count) / (1 + n), which is never 0 and valid
 * for any n (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39); with all of them p = count / n.
 *
 * The decoder is not fitted again for each rearrangement. With held-out runs that it never saw that is sound. With
 * cross-fitted runs the null is too narrow: for a linear decoder the score is a sum over pairs of runs (r, s) of
 * <K_rs, Y_r Y_s'>, K the similarity of the voxel patterns and Y the pictures. As K_rs = K_sr', the decoder fitted to
 * r and tested on s scores by the same accident as the one fitted to s and tested on r: the terms add up, variance 4 v
 * for each pair. Rearranged predictions break that tie and leave two separate terms, 2 v. Hence the stretch by
 * sqrt(2), exact in the limit of strong regularization and a little too cautious below it.
 *
 * p by circular shifts is approximate in short runs: few stretches of noise fit into one, and a shifted run has a break
 * where its end meets its start. With four runs of 29 to 46 frames, p <= .05 came up in 3.5 to 8 % of simulated brains
 * that saw nothing; cross-fitted and declared so in 3 to 6.5 %, undeclared in 12 to 19 %.
 *
 * Throws INVALID_ARGUMENT for a count outside 1 to 1 000 000 or run labels that do not fit; CANCELLED by its signal.
 */
export async function permutationTest(
  table: ScoreTable,
  options: PermutationOptions,
): Promise<PermutationResult> {
  const { permutations = 999, seed = 0, signal } = options;
  if (!(Number.isInteger(permutations) && permutations >= 1 && permutations <= MOST_PERMUTATIONS)) {
    throw new F2iError('INVALID_ARGUMENT', 'a permutation test needs a sensible number of permutations', {
      field: 'permutations',
      expected: `a whole number from 1 to ${MOST_PERMUTATIONS}`,
      found: `${permutations}`,
    });
  }
  const runs = runsWithTrials(table, options.runs);
  const identity = Int32Array.from({ length: table.reconstructions }, (_, i) => i);
  const observed = meanScore(table, identity);
  const random = createRandom(seed);
  const orders = rearrangements(table.reconstructions, runs, options.exchangeability, permutations, random);
  const { exact, distinct } = orders;
  const scores = new Float64Array(orders.count);
  const breathe = pacer(signal, 'the permutation test');
  let done = 0;
  for (const pairing of orders.orders()) {
    scores[done++] = meanScore(table, pairing);
    await breathe();
  }
  if (options.crossFitted) stretch(scores, Math.SQRT2);

  // Sums in another order differ in their last bits: equal pairings must count as equal.
  const threshold = observed - 1e-12 * Math.max(1, Math.abs(observed));
  const count = scores.reduce((total, score) => total + (score >= threshold ? 1 : 0), 0);
  const total = exact ? distinct : 1 + permutations;
  // Stretched, a true pairing below the mean of all no longer reaches itself, yet it is one of them.
  const reached = exact ? Math.max(1, count) : 1 + count;
  const p = distinct > 1 ? reached / total : undefined;
  return { p, null: scores, exact, rearrangements: distinct, smallestP: 1 / total };
}

/** Moves each score away from the mean of all. */
function stretch(scores: Float64Array, by: number): void {
  const centre = mean(scores);
  for (let i = 0; i < scores.length; i++) scores[i] = centre + by * (scores[i]! - centre);
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
  const runs = placesBy(table.reconstructions, (c) => labels?.[c] ?? 0);
  const scored = new Set(table.own);
  return [...runs.values()].filter((run) => run.some((c) => scored.has(c)));
}
