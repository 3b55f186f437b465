import {
  type Backend,
  type Evaluation,
  evaluate,
  F2iError,
  type MetricResult,
  PUBLISHED_POOL,
  type RetrievalEvaluation,
  type RetrievalMetric,
  type Study,
  takeRows,
} from '@fmri2image/core';
import { type Console, table } from '../console.ts';
import { wordsOf } from '../report/words.ts';
import { CONSTANT, chanceInWords, constantOf } from './baselines.ts';
import { trainingControls } from './controls.ts';
import { decimal, three } from './numbers.ts';
import { RETRIEVAL_HEAD, type Results } from './results.ts';
import { shownStimuli } from './shown.ts';

export interface EvaluateSettings {
  readonly permutations: number;
  readonly seed: number;
  /** Of retrieval, which features alone are scored by: candidates, and how many of the most similar count. */
  readonly pool?: number | undefined;
  readonly top?: number | undefined;
  /** Keep the scores of all rearrangements, for drawing. */
  readonly keepNull?: boolean | undefined;
}

/** An evaluation, and which training picture was nearest to each item (not only to the scored ones). */
export interface ScoredResults extends Evaluation {
  /** Which array each score is of: `tokens`, `retrieval`. */
  readonly arrays: ScoredArrays;
  readonly nearestStimulus?: readonly (number | undefined)[] | undefined;
}

export interface ScoredArrays {
  /** Of identification and correlation. */
  readonly twoWay: string;
  readonly frameCorrelation: string;
  readonly retrieval?: string;
  /** Whether retrieval is by the protocol of MindEye's papers: see `isMindeyeProtocol`. */
  readonly mindeyeProtocol?: boolean;
}

/** How long a response lasts, about: within it, scores of successive frames are not independent. */
const RESPONSE_SECONDS = 20;

/** Scores reconstructions against the study's stimuli, beside their controls. */
export async function evaluateResults(
  study: Study,
  results: Results,
  { permutations, seed, pool, top, keepNull }: EvaluateSettings,
  { backend, signal }: { backend: Backend; signal: AbortSignal },
): Promise<ScoredResults> {
  const { stimuli } = study;
  if (!stimuli)
    throw new F2iError('USAGE', 'without stimuli there is nothing to compare with', { file: study.name });
  const shown = shownStimuli(study, results.items);
  const { filed } = results;
  const shape = stimuli.values.shape.slice(1);
  if (shape.join() !== results.values.shape.slice(1).join()) {
    throw new F2iError('FORMAT', 'reconstructions and stimuli differ in shape', {
      file: `${results.array ?? 'reconstructions'}.npy`,
      expected: `[${shape}] a stimulus (${study.name})`,
      found: `[${results.values.shape.slice(1)}]`,
    });
  }
  const counted = new Set(study.scored);
  const scored = results.items.flatMap((item, i) => (counted.has(item.trials[0]!) ? [i] : []));
  // Looking up training pictures takes all of them in memory.
  const controls = filed ? undefined : await trainingControls(study, results, { backend, signal });
  const evaluation = await evaluate(
    {
      truth: filed?.truth ?? takeRows(stimuli.values, shown),
      reconstructions: filed?.reconstructions ?? results.values,
      embeddings: results.embeddings,
      runs: results.items.map((item) => item.run),
      stimuli: shown,
      scored,
      meanPicture: results.meanPicture,
      nearestTraining: controls?.nearest,
      bestTraining: controls?.best,
      categories: categoriesOf(study, results, scored),
    },
    {
      exchangeability: study.continuous ? 'continuous' : 'trials',
      block: study.continuous ? Math.ceil(RESPONSE_SECONDS / study.tr!) : 1,
      permutations,
      // Runs that were held out in turn trained each other's decoders.
      crossFitted: new Set(results.items.flatMap(({ heldOut }) => heldOut ?? [])).size > 1,
      seed,
      // Pixels are no embedding: nobody retrieves pictures by their cosine.
      retrieval: results.kind === 'features' ? { pool, k: top } : undefined,
      keepNull,
      backend,
      signal,
    },
  );
  const array = results.array ?? 'reconstructions';
  const { retrieval } = evaluation;
  return {
    ...evaluation,
    arrays: {
      twoWay: array,
      frameCorrelation: array,
      ...(retrieval && {
        retrieval: results.embeddings?.array ?? array,
        mindeyeProtocol: isMindeyeProtocol(results, retrieval),
      }),
    },
    nearestStimulus: controls?.nearestStimulus,
  };
}

