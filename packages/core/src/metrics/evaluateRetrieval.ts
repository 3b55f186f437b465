import { F2iError } from '../error.ts';
import { type Answers, type Compared, controlAnswers, cosinesOf } from './answers.ts';
import type { EvaluateInput, EvaluateOptions } from './evaluate.ts';
import type { RetrievalEvaluation, RetrievalMetric } from './evaluation.ts';
import { overDraws, retrievalPlan } from './retrieval.ts';
import { type RetrievalDirection, retrievalTable } from './retrievalTable.ts';
import { rowProducts } from './rowProducts.ts';
import { type ComparedRows, comparedExtents } from './rowValues.ts';
import type { Scorer } from './scorer.ts';

/** The trials whose embeddings are compared. */
export interface RetrievedTrials {
  /** True embeddings of the scored trials, [own.length, ...]. */
  readonly truth: ComparedRows;
  readonly own: Int32Array;
  /** Of the scored trials. */
  readonly stimuli: readonly (number | string)[] | undefined;
  /** All trials. */
  readonly count: number;
}

/**
 * Retrieval in both directions, beside the controls of all metrics.
 *
 * @throws INVALID_ARGUMENT for embeddings that do not fit the trials, a pool or a k that is impossible
 */
export async function evaluateRetrieval(
  input: EvaluateInput,
  { truth, own, stimuli, count }: RetrievedTrials,
  scorer: Scorer,
  options: EvaluateOptions,
): Promise<RetrievalEvaluation> {
  const started = performance.now();
  const { reconstructions, embeddings = reconstructions } = input;
  const sides = ['truth', input.embeddings ? 'embeddings' : 'reconstructions'] as const;
  const [found] = comparedExtents(embeddings, sides[1]);
  if (found !== count) {
    throw new F2iError('INVALID_ARGUMENT', 'one embedding for each reconstruction', {
      field: 'embeddings',
      expected: `${count}`,
      found: `${found}`,
    });
  }
  const values = await rowProducts(truth, embeddings, 'cosine', sides, options);
  const given: Answers = { correlations: { values, truths: own.length, reconstructions: count }, own };
  const { seed = 0, retrieval } = options;
  const {
    pools,
    stimuli: different,
    chance,
    ...plan
  } = retrievalPlan(own.length, { ...retrieval, seed, stimuli });
  const tableOf = (direction: RetrievalDirection, answers: Answers) =>
    retrievalTable(cosinesOf(answers), answers.own, direction, plan, stimuli);
  const scored = (direction: RetrievalDirection) => ({
    table: tableOf(direction, given),
    published: overDraws(cosinesOf(given), own, direction, { ...plan, pools, stimuli: different }),
  });
  const directions = { imageToBrain: scored('imageToBrain'), brainToImage: scored('brainToImage') };
  const seconds = (performance.now() - started) / 1e3;
  const controls = await controlAnswers('cosine', truth, input, own, count, options);
  const cosine: Compared = { given, controls };
  const beside = async (direction: RetrievalDirection): Promise<RetrievalMetric> => {
    const { table, published } = directions[direction];
    const tableOfAny = (answers: Answers) => (answers === given ? table : tableOf(direction, answers));
    return { ...(await scorer.score(tableOfAny, chance, cosine)).result, published };
  };
  return {
    imageToBrain: await beside('imageToBrain'),
    brainToImage: await beside('brainToImage'),
    ...plan,
    seconds,
  };
}
