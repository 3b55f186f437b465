import { F2iError } from '../error.ts';
import { type Answers, type Compared, controlAnswers } from './answers.ts';
import { type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
import { evaluateRetrieval } from './evaluateRetrieval.ts';
import type { Evaluation, PartialResult } from './evaluation.ts';
import { type Competitors, identificationByCategory } from './identificationByCategory.ts';
import { scoredTrials } from './pairing.ts';
import type { Exchangeability } from './permutation.ts';
import { pixelCorrelation } from './pixelCorrelation.ts';
import { type ComparedRows, comparedExtents, pickRows } from './rowValues.ts';
import { Scorer } from './scorer.ts';
import { twoWayIdentification } from './twoWayIdentification.ts';

export interface EvaluateInput {
  /** True pictures or features [n, ...], one for each reconstruction. */
  truth: ComparedRows;
  /** [n, ...]; for a continuous stimulus all frames of the scored runs in order, scored or not. */
  reconstructions: ComparedRows;
  /**
   * Embeddings [n, ...] that retrieval compares with the true ones, where a model has a head of its own for it; the
   * reconstructions when absent.
   */
  embeddings?: ComparedRows | undefined;
  /** Run (or sweep) of each. */
  runs?: ArrayLike<string | number> | undefined;
  /**
   * Identity of the stimulus of each, where some were shown several times: repeats of a stimulus do not compete in
   * identification. All different when absent.
   */
  stimuli?: ArrayLike<number | string> | undefined;
  /** Trials that count, as indices; all when absent. */
  scored?: ArrayLike<number> | undefined;
  /** Mean training picture [1, ...], or one for each trial [n, ...] where folds had different training sets. */
  meanPicture?: ComparedRows | undefined;
  /** The training picture nearest to each reconstruction, [n, ...]: see `nearestPictures`. */
  nearestTraining?: ComparedRows | undefined;
  /** The training picture nearest to each true picture, [n, ...]. */
  bestTraining?: ComparedRows | undefined;
  /** Category of each, for identification within and across categories; not scored when absent. */
  categories?: ArrayLike<string> | undefined;
}

export interface EvaluateOptions extends CorrelationOptions {
  exchangeability: Exchangeability;
  permutations?: number | undefined;
  /** Was each run predicted by a decoder fitted to the others? See `permutationTest`. */
  crossFitted?: boolean | undefined;
  seed?: number | undefined;
  /** Successive trials that a bootstrap draw takes together: see `bootstrapInterval`. */
  block?: number | undefined;
  /**
   * Also score retrieval in both directions, for embeddings: candidates of a pool (300) and how many of the most
   * similar count (1). See `retrieval`.
   */
  retrieval?: { pool?: number | undefined; k?: number | undefined } | undefined;
  /** Keep the scores of all rearrangements, `MetricResult.null`. */
  keepNull?: boolean | undefined;
}

/**
 * Frames that a bootstrap draw takes together where the stimulus is continuous and nothing is said: a response of
 * about 20 s, in volumes of 2.5 s.
 */
const CONTINUOUS_BLOCK = 8;

/** Two alternatives; and no correlation. */
export const CHANCE = { twoWay: 0.5, frameCorrelation: 0 } as const;

/**
 * Scores reconstructions beside chance, the mean training picture, and rearranged trials. One correlation matrix
 * serves the scores and all permutations.
 *
 * @throws INVALID_ARGUMENT for counts that do not fit and impossible options; CANCELLED
 */
export async function evaluate(input: EvaluateInput, options: EvaluateOptions): Promise<Evaluation> {
  const { reconstructions, runs } = input;
  const { exchangeability, permutations, seed = 0, crossFitted = false, keepNull = false, signal } = options;
  const { block = exchangeability === 'continuous' ? CONTINUOUS_BLOCK : 1 } = options;
  const count = checkedCount(input);
  const own = scoredTrials(input.scored, count);
  const stimuli = input.stimuli && Array.from(own, (trial) => input.stimuli![trial]!);
  const truth = pickRows(input.truth, own);
  const pearson: Compared = {
    given: { correlations: await correlationMatrix(truth, reconstructions, options), own },
    controls: await controlAnswers('pearson', truth, input, own, count, options),
  };
  const shared = { exchangeability, permutations, seed, crossFitted, block, keepNull, signal };
  const scorer = new Scorer({ own, stimuli: input.stimuli, runs, ...shared }, count);

  const within = await identifiedBy('within', input, stimuli, pearson, scorer);
  const across = await identifiedBy('across', input, stimuli, pearson, scorer);
  const { result: twoWay, test } = await scorer.score(
    (answers) => twoWayIdentification(answers.correlations, answers.own, 'reconstruction', stimuli),
    CHANCE.twoWay,
    pearson,
  );
  const { result: frameCorrelation } = await scorer.score(
    (answers) => pixelCorrelation(answers.correlations, answers.own),
    CHANCE.frameCorrelation,
    pearson,
  );
  const retrieval =
    options.retrieval && (await evaluateRetrieval(input, { truth, own, stimuli, count }, scorer, options));
  return {
    trials: own.length,
    stimuli: stimuli ? new Set(stimuli).size : own.length,
    scored: [...own],
    twoWay,
    frameCorrelation,
    ...(within && { withinCategory: within }),
    ...(across && { acrossCategories: across }),
    ...(retrieval && { retrieval }),
    bootstrap: scorer.bootstrap,
    // The same rearrangements serve all metrics.
    permutation: {
      exchangeability,
      permutations: test.null.length,
      exact: test.exact,
      smallestP: test.smallestP,
      crossFitted,
      ...(test.p === undefined && { reason: 'no run has two trials to exchange' }),
      seed,
    },
  };
}

/** Number of reconstructions, each with its truth. */
function checkedCount({ truth, reconstructions, stimuli }: EvaluateInput): number {
  const [count] = comparedExtents(reconstructions, 'reconstructions');
  const [truths] = comparedExtents(truth, 'truth');
  if (count !== truths) {
    throw new F2iError('INVALID_ARGUMENT', 'each reconstruction needs its true picture', {
      field: 'truth',
      expected: `${count}`,
      found: `${truths}`,
    });
  }
  if (stimuli && stimuli.length !== count) {
    throw new F2iError('INVALID_ARGUMENT', 'one stimulus for each reconstruction', {
      field: 'stimuli',
      expected: `${count}`,
      found: `${stimuli.length}`,
    });
  }
  return count;
}

/** Two-way identification among some competitors, of those trials that have any. */
async function identifiedBy(
  competitors: Competitors,
  { categories }: EvaluateInput,
  stimuli: readonly (number | string)[] | undefined,
  pearson: Compared,
  scorer: Scorer,
): Promise<PartialResult | undefined> {
  if (!categories) return undefined;
  const { own } = pearson.given;
  const categoryOf = Array.from(own, (trial) => categories[trial]!);
  const tableOf = (answers: Answers) =>
    identificationByCategory(answers.correlations, answers.own, competitors, categoryOf, stimuli);
  const rows = tableOf(pearson.given)?.rows;
  if (!rows) return undefined;
  const { result } = await scorer.score((answers) => tableOf(answers)!.table, CHANCE.twoWay, pearson);
  return { ...result, scored: Array.from(rows, (row) => own[row]!) };
}
