import type { Json } from '../../data/json.ts';
import {
  besideScores,
  type FoldProblem,
  type FoldScores,
  fitFolds,
  frameScores,
  meanScores,
  type Regularisation,
  scoreFolds,
} from './choose.ts';
import { fitHrf } from './encoding.ts';
import { CANONICAL_HRF, familyHrf, type Hrf } from './hrf.ts';
import type { HrfChoice } from './hrfSearch.ts';
import type { InversionSettings } from './inversion.ts';
import type { RetinotopicSettings } from './options.ts';

/** What was chosen inside the training volumes, and how, for reports. */
export interface Selection {
  readonly hrf: Hrf;
  readonly regularisation: Regularisation;
  readonly inversion: InversionSettings;
  readonly report: { readonly [key: string]: Json };
  /**
   * Mean frame correlation of what was chosen, in the folds that chose it, and so optimistic: not an estimate of how
   * well unseen runs are decoded. Undefined where nothing was compared.
   */
  readonly score: number | undefined;
}

/** Delays around that of the largest r² which are compared by what they decode, in seconds. */
const DELAYS = [-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75];
/**
 * Delays whose scores lie within so much of the best count, the more the better they are: their mean is taken, which
 * hardly moves where two are nearly as good.
 */
const DELAY_TOLERANCE = 0.02;
/** The middle of a list is left only for so much of a better score: the folds are few, and their scores uncertain. */
const LEAST_GAIN = 0.005;

interface SelectOptions {
  signal: AbortSignal | undefined;
  report: (phase: 'response' | 'regularisation', done: number, total: number) => void;
}

/** Chooses the response function, the baseline of blocks and the regularisation by cross-validation. */
export async function selectSettings(
  given: FoldProblem,
  settings: RetinotopicSettings,
  { signal, report }: SelectOptions,
): Promise<Selection> {
  const start = middleOf(settings);
  report('response', 0, 1);
  const first = await firstResponse(given, settings, signal);
  const baseline = await selectBlockDrift(given, settings, first.hrf, start, signal);
  const { problem } = baseline;
  const response = await selectDelay(
    problem,
    first,
    start,
    (done, total) => report('response', done, total),
    signal,
  );
  const lists = comparedLists(settings);
  const fits = lists.length > 0 ? await fitFolds(problem, response.hrf, { signal }) : [];
  let chosen = start;
  let score = response.score ?? baseline.score;
  const choices: Record<string, Json> = { ...baseline.report };
  for (const [i, names] of lists.entries()) {
    report('regularisation', i, lists.length);
    const candidates = combinations(settings, names, chosen);
    const scores = await scoreFolds(problem, fits, candidates, { signal });
    const current = candidates.findIndex((candidate) =>
      names.every((name) => candidate[name] === chosen[name]),
    );
    const taken = takenOf(scores, current);
    chosen = candidates[taken]!;
    score = frameScores(scores)[taken]!;
    const grid = Object.fromEntries(names.map((name) => [name, [...settings[name]]]));
    choices[names.join(' x ')] = { grid, ...comparison(scores, taken) };
  }
  const compared = Object.keys(choices).length > 0;
  return {
    hrf: response.hrf,
    regularisation: chosen,
    inversion: problem.inversion,
    report: {
      ...response.report,
      ...(compared && { crossValidation: { score: 'frame correlation', meanScore: score!, ...choices } }),
    },
    score,
  };
}

/** The candidate with the best score, if that is better than the current one by more than the folds' uncertainty. */
function takenOf(scores: FoldScores, current: number): number {
  const means = meanScores(scores);
  const best = means.indexOf(Math.max(...means));
  return means[best]! > means[current]! + LEAST_GAIN ? best : current;
}

/**
 * For reports: mean scores over frames, those that the choice is made by (folds weighed), and the taken candidate's in
 * each fold.
 */
function comparison(scores: FoldScores, taken: number) {
  return {
    scores: frameScores(scores).map(rounded),
    weighedScores: meanScores(scores).map(rounded),
    foldScores: scores.table.map((row) => rounded(row[taken]!)),
  };
}

const PENALTIES = ['ridge', 'smoothTime', 'smoothSpace'] as const;
const NOISE = ['noiseCorrelation', 'varianceShrinkage'] as const;
type Setting = keyof Regularisation;

/** Settings that have several values: those of the noise together, then the penalties together. */
function comparedLists(settings: RetinotopicSettings): Setting[][] {
  return [NOISE, PENALTIES]
    .map((names) => names.filter((name) => settings[name].length > 1))
    .filter((names) => names.length > 0);
}

