import { F2iError } from '../error.ts';
import { bootstrapInterval, quantile } from './bootstrap.ts';
import { type CorrelationMatrix, type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
import type { CosineSimilarities } from './cosineSimilarity.ts';
import type {
  Evaluation,
  MetricResult,
  PartialResult,
  RetrievalEvaluation,
  RetrievalMetric,
} from './evaluation.ts';
import { type Competitors, identificationByCategory } from './identificationByCategory.ts';
import { mean, ownScores, type ScoreTable, scoredTrials } from './pairing.ts';
import { type Exchangeability, type PermutationResult, permutationTest } from './permutation.ts';
import { pixelCorrelation } from './pixelCorrelation.ts';
import { overDraws, retrievalPlan } from './retrieval.ts';
import { type RetrievalDirection, retrievalTable } from './retrievalTable.ts';
import { rowProducts, type Similarity } from './rowProducts.ts';
import { type ComparedRows, comparedExtents, pickRows } from './rowValues.ts';
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
 */
export async function evaluate(input: EvaluateInput, options: EvaluateOptions): Promise<Evaluation> {
  const { truth, reconstructions, runs } = input;
  const { exchangeability, permutations, seed = 0, crossFitted = false, signal } = options;
  const { block = exchangeability === 'continuous' ? CONTINUOUS_BLOCK : 1 } = options;
  const [n] = comparedExtents(reconstructions, 'reconstructions');
  const [m] = comparedExtents(truth, 'truth');
  if (n !== m) {
    throw new F2iError('INVALID_ARGUMENT', 'each reconstruction needs its true picture', {
      field: 'truth',
      expected: `${n}`,
      found: `${m}`,
    });
  }
  if (input.stimuli && input.stimuli.length !== n) {
    throw new F2iError('INVALID_ARGUMENT', 'one stimulus for each reconstruction', {
      field: 'stimuli',
      expected: `${n}`,
      found: `${input.stimuli.length}`,
    });
  }
  const own = scoredTrials(input.scored, n);
  const stimuli = input.stimuli && Array.from(own, (trial) => input.stimuli![trial]!);
  const scoredTruth = pickRows(truth, own);
  const correlations = await correlationMatrix(scoredTruth, reconstructions, options);
  const categories = input.categories && Array.from(own, (trial) => input.categories![trial]!);
  const pearson: Compared = {
    given: { correlations, own },
    controls: await controlAnswers('pearson', scoredTruth, input, own, n, options),
  };
  const columnsOfRun = columnsByRun(runs, n);

  // Presentations of a picture succeed and fail together; of continuous stimuli, frames that follow each other.
  const repeated = block === 1 && stimuli !== undefined && new Set(stimuli).size < own.length;
  const over = repeated ? 'stimuli' : 'trials';
  const bootstrap = { level: 0.95, resamples: 2000, block };
  let test: PermutationResult | undefined;
  /** `tableOf` makes the metric's table of any answers to the scored trials. */
  const metric = async (
    tableOf: (answers: Answers) => ScoreTable,
    chance: number,
    { given, controls: answers }: Compared = pearson,
  ): Promise<MetricResult> => {
    const table = tableOf(given);
    const perTrial = [...ownScores(table)];
    const control = (name: ControlName) => {
      const given = answers[name];
      return given && [...ownScores(tableOf(given))];
    };
    const controls = {
      meanPicture: control('meanPicture'),
      nearestTraining: control('nearestTraining'),
      bestTraining: control('bestTraining'),
      shuffled: meansOfRuns(table, columnsOfRun),
    };
    test = await permutationTest(table, { exchangeability, runs, permutations, crossFitted, seed, signal });
    const sorted = test.null.slice().sort();
    return {
      score: mean(perTrial),
      interval: bootstrapInterval(perTrial, {
        ...bootstrap,
        seed,
        together: repeated ? Array.from(table.own, (trial) => input.stimuli![trial]!) : undefined,
      }),
      chance,
      meanPicture: controls.meanPicture && mean(controls.meanPicture),
      nearestTraining: controls.nearestTraining && mean(controls.nearestTraining),
      bestTraining: controls.bestTraining && mean(controls.bestTraining),
      shuffled: { mean: mean(sorted), p95: quantile(sorted, 0.95) },
      ...(options.keepNull && { null: [...test.null] }),
      p: test.p ?? null,
      perTrial,
      controls,
    };
  };
  const byCategory = async (competitors: Competitors): Promise<PartialResult | undefined> => {
    const tableOf = (answers: Answers) =>
      identificationByCategory(answers.correlations, answers.own, competitors, categories!, stimuli);
    const rows = categories && tableOf({ correlations, own })?.rows;
    if (!rows) return undefined;
    const result = await metric((answers) => tableOf(answers)!.table, CHANCE.twoWay);
    return { ...result, scored: Array.from(rows, (row) => own[row]!) };
  };
  const byRetrieval = async (
    asked: NonNullable<EvaluateOptions['retrieval']>,
  ): Promise<RetrievalEvaluation> => {
    const started = performance.now();
    const { embeddings = reconstructions } = input;
    const sides = ['truth', input.embeddings ? 'embeddings' : 'reconstructions'] as const;
    const [count] = comparedExtents(embeddings, sides[1]);
    if (count !== n) {
      throw new F2iError('INVALID_ARGUMENT', 'one embedding for each reconstruction', {
        field: 'embeddings',
        expected: `${n}`,
        found: `${count}`,
      });
    }
    const values = await rowProducts(scoredTruth, embeddings, 'cosine', sides, options);
    const given: Answers = { correlations: { ...correlations, values }, own };
    const {
      pools,
      stimuli: different,
      chance,
      ...plan
    } = retrievalPlan(own.length, { ...asked, seed, stimuli });
    const tableOf = (direction: RetrievalDirection, answers: Answers) =>
      retrievalTable(cosinesOf(answers), answers.own, direction, plan, stimuli);
    const scored = (direction: RetrievalDirection) => ({
      table: tableOf(direction, given),
      published: overDraws(cosinesOf(given), own, direction, { ...plan, pools, stimuli: different }),
    });
    const directions = { imageToBrain: scored('imageToBrain'), brainToImage: scored('brainToImage') };
    const seconds = (performance.now() - started) / 1e3;
    const cosine: Compared = {
      given,
      controls: await controlAnswers('cosine', scoredTruth, input, own, n, options),
    };
    const beside = async (direction: RetrievalDirection): Promise<RetrievalMetric> => {
      const { table, published } = directions[direction];
      const tableOfAny = (answers: Answers) => (answers === given ? table : tableOf(direction, answers));
      return { ...(await metric(tableOfAny, chance, cosine)), published };
    };
    return {
      imageToBrain: await beside('imageToBrain'),
      brainToImage: await beside('brainToImage'),
      ...plan,
      seconds,
    };
  };
  const within = await byCategory('within');
  const across = await byCategory('across');
  const twoWay = await metric(
    ({ correlations, own }) => twoWayIdentification(correlations, own, 'reconstruction', stimuli),
    CHANCE.twoWay,
  );
  const frameCorrelation = await metric(
    ({ correlations, own }) => pixelCorrelation(correlations, own),
    CHANCE.frameCorrelation,
  );
  const retrieval = options.retrieval && (await byRetrieval(options.retrieval));
  const { exact, smallestP } = test!;
  const reason = test!.p === undefined ? { reason: 'no run has two trials to exchange' } : {};
  return {
    trials: own.length,
    stimuli: stimuli ? new Set(stimuli).size : own.length,
    scored: [...own],
    twoWay,
    frameCorrelation,
    ...(within && { withinCategory: within }),
    ...(across && { acrossCategories: across }),
    ...(retrieval && { retrieval }),
    bootstrap: { ...bootstrap, over },
    permutation: {
      exchangeability,
      permutations: test!.null.length,
      exact,
      smallestP,
      crossFitted,
      ...reason,
      seed,
    },
  };
}

/** Correlations of the scored truths with some answers, and which answer is whose. */
interface Answers {
  readonly correlations: CorrelationMatrix;
  readonly own: Int32Array;
}

const CONTROLS = ['meanPicture', 'nearestTraining', 'bestTraining'] as const;
type ControlName = (typeof CONTROLS)[number];

/** The reconstructions, and what stands in their place, by one similarity. */
interface Compared {
  readonly given: Answers;
  readonly controls: { readonly [name in ControlName]?: Answers };
}

const cosinesOf = ({ correlations: { values, truths, reconstructions } }: Answers): CosineSimilarities => ({
  values,
  images: truths,
  brains: reconstructions,
});

/** What stands in place of every reconstruction. */
async function controlAnswers(
  similarity: Similarity,
  scoredTruth: ComparedRows,
  input: EvaluateInput,
  own: Int32Array,
  trials: number,
  options: CorrelationOptions,
): Promise<{ [name in ControlName]?: Answers }> {
  const answers: { [name in ControlName]?: Answers } = {};
  for (const name of CONTROLS) {
    const pictures = input[name];
    if (!pictures) continue;
    const [count] = comparedExtents(pictures, name);
    if (count !== trials && !(count === 1 && name === 'meanPicture')) {
      throw new F2iError('INVALID_ARGUMENT', 'pictures of a control do not fit the trials', {
        field: name,
        expected: name === 'meanPicture' ? `1 or ${trials}` : `${trials}`,
        found: `${count}`,
      });
    }
    const values = await rowProducts(scoredTruth, pictures, similarity, ['truth', name], options);
    const correlations = { values, truths: own.length, reconstructions: count };
    answers[name] = { correlations, own: count === 1 ? own.map(() => 0) : own };
  }
  return answers;
}

/** For each reconstruction, those of its run. */
function columnsByRun(runs: EvaluateInput['runs'], trials: number): readonly (readonly number[])[] {
  const groups = new Map<string | number, number[]>();
  for (let c = 0; c < trials; c++) {
    const run = runs?.[c] ?? 0;
    const group = groups.get(run);
    if (group) group.push(c);
    else groups.set(run, [c]);
  }
  return Array.from({ length: trials }, (_, c) => groups.get(runs?.[c] ?? 0)!);
}

/** Each rearrangement is as likely to give a trial any reconstruction of its run. */
function meansOfRuns(
  { values, own, reconstructions }: ScoreTable,
  columnsOfRun: readonly (readonly number[])[],
): number[] {
  return Array.from(own, (column, row) =>
    mean(columnsOfRun[column]!.map((c) => values[row * reconstructions + c]!)),
  );
}
