import { F2iError } from '../error.ts';
import type { Rows } from '../rows.ts';
import { bootstrapInterval } from './bootstrap.ts';
import { type CosineSimilarities, cosineSimilarity } from './cosineSimilarity.ts';
import { mean } from './pairing.ts';
import { checkPools, drawPools } from './retrievalDraws.ts';
import { type RetrievalDirection, retrievalOdds } from './retrievalTable.ts';
import type { ProductOptions } from './rowProducts.ts';

export interface RetrievalOptions extends ProductOptions {
  /** Candidates, the right one among them; 300 by default, all stimuli where there are fewer. */
  pool?: number | undefined;
  /** A query succeeds if the right one is among the k most similar; 1 by default. */
  k?: number | undefined;
  /**
   * How many random pools (30 by default), or the pools themselves, each a list of trials from 0; those of MindEye's
   * notebook come from `numpyDraws`.
   */
  draws?: number | readonly ArrayLike<number>[] | undefined;
  /** Of the pools and of the intervals. */
  seed?: number | undefined;
  /** Identity of the stimulus of each trial: repeats do not compete. All different when absent. */
  stimuli?: ArrayLike<number | string> | undefined;
  /** Successive trials that a bootstrap draw takes together: see `bootstrapInterval`. */
  block?: number | undefined;
}

export interface DirectionResult {
  /** Share of queries that succeed, expected over all pools there are: the mean of `perTrial`. */
  readonly score: number;
  /** 95 % bootstrap interval of the score over trials: other stimuli, the same brain and decoder. */
  readonly interval: readonly [number, number];
  /** Probability of each trial to succeed in a random pool. */
  readonly perTrial: readonly number[];
  /** As published: accuracy over some random pools. */
  readonly published: {
    readonly mean: number;
    /**
     * mean ± 1.96 standard deviations (ddof 0) over draws / sqrt(draws). It is about other pools of the same trials
     * and vanishes with ever more draws; of 95 % it covered 0 to 42 % in simulations. Null where each pool holds all
     * stimuli: there are no other pools.
     */
    readonly interval: readonly [number, number] | null;
    readonly perDraw: readonly number[];
  };
}

/** Plain values, ready for JSON. */
export interface Retrieval {
  /** Given an image, which of the brain responses is its own? MindEye's "fwd", published as image retrieval. */
  readonly imageToBrain: DirectionResult;
  /** Given a brain response, which of the images was shown? MindEye's "bwd", published as brain retrieval. */
  readonly brainToImage: DirectionResult;
  readonly trials: number;
  readonly stimuli: number;
  /** Candidates of each pool. */
  readonly pool: number;
  readonly k: number;
  /** What guessing gives: k / pool. */
  readonly chance: number;
  readonly draws: number;
  /** What is not as asked or published: there are fewer stimuli than the pool asks for. */
  readonly note?: string;
  /** Wall-clock time of similarities and scores. */
  readonly seconds: number;
}

/** Pools of MindEye's protocol. */
export const PUBLISHED_POOL = { pool: 300, draws: 30 } as const;

/**
 * Retrieval among a pool of candidates by cosine similarity of flattened embeddings, in both directions. The protocol
 * is that of MindEye (Scotti et al. 2023, 2024): top-1 among 300 over 30 random pools; beside it stands the exact
 * expectation over all pools with an interval over stimuli, which is what one should read.
 *
 * @param brain embeddings decoded from the brain [n, ...], row i of the trial that showed image i
 * @param image embeddings of the images [n, ...], of the same extents; repeats of a stimulus have equal rows
 * @returns both directions by names that say who asks; see `RetrievalDirection` for the published ones
 * @throws INVALID_ARGUMENT for extents that differ, NaN, fewer than 2 stimuli, or pools that do not fit; CANCELLED by
 *   its signal
 */