/**
 * Whether retrieval is what MindEye's papers print: of the retrieval head of their models, repeats averaged as they do,
 * the nearest of 300.
 */
function isMindeyeProtocol(
  { provenance, embeddings, array, run }: Results,
  { pool, k, draws }: RetrievalEvaluation,
): boolean {
  return (
    /^mindeye\d/.test(provenance.decoder) &&
    (embeddings?.array ?? array) === RETRIEVAL_HEAD &&
    run?.repeats === 'published' &&
    pool === PUBLISHED_POOL.pool &&
    draws === PUBLISHED_POOL.draws &&
    k === 1
  );
}

/**
 * Labels of the items' trials, where they are categories: of all scored trials, each stimulus has one, there are
 * several, and some have several stimuli.
 */
function categoriesOf(study: Study, { items }: Results, scored: readonly number[]): string[] | undefined {
  const labels = items.map(({ trials }) => study.trials[trials[0]!]!.label);
  const stimuliOf = new Map<string, Set<number>>();
  const labelOf = new Map<number, string>();
  for (const i of scored) {
    const [label, { stimulus }] = [labels[i], items[i]!];
    if (label === undefined || (labelOf.get(stimulus!) ?? label) !== label) return undefined;
    labelOf.set(stimulus!, label);
    stimuliOf.set(label, (stimuliOf.get(label) ?? new Set()).add(stimulus!));
  }
  const severalStimuli = [...stimuliOf.values()].some((stimuli) => stimuli.size > 1);
  return stimuliOf.size > 1 && severalStimuli ? labels.map((label) => label ?? '') : undefined;
}

/** The metrics of an evaluation, as they are called. */
export function metricsOf(evaluation: Evaluation): { name: string; metric: MetricResult }[] {
  const { twoWay, withinCategory, acrossCategories, frameCorrelation, retrieval } = evaluation;
  return [
    { name: 'two-way identification', metric: twoWay },
    ...(withinCategory ? [{ name: '  within category', metric: withinCategory }] : []),
    ...(acrossCategories ? [{ name: '  across categories', metric: acrossCategories }] : []),
    { name: 'frame correlation', metric: frameCorrelation },
    ...(retrieval
      ? [
          { name: 'retrieval, image to brain', metric: retrieval.imageToBrain },
          { name: 'retrieval, brain to image', metric: retrieval.brainToImage },
        ]
      : []),
  ];
}

