import type { Backend } from '../../../backend.ts';
import type { FittedStep } from '../../../bundle/contents.ts';
import type { MatrixSource, Values } from '../../../data/matrix/matrix.ts';
import type { Tensor } from '../../../tensor.ts';
import type { Numerics, Precision } from '../precision.ts';
import type { AlphaScore } from '../scores.ts';
import type { AlphaSelection } from '../select.ts';
import type { Fold, RidgeForm } from '../types.ts';

/**
 * Voxels as a regression reads them: normalised, averaged over repeats, arranged into training and test rows. Read in
 * blocks of voxels; every step before works voxel by voxel, so that nothing needs all of them at once.
 */
export interface Design {
  readonly train: number;
  readonly test: number;
  readonly voxels: number;
  /**
   * Voxels [from, to): training rows [train, to - from] and test rows [test, to - from], arrays that the caller may give away.
   *
   * @param into arrays that may be filled instead of new ones, where they are long enough (`MatrixSource.read`); `trainOnly`
   *   where nobody looks at the test rows: they may be left out then, as an empty array
   */
  read(
    from: number,
    to: number,
    signal?: AbortSignal,
    into?: DesignInto,
  ): Promise<{ readonly train: Float32Array; readonly test: Float32Array }>;
  /** The rows of a matrix that `read` gives, where they are its values as they stand: a device may read those in place. */
  readonly matrix?: DesignMatrix | undefined;
  /** What was subtracted from and divided each voxel by last, on training rows: what a single trial needs. */
  statistics?(from: number, to: number): { readonly mean: Float32Array; readonly std: Float32Array };
  readonly ledger: readonly FittedStep[];
}

/** How the rows of a design are wanted. */
export interface DesignInto {
  readonly train?: Float32Array | undefined;
  readonly test?: Float32Array | undefined;
  readonly trainOnly?: boolean | undefined;
}