export async function retrieval(
  brain: Rows,
  image: Rows,
  options: RetrievalOptions = {},
): Promise<Retrieval> {
  const started = performance.now();
  const similarities = await cosineSimilarity(image, brain, options);
  const { images, brains } = similarities;
  if (images !== brains) {
    throw new F2iError('INVALID_ARGUMENT', 'each decoded embedding needs that of its image', {
      field: 'image',
      expected: `${brains} rows`,
      found: `${images}`,
    });
  }
  const own = Int32Array.from({ length: images }, (_, i) => i);
  const plan = retrievalPlan(images, options);
  const { seed = 0, block, stimuli } = options;
  const direction = (name: RetrievalDirection): DirectionResult => {
    const perTrial = [...retrievalOdds(similarities, own, name, plan, stimuli)];
    return {
      score: mean(perTrial),
      interval: bootstrapInterval(perTrial, { seed, block }),
      perTrial,
      published: overDraws(similarities, own, name, plan),
    };
  };
  const imageToBrain = direction('imageToBrain');
  const brainToImage = direction('brainToImage');
  const { pools, ...described } = plan;
  return {
    imageToBrain,
    brainToImage,
    trials: images,
    ...described,
    seconds: (performance.now() - started) / 1e3,
  };
}

/** What is drawn from `trials` scored trials. */
export interface RetrievalPlan
  extends Pick<Retrieval, 'stimuli' | 'pool' | 'k' | 'chance' | 'draws' | 'note'> {
  readonly pools: readonly Int32Array[];
}

/** The pools, which may be smaller than asked for. */
export function retrievalPlan(trials: number, options: RetrievalOptions): RetrievalPlan {
  const { k = 1, draws = PUBLISHED_POOL.draws, seed = 0, stimuli } = options;
  if (stimuli && stimuli.length !== trials) {
    throw new F2iError('INVALID_ARGUMENT', 'one stimulus for each trial', {
      field: 'stimuli',
      expected: `${trials}`,
      found: `${stimuli.length}`,
    });
  }
  const different = stimuli ? new Set(Array.from(stimuli)).size : trials;
  const given = typeof draws === 'number' ? undefined : checkPools(draws, trials, stimuli);
  const wanted = given ? given[0]!.length : (options.pool ?? PUBLISHED_POOL.pool);
  const pool = Math.min(wanted, different);
  if (typeof draws === 'number' && !(Number.isInteger(draws) && draws >= 1)) {
    throw new F2iError('INVALID_ARGUMENT', 'not a number of pools', {
      field: 'draws',
      expected: 'a whole number, 1 or more',
      found: `${draws}`,
    });
  }
  const pools = given ?? drawPools(trials, { pool, draws: draws as number, seed, stimuli });
  const note =
    pool < wanted
      ? {
          note: `the pool holds all ${different} stimuli instead of ${wanted}: chance is higher, and scores do not compare with those among ${wanted}`,
        }
      : {};
  return { stimuli: different, pool, k, chance: k / pool, draws: pools.length, ...note, pools };
}

/** Accuracy in each of the pools, and the interval that papers print. */
export function overDraws(
  similarities: CosineSimilarities,
  own: Int32Array,
  direction: RetrievalDirection,
  { pools, k, pool: size, stimuli }: Pick<RetrievalPlan, 'pools' | 'k' | 'pool' | 'stimuli'>,
): DirectionResult['published'] {
  const { values, brains } = similarities;
  const cosine =
    direction === 'imageToBrain'
      ? (query: number, candidate: number) => values[query * brains + own[candidate]!]!
      : (query: number, candidate: number) => values[candidate * brains + own[query]!]!;
  const perDraw = pools.map((pool) => {
    let successes = 0;
    for (const query of pool) {
      const right = cosine(query, query);
      let ahead = 0;
      for (const candidate of pool) if (candidate !== query && cosine(query, candidate) >= right) ahead++;
      if (ahead < k) successes++;
    }
    return successes / pool.length;
  });
  const centre = mean(perDraw);
  const spread = Math.sqrt(mean(perDraw.map((accuracy) => (accuracy - centre) ** 2)));
  const half = (NORMAL_95 * spread) / Math.sqrt(perDraw.length);
  return { mean: centre, interval: size < stimuli ? [centre - half, centre + half] : null, perDraw };
}

/** The 97.5 % quantile of the normal distribution. */
const NORMAL_95 = 1.959963984540054;
