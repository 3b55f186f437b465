import { placesBy } from '../grouped.ts';
import type { Answers, Compared, ControlName } from './answers.ts';
import { bootstrapInterval, quantile } from './bootstrap.ts';
import type { MetricResult } from './evaluation.ts';
import { mean, ownScores, type ScoreTable } from './pairing.ts';
import { type Exchangeability, type PermutationResult, permutationTest } from './permutation.ts';

/** What all metrics of an evaluation share: which trials count, and how they are drawn again and rearranged. */
export interface ScoredTrials {
  readonly own: Int32Array;
  /** Of all trials. */
  readonly stimuli: ArrayLike<number | string> | undefined;
  readonly runs: ArrayLike<number | string> | undefined;
  readonly exchangeability: Exchangeability;
  readonly permutations: number | undefined;
  readonly crossFitted: boolean;
  readonly seed: number;
  /** Successive trials that a bootstrap draw takes together. */
  readonly block: number;
  readonly keepNull: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface ScoredMetric {
  readonly result: MetricResult;
  readonly test: PermutationResult;
}

/** Makes results of metrics: each with its interval, its controls, and the scores of rearranged trials. */
export class Scorer {
  readonly #trials: ScoredTrials;
  readonly #columnsOfRun: readonly (readonly number[])[];
  /** How intervals are drawn, as the evaluation says it. */
  readonly bootstrap: {
    readonly level: number;
    readonly resamples: number;
    readonly block: number;
    readonly over: 'stimuli' | 'trials';
  };

  /** @param count of all trials */
  constructor(trials: ScoredTrials, count: number) {
    const { own, stimuli, runs, block } = trials;
    this.#trials = trials;
    this.#columnsOfRun = columnsByRun(runs, count);
    const shown = stimuli && new Set(Array.from(own, (trial) => stimuli[trial]!)).size;
    // Presentations of a picture succeed and fail together; of continuous stimuli, frames that follow each other.
    const over = block === 1 && shown !== undefined && shown < own.length ? 'stimuli' : 'trials';
    this.bootstrap = { level: 0.95, resamples: 2000, block, over };
  }

  /** @param tableOf makes the table of the metric of any answers to the scored trials */
  async score(
    tableOf: (answers: Answers) => ScoreTable,
    chance: number,
    { given, controls: answers }: Compared,
  ): Promise<ScoredMetric> {
    const { stimuli, runs, exchangeability, permutations, crossFitted, seed, keepNull, signal } =
      this.#trials;
    const { over, ...bootstrap } = this.bootstrap;
    const table = tableOf(given);
    const perTrial = [...ownScores(table)];
    const control = (name: ControlName) => {
      const instead = answers[name];
      return instead && [...ownScores(tableOf(instead))];
    };
    const controls = {
      meanPicture: control('meanPicture'),
      nearestTraining: control('nearestTraining'),
      bestTraining: control('bestTraining'),
      shuffled: meansOfRuns(table, this.#columnsOfRun),
    };
    const test = await permutationTest(table, {
      exchangeability,
      runs,
      permutations,
      crossFitted,
      seed,
      signal,
    });
    const sorted = test.null.slice().sort();
    const together = over === 'stimuli' ? Array.from(table.own, (trial) => stimuli![trial]!) : undefined;
    const result: MetricResult = {
      score: mean(perTrial),
      interval: bootstrapInterval(perTrial, { ...bootstrap, seed, together }),
      chance,
      meanPicture: controls.meanPicture && mean(controls.meanPicture),
      nearestTraining: controls.nearestTraining && mean(controls.nearestTraining),
      bestTraining: controls.bestTraining && mean(controls.bestTraining),
      shuffled: { mean: mean(sorted), p95: quantile(sorted, 0.95) },
      ...(keepNull && { null: [...test.null] }),
      p: test.p ?? null,
      perTrial,
      controls,
    };
    return { result, test };
  }
}

/** For each reconstruction, those of its run. */
function columnsByRun(runs: ScoredTrials['runs'], trials: number): readonly (readonly number[])[] {
  const runOf = (c: number) => runs?.[c] ?? 0;
  const columns = placesBy(trials, runOf);
  return Array.from({ length: trials }, (_, c) => columns.get(runOf(c))!);
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