/** A matrix of responses [rows, voxels], and its rows in a design. */
export interface DesignMatrix {
  readonly source: MatrixSource;
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/** What is regressed on a design: rows of a feature file, by the picture of each row of the design. */
export interface DesignTargets {
  readonly source: MatrixSource;
  /** Row of `source` of each training row of the design, [train]. */
  readonly train: Int32Array;
}

/** How the penalties of a set of targets are chosen. */
export interface AlphaChoice {
  readonly grid: readonly number[];
  /** Of the training rows. */
  readonly folds: readonly Fold[];
  readonly score: AlphaScore;
  /** One penalty for each target, or the one with the best mean score for all. */
  readonly perTarget: boolean;
}

/** `refined`: factors in float32, solutions corrected by residuals in float64. */
export type StreamedPrecision = Precision | 'refined';

export interface StreamedRidgeOptions {
  backend: Backend;
  /**
   * One penalty, several (one for each set of targets, say), or a grid to choose from. The precision is chosen for the
   * smallest.
   */
  alpha: number | readonly number[] | AlphaChoice;
  /** Centres voxels and targets on their means over training rows. */
  intercept: boolean;
  /** Equations to solve; by default the smaller ones. Weights of trials come from dual ones. */
  form?: RidgeForm | 'auto' | undefined;
  /** `auto` (the default) takes the cheapest that the condition number allows. */
  precision?: StreamedPrecision | 'auto' | undefined;
  /** Ceiling of resident bytes; blocks of computation do not depend on it, so that results do not either. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: StreamedProgress) => void) | undefined;
}

export type StreamedPhase = 'gram' | 'factor' | 'cross-validate' | 'predict' | 'dual' | 'primal';

export interface StreamedProgress {
  readonly phase: StreamedPhase;
  /** Of `total` voxels (gram), factors, or values of targets. */
  readonly done: number;
  readonly total: number;
  /** Floating-point operations of products, factors and solutions enqueued so far, since the ridge was opened. */
  readonly flops: number;
  /** Seconds so far in which nothing was computed because files were read or written. */
  readonly fileSeconds: number;
}

export interface StreamedNumerics extends Omit<Numerics, 'precision'> {
  readonly precision: StreamedPrecision;
}

/** What is known of a block of targets, each [to - from]; standard deviations have divisor n. */
export interface BlockStatistics {
  /** Of training rows, whether there is an intercept or not. */
  readonly targetMean: Float64Array;
  readonly targetStd: Float64Array;
  /** Of the predictions of training rows, where `trainingStatistics` asks for them. */
  readonly predictionMean?: Float64Array | undefined;
  readonly predictionStd?: Float64Array | undefined;
}

/** Where results go; a `MatrixSink` is one that does without statistics. */
export interface StreamedSink {
  /**
   * One block of columns, by ascending columns: its boundaries depend on neither memory nor threads nor `from`. The block
   * after next is computed when the promise has settled.
   *
   * @param values columns [from, to) of all rows, row-major [rows, to - from], or as `WeightOptions.byTarget` says; the
   *   sink's until the promise settles
   */
  write(from: number, to: number, values: Values, statistics: BlockStatistics): Promise<void>;
}

export interface StreamOptions {
  /** Penalty of each target, or one for all; none below the smallest that the ridge was opened for. */
  alphas: Float64Array | number;
  /** Columns below were written by an earlier run; rounded down to the boundary of a block. */
  from?: number | undefined;
  /** Mean and spread of the predictions of training rows, too: `predict` then solves for every target, which is slow. */
  trainingStatistics?: boolean | undefined;
}

export interface WeightOptions extends StreamOptions {
  /** The sink takes a row for each target, [to - from, rows], as bundles store weights: transposed where they are computed. */
  byTarget?: boolean | undefined;
  /**
   * Takes the predictions of the test rows, [test, targets], from the same pass over the targets; a block of them is written
   * before its weights. They are made of the solution, K_test c: equal to those of `predict` but for rounding.
   */
  predictions?: StreamedSink | undefined;
}

/**
 * What predictions add: means over training rows of all targets, 0 without an intercept; NaN for columns below `from`, which
 * an earlier run knew.
 */
export interface Streamed {
  readonly targetMean: Float64Array;
}

/** One factorised design: many sets of targets are solved and predicted with it. */
export interface StreamedRidge {
  readonly form: RidgeForm;
  readonly numerics: StreamedNumerics;
  readonly warnings: readonly string[];
  /** Chooses alphas for a set of targets by cross-validation; as `alpha` says where no other choice is given. */
  choose(targets: DesignTargets, choice?: AlphaChoice): Promise<AlphaSelection>;
  /** Predictions of the test rows [test, targets] through the small hat matrix K_test (K + alpha I)^-1, without coefficients. */
  predict(targets: DesignTargets, sink: StreamedSink, options: StreamOptions): Promise<Streamed>;
  /** Weights of training rows, [train, targets]: predictions are (x - mean) Xᵀ c + targetMean. */
  dual(targets: DesignTargets, sink: StreamedSink, options: WeightOptions): Promise<Streamed>;
  /** Weights of voxels, [voxels, targets]: reads the design once more for each set of blocks that fits in memory. */
  primal(targets: DesignTargets, sink: StreamedSink, options: WeightOptions): Promise<Streamed>;
  /**
   * The hat matrix of the test rows, transposed, [train, test]: hatᵀ y are the predictions of centred targets y
   * [train, t], so that permuted targets cost one product each. It belongs to the ridge, which may free it when others are
   * asked for, or with `dispose`.
   */
  hat(alpha: number): Promise<Tensor>;
  /**
   * Predictions [test, t] for targets in memory.
   *
   * @param y [train, t] row-major, finite
   */
  predictRows(y: Float32Array | Float64Array, alpha: number): Promise<Values>;
  /** Operations and waits so far. */
  readonly work: { readonly flops: number; readonly fileSeconds: number };
  /** Frees what it holds on the device. */
  dispose(): void;
}
