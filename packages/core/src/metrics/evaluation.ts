import type { Exchangeability } from './permutation.ts';
import type { DirectionResult, Retrieval } from './retrieval.ts';
import type { RetrievalDirection } from './retrievalTable.ts';

/** Of each scored trial, in the order of `perTrial`, what the controls score in its place. */
export interface ControlScores {
  readonly meanPicture?: readonly number[] | undefined;
  readonly nearestTraining?: readonly number[] | undefined;
  readonly bestTraining?: readonly number[] | undefined;
  /** Mean over the reconstructions of its run, its own among them: what a random one of them scores. */
  readonly shuffled: readonly number[];
}

export interface MetricResult {
  readonly score: number;
  /** 95 % bootstrap interval of the score over trials. */
  readonly interval: readonly [number, number];
  /** What guessing gives. */
  readonly chance: number;
  /** The same metric on the mean training picture: what no brain at all gives. */
  readonly meanPicture: number | undefined;
  /** With each reconstruction replaced by the training picture nearest to it: what a look-up would score. */
  readonly nearestTraining?: number | undefined;
  /** With the training picture nearest to each true picture: the most that choosing among them could score. */
  readonly bestTraining?: number | undefined;
  /** The same metric on rearranged trials: their mean, and the score that 5 % of them exceed. */
  readonly shuffled: { readonly mean: number; readonly p95: number };
  /** Scores of all rearrangements, with `keepNull`. */
  readonly null?: readonly number[];
  /** Null where nothing could be rearranged: `permutation.reason` says why. */
  readonly p: number | null;
  readonly perTrial: readonly number[];
  readonly controls: ControlScores;
}

/** A metric of those scored trials that have competitors in its sense. */
export interface PartialResult extends MetricResult {
  /** Indices of the trials, in the order of `perTrial`. */
  readonly scored: readonly number[];
}

/** A direction of retrieval, its score the expectation over all pools; and what papers print of it. */
export type RetrievalMetric = MetricResult & Pick<DirectionResult, 'published'>;

/** See `Retrieval`, whose names these are. */
export interface RetrievalEvaluation
  extends Omit<Retrieval, RetrievalDirection | 'trials' | 'stimuli' | 'chance'> {
  readonly imageToBrain: RetrievalMetric;
  readonly brainToImage: RetrievalMetric;
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
  /** Identification against pictures of the same category alone, where categories are known. */
  readonly withinCategory?: PartialResult;
  /** Against pictures of other categories alone. */
  readonly acrossCategories?: PartialResult;
  /** Retrieval among embeddings, where it was asked for. */
  readonly retrieval?: RetrievalEvaluation;
  /** How `interval`s were drawn. */
  readonly bootstrap: {
    readonly level: number;
    readonly resamples: number;
    readonly block: number;
    /** What was drawn: trials (or blocks of them), or stimuli with all their presentations. */
    readonly over: 'trials' | 'stimuli';
  };
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