function middleOf(settings: RetinotopicSettings): Regularisation {
  const middle = (values: readonly number[]) => values[Math.floor(values.length / 2)]!;
  return {
    noiseCorrelation: middle(settings.noiseCorrelation),
    varianceShrinkage: middle(settings.varianceShrinkage),
    ridge: middle(settings.ridge),
    smoothTime: middle(settings.smoothTime),
    smoothSpace: middle(settings.smoothSpace),
  };
}

/** All values of some settings, the others as they are. */
function combinations(
  settings: RetinotopicSettings,
  names: readonly Setting[],
  others: Regularisation,
): Regularisation[] {
  let found = [others];
  for (const name of names) {
    found = found.flatMap((candidate) => settings[name].map((value) => ({ ...candidate, [name]: value })));
  }
  return found;
}

interface FirstResponse {
  readonly hrf: Hrf;
  /** Undefined for a response that was stated. */
  readonly fitted?: HrfChoice | undefined;
}

/** The response that was stated, or the one with the largest r². */
async function firstResponse(
  problem: FoldProblem,
  settings: RetinotopicSettings,
  signal: AbortSignal | undefined,
): Promise<FirstResponse> {
  if (settings.hrf === 'canonical') return { hrf: CANONICAL_HRF };
  if (settings.hrf !== 'fitted') return { hrf: settings.hrf };
  const fitted = await fitHrf(problem.data, problem.encoding, { signal });
  return { hrf: fitted.hrf, fitted };
}

/**
 * Where recordings have baselines of their own, that of the training volumes shifts every frame of another one:
 * held-out recordings tell whether a block's own mean (or drift) is better projected out.
 */
async function selectBlockDrift(
  problem: FoldProblem,
  settings: RetinotopicSettings,
  hrf: Hrf,
  start: Regularisation,
  signal: AbortSignal | undefined,
) {
  const grid = settings.blockDrift;
  if (grid.length < 2) return { problem, report: {}, score: undefined };
  const fits = await fitFolds(problem, hrf, { signal });
  const problems = grid.map((blockDrift) => ({
    ...problem,
    inversion: { ...problem.inversion, blockDrift },
  }));
  let all: FoldScores | undefined;
  for (const candidate of problems) {
    const scores = await scoreFolds(candidate, fits, [start], { signal });
    all = all ? besideScores(all, scores) : scores;
  }
  const taken = takenOf(all!, 0);
  const report = { blockDrift: { grid: { blockDrift: [...grid] }, ...comparison(all!, taken) } };
  return { problem: problems[taken]!, report, score: frameScores(all!)[taken]! };
}

interface ResponseChoice {
  readonly hrf: Hrf;
  readonly report: { readonly [key: string]: Json };
  readonly score: number | undefined;
}

/**
 * The delay of a fitted response once more, by cross-validated reconstruction: where the training stimulus moves along
 * an axis in one direction only, r² cannot tell a later response from a shifted field, but a held-out sweep in the
 * other direction can.
 */
async function selectDelay(
  problem: FoldProblem,
  { hrf, fitted: first }: FirstResponse,
  start: Regularisation,
  report: (done: number, total: number) => void,
  signal: AbortSignal | undefined,
): Promise<ResponseChoice> {
  if (!first) return { hrf, report: {}, score: undefined };
  const { peak, width, undershoot } = hrf;
  // Half the steps tell delays apart as well.
  const { inversion } = problem;
  const brief = { ...problem, inversion: { ...inversion, iterations: Math.ceil(inversion.iterations / 2) } };
  let all: FoldScores | undefined;
  for (const [i, delay] of DELAYS.entries()) {
    report(i + 1, DELAYS.length + 1);
    const fits = await fitFolds(problem, familyHrf(peak + delay, width, undershoot), { signal });
    const scores = await scoreFolds(brief, fits, [start], { signal });
    all = all ? besideScores(all, scores) : scores;
  }
  const means = meanScores(all!);
  const most = Math.max(...means);
  const weights = means.map((score) => Math.max(0, score - most + DELAY_TOLERANCE));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const delay = DELAYS.reduce((sum, value, i) => sum + (weights[i]! / total) * value, 0);
  const plain = frameScores(all!);
  return {
    hrf: familyHrf(peak + delay, width, undershoot),
    report: {
      response: {
        candidates: first.candidates,
        meanR2: first.explained,
        peakOfR2: peak,
        delays: [...DELAYS],
        scores: plain.map(rounded),
        weighedScores: means.map(rounded),
        delay,
      },
    },
    score: plain[means.indexOf(most)]!,
  };
}

const rounded = (value: number) => Number(value.toFixed(5));