/** The scores as people read them. */
export function printEvaluation(
  console: Console,
  evaluation: ScoredResults,
  label = 'score',
  { kind, rows: of }: Pick<Results, 'kind' | 'rows'> = { kind: 'picture' },
): void {
  const { permutation } = evaluation;
  const metrics = metricsOf(evaluation);
  const lookedUp = evaluation.twoWay.nearestTraining !== undefined;
  const rows = [
    [
      '',
      label,
      '95 % interval',
      'chance',
      'constant',
      ...(lookedUp ? ['nearest training'] : []),
      'shuffled',
      'p',
    ],
  ];
  for (const { name, metric } of metrics) {
    const constant = constantOf(metric, evaluation);
    rows.push([
      name,
      three(metric.score),
      `${three(metric.interval[0])} to ${three(metric.interval[1])}`,
      chanceInWords(metric.chance),
      constant === undefined ? 'n/a' : three(constant),
      ...(lookedUp ? [three(metric.nearestTraining!)] : []),
      permutation.reason === undefined ? three(metric.shuffled.mean) : 'n/a',
      metric.p === null ? 'n/a' : decimal(metric.p),
    ]);
  }
  console.print(table(rows));
  const how =
    permutation.exchangeability === 'continuous'
      ? 'circular shifts within runs'
      : `orders ${of?.exchanged ?? 'within runs'}`;
  const widened = permutation.crossFitted ? ', their spread widened as the runs were cross-fitted' : '';
  const { trials, stimuli } = evaluation;
  const what = of === undefined ? 'scored trials' : 'scored test rows';
  const made = of && of.test.trials > of.test.rows ? ` (averages of ${of.test.trials} trials)` : '';
  const scored = `${trials} ${what}${made}${stimuli < trials ? ` of ${stimuli} stimuli` : ''}`;
  const test =
    permutation.reason === undefined
      ? `p from ${permutation.exact ? `all ${permutation.permutations}` : `${permutation.permutations} random`} ${how} (seed ${permutation.seed})${widened}, the smallest possible is ${decimal(permutation.smallestP)}`
      : `no p: ${permutation.reason}`;
  console.print(`${scored}; ${test}`);
  const { meanTraining, unit } = wordsOf({ kind, rows: of });
  if (evaluation.frameCorrelation.meanPicture !== undefined) {
    console.print(
      `constant: a ${CONSTANT}, the ${meanTraining} as the answer to every ${unit}, which takes no brain; correlations have no chance level, it is what they stand beside`,
    );
  }
  if (kind === 'features') console.print(arraysInWords(evaluation.arrays));
  if (evaluation.retrieval) for (const line of retrievalInWords(evaluation)) console.print(line);
  if (permutation.exchangeability === 'continuous')
    console.print('p by circular shifts is approximate in runs of fewer than 50 frames');
}

/** Of which output each score is. */
export function arraysInWords({ twoWay, retrieval }: ScoredArrays): string {
  const first = `identification and correlation are of ${twoWay}.npy`;
  if (retrieval === undefined || retrieval === twoWay)
    return `${first}${retrieval ? ', and so is retrieval' : ''}`;
  return `${first}, retrieval of ${retrieval}.npy`;
}

/** What retrieval compared, what papers print of it, and how fast it was. */
export function retrievalInWords({ retrieval, arrays, trials, stimuli }: ScoredResults): string[] {
  if (!retrieval) return [];
  const { imageToBrain, brainToImage, pool, k, draws, note, seconds } = retrieval;
  // Where each pool holds all stimuli there are no others to be drawn, and nothing that an interval would be of.
  const published = ({ published: { mean, interval } }: RetrievalMetric) =>
    interval ? `${three(mean)} (${three(interval[0])} to ${three(interval[1])})` : three(mean);
  const directions = (figures: (of: RetrievalMetric) => string) =>
    `image to brain ("fwd", "image retrieval" of MindEye)${figures(imageToBrain)}; brain to image ("bwd", "brain retrieval")${figures(brainToImage)}`;
  const overDraws = directions((of) => ` ${published(of)}`);
  const pools = imageToBrain.published.interval
    ? `mean and interval over ${draws} random pools: ${overDraws}`
    : trials === stimuli
      ? `random pools would all be this one: ${directions(() => ' is as above')}`
      : `mean over ${draws} pools of all stimuli, a random trial of each: ${overDraws}`;
  return [
    `retrieval: how often the right one is ${k === 1 ? 'the most similar' : `among the ${k} most similar`} of ${pool} candidates (cosine), expected over all pools of ${stimuli} stimuli; ${Math.round(trials / seconds)} trials per second`,
    ...(note === undefined ? [] : [note]),
    arrays.mindeyeProtocol
      ? `as MindEye prints it over ${draws} random pools: ${overDraws}`
      : `${pools}; not MindEye’s protocol, which is of its retrieval head, the nearest of 300, repeats averaged`,
  ];
}
