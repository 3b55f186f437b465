import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';
import { bootstrapInterval, quantile } from './bootstrap.ts';
import { type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
import { mean, ownScores, type ScoreTable, scoredTrials } from './pairing.ts';
import { type Exchangeability, type PermutationResult, permutationTest } from './permutation.ts';
import { pixelCorrelation } from './pixelCorrelation.ts';
import { twoWayIdentification } from './twoWayIdentification.ts';

export interface EvaluateInput {
  /** True pictures or features [n, ...], one for each reconstruction. */
  truth: Rows;
  /** [n, ...]; for a continuous stimulus all frames of the scored runs in order, scored or not. */
  reconstructions: Rows;
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
  meanPicture?: Rows | undefined;
}

export interface EvaluateOptions extends CorrelationOptions {
  exchangeability: Exchangeability;
  permutations?: number | undefined;
  /** Was each run predicted by a decoder fitted to the others? See `permutationTest`. */
  crossFitted?: boolean | undefined;
  seed?: number | undefined;
  /** Successive trials that a bootstrap draw takes together: see `bootstrapInterval`. */
  block?: number | undefined;
}

export interface MetricResult {
  readonly score: number;
  /** 95 % bootstrap interval of the score over trials. */
  readonly interval: readonly [number, number];
  /** What guessing gives. */
  readonly chance: number;
  /** The same metric on the mean training picture: what no brain at all gives. */
  readonly meanPicture: number | undefined;
  /** The same metric on rearranged trials: their mean, and the score that 5 % of them exceed. */
  readonly shuffled: { readonly mean: number; readonly p95: number };
  /** Null where nothing could be rearranged: `permutation.reason` says why. */
  readonly p: number | null;
  readonly perTrial: readonly number[];
}

/** Everything that is said of a set of reconstructions: plain values, ready for JSON. */
export interface Evaluation {
  readonly trials: number;
  /** Different stimuli among the scored trials. */
  readonly stimuli: number;
  /** Indices of the scored trials, in the order of `perTrial`. */
  readonly scored: readonly number[];
  readonly twoWay: MetricResult;
  readonly frameCorrelation: MetricResult;
  /** How `interval`s were drawn. */
  readonly bootstrap: { readonly level: number; readonly resamples: number; readonly block: number };
  readonly permutation: {
    readonly exchangeability: Exchangeability;
    /** Rearrangements computed. */
    readonly permutations: number;
    readonly exact: boolean;
    readonly smallestP: number;
    readonly crossFitted: boolean;
    /** Why there is no p. */
    readonly reason?: string;
    readonly seed: number;
  };
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
  const [n] = rowExtents(reconstructions, 'reconstructions');
  const [m] = rowExtents(truth, 'truth');
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
  const scoredTruth = takeRows(truth, own);
  const correlations = await correlationMatrix(scoredTruth, reconstructions, options);
  const control =
    input.meanPicture && (await meanPictureTables(scoredTruth, input.meanPicture, own, n, stimuli, options));

  const bootstrap = { level: 0.95, resamples: 2000, block };
  let test: PermutationResult | undefined;
  const metric = async (
    table: ScoreTable,
    controlTable: ScoreTable | undefined,
    chance: number,
  ): Promise<MetricResult> => {
    const perTrial = ownScores(table);
    test = await permutationTest(table, { exchangeability, runs, permutations, crossFitted, seed, signal });
    const sorted = test.null.slice().sort();
    return {
      score: mean(perTrial),
      interval: bootstrapInterval(perTrial, { ...bootstrap, seed }),
      chance,
      meanPicture: controlTable && mean(ownScores(controlTable)),
      shuffled: { mean: mean(sorted), p95: quantile(sorted, 0.95) },
      p: test.p ?? null,
      perTrial: [...perTrial],
    };
  };
  const twoWay = await metric(
    twoWayIdentification(correlations, own, 'reconstruction', stimuli),
    control?.twoWay,
    CHANCE.twoWay,
  );
  const frameCorrelation = await metric(
    pixelCorrelation(correlations, own),
    control?.frameCorrelation,
    CHANCE.frameCorrelation,
  );
  const { exact, smallestP } = test!;
  const reason = test!.p === undefined ? { reason: 'no run has two trials to exchange' } : {};
  return {
    trials: own.length,
    stimuli: stimuli ? new Set(stimuli).size : own.length,
    scored: [...own],
    twoWay,
    frameCorrelation,
    bootstrap,
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

/** The metrics' tables with the mean picture in place of every reconstruction. */
async function meanPictureTables(
  scoredTruth: Rows,
  picture: Rows,
  own: Int32Array,
  trials: number,
  stimuli: readonly (number | string)[] | undefined,
  options: CorrelationOptions,
): Promise<{ twoWay: ScoreTable; frameCorrelation: ScoreTable }> {
  const [count] = rowExtents(picture, 'meanPicture');
  if (count !== 1 && count !== trials) {
    throw new F2iError('INVALID_ARGUMENT', 'mean training pictures do not fit the trials', {
      field: 'meanPicture',
      expected: `1 or ${trials}`,
      found: `${count}`,
    });
  }
  const correlations = await correlationMatrix(scoredTruth, picture, options);
  const columns = count === 1 ? own.map(() => 0) : own;
  return {
    twoWay: twoWayIdentification(correlations, columns, 'reconstruction', stimuli),
    frameCorrelation: pixelCorrelation(correlations, columns),
  };
}

function takeRows({ data, shape }: Rows, rows: Int32Array): Rows {
  const length = data.length / shape[0]!;
  const taken = new Float64Array(rows.length * length);
  rows.forEach((row, i) => {
    taken.set(data.subarray(row * length, (row + 1) * length), i * length);
  });
  return { data: taken, shape: [rows.length, ...shape.slice(1)] };
}
