import type { Json } from '../../data/json.ts';
import {
  besideScores,
  type FoldProblem,
  type FoldScores,
  fitFolds,
  meanScores,
  type Regularisation,
  scoreFolds,
} from './choose.ts';
import { fitHrf } from './encoding.ts';
import { CANONICAL_HRF, familyHrf, type Hrf } from './hrf.ts';
import type { RetinotopicSettings } from './options.ts';

/** What was chosen inside the training volumes, and how, for reports. */
export interface Selection {
  readonly hrf: Hrf;
  readonly regularisation: Regularisation;
  readonly report: { readonly [key: string]: Json };
  /** Best mean score; undefined where nothing was compared. */
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

/** Chooses the response function and the regularisation by cross-validation. */
export async function selectSettings(
  problem: FoldProblem,
  settings: RetinotopicSettings,
  { signal, report }: SelectOptions,
): Promise<Selection> {
  const start = middleOf(settings);
  report('response', 0, 1);
  const response = await selectResponse(
    problem,
    settings,
    start,
    (done, total) => report('response', done, total),
    signal,
  );
  const lists = comparedLists(settings);
  if (lists.length === 0) {
    return { hrf: response.hrf, regularisation: start, report: response.report, score: response.score };
  }
  const fits = await fitFolds(problem, response.hrf, { signal });
  let chosen = start;
  let score = 0;
  const choices: Record<string, Json> = {};
  for (const [i, names] of lists.entries()) {
    report('regularisation', i, lists.length);
    const candidates = combinations(settings, names, chosen);
    const scores = await scoreFolds(problem, fits, candidates, { signal });
    const means = meanScores(scores);
    const best = means.indexOf(Math.max(...means));
    const current = candidates.findIndex((candidate) =>
      names.every((name) => candidate[name] === chosen[name]),
    );
    const taken = means[best]! > means[current]! + LEAST_GAIN ? best : current;
    chosen = candidates[taken]!;
    score = means[taken]!;
    choices[names.join(' x ')] = {
      grid: Object.fromEntries(names.map((name) => [name, [...settings[name]]])),
      scores: means.map(rounded),
      foldScores: scores.table.map((row) => rounded(row[taken]!)),
    };
  }
  return {
    hrf: response.hrf,
    regularisation: chosen,
    report: {
      ...response.report,
      crossValidation: { score: 'frame correlation', meanScore: score, ...choices },
    },
    score,
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

interface ResponseChoice {
  readonly hrf: Hrf;
  readonly report: { readonly [key: string]: Json };
  readonly score: number | undefined;
}

/**
 * The response with the largest r² first; then its delay, by cross-validated reconstruction: where the training
 * stimulus moves along an axis in one direction only, r² cannot tell a later response from a shifted field, but a
 * held-out sweep in the other direction can.
 */
async function selectResponse(
  problem: FoldProblem,
  settings: RetinotopicSettings,
  start: Regularisation,
  report: (done: number, total: number) => void,
  signal: AbortSignal | undefined,
): Promise<ResponseChoice> {
  const stated = (hrf: Hrf) => ({ hrf, report: {}, score: undefined });
  if (settings.hrf === 'canonical') return stated(CANONICAL_HRF);
  if (settings.hrf !== 'fitted') return stated(settings.hrf);
  const first = await fitHrf(problem.data, problem.encoding, { signal });
  const { peak, width, undershoot } = first.hrf;
  // Half the steps tell delays apart as well.
  const { inversion } = problem;
  const brief = { ...problem, inversion: { ...inversion, iterations: Math.ceil(inversion.iterations / 2) } };
  let all: FoldScores | undefined;
  for (const [i, delay] of DELAYS.entries()) {
    report(i + 1, DELAYS.length + 1);
    const fitted = await fitFolds(problem, familyHrf(peak + delay, width, undershoot), { signal });
    const scores = await scoreFolds(brief, fitted, [start], { signal });
    all = all ? besideScores(all, scores) : scores;
  }
  const means = meanScores(all!);
  const most = Math.max(...means);
  const weights = means.map((score) => Math.max(0, score - most + DELAY_TOLERANCE));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const delay = DELAYS.reduce((sum, value, i) => sum + (weights[i]! / total) * value, 0);
  return {
    hrf: familyHrf(peak + delay, width, undershoot),
    report: {
      response: {
        candidates: first.candidates,
        meanR2: first.explained,
        peakOfR2: peak,
        delays: [...DELAYS],
        scores: means.map(rounded),
        delay,
      },
    },
    score: most,
  };
}

const rounded = (value: number) => Number(value.toFixed(5));
