import type { Backend } from '../../../backend.ts';
import type { FittedStep } from '../../../bundle/contents.ts';
import type { MatrixSink, MatrixSource } from '../../../data/matrix/matrix.ts';
import type { Numerics, Precision } from '../precision.ts';
import type { AlphaScore } from '../scores.ts';
import type { AlphaSelection } from '../select.ts';
import type { Fold } from '../types.ts';

/**
 * Voxels as a regression reads them: normalised, averaged over repeats, arranged into training and test rows. Read in
 * blocks of voxels; every step before works voxel by voxel, so that nothing needs all of them at once.
 */
export interface Design {
  readonly train: number;
  readonly test: number;
  readonly voxels: number;
  /** Voxels [from, to): training rows [train, to - from] and test rows [test, to - from], new arrays. */
  read(
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<{ readonly train: Float32Array; readonly test: Float32Array }>;
  /** What was subtracted from and divided each voxel by last, on training rows: what a single trial needs. */
  statistics?(from: number, to: number): { readonly mean: Float32Array; readonly std: Float32Array };
  readonly ledger: readonly FittedStep[];
}

/** What is regressed on a design: rows of a feature file, by the picture of each row of the design. */
export interface DesignTargets {
  readonly source: MatrixSource;
  /** Row of `source` of each training row of the design, [train]. */
  readonly train: Int32Array;
}

export interface StreamedRidgeOptions {
  backend: Backend;
  /** One penalty for all targets, or a grid to choose from. */
  alpha: number | { grid: readonly number[]; folds: readonly Fold[]; score: AlphaScore; perTarget: boolean };
  intercept: boolean;
  /**
   * `refined`: factors in float32, corrected by residuals in float64 until they no longer shrink; `auto` takes the
   * cheapest that the condition number allows.
   */
  precision?: Precision | 'refined' | 'auto' | undefined;
  /** Ceiling of resident bytes; blocks of computation do not depend on it, so that results do not either. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: StreamedProgress) => void) | undefined;
}

export interface StreamedProgress {
  readonly phase: 'gram' | 'factor' | 'cross-validate' | 'solve' | 'predict';
  readonly done: number;
  readonly total: number;
  /** Floating-point operations executed so far, and seconds spent on files: for honest rates. */
  readonly flops: number;
  readonly fileSeconds: number;
}

/** One factorised design: many sets of targets are solved and predicted with it. */
export interface StreamedRidge {
  readonly numerics: Numerics;
  readonly warnings: readonly string[];
  /** Chosen alphas by set of targets, after `choose`. */
  choose(targets: DesignTargets): Promise<AlphaSelection>;
  /**
   * Predictions of the test rows through the small hat matrix K_test (K + alpha I)^-1, without coefficients. Columns
   * below `from` were written by an earlier run.
   */
  predict(
    targets: DesignTargets,
    sink: MatrixSink,
    options: { alphas: Float64Array | number; from?: number | undefined },
  ): Promise<{ readonly targetMean: Float64Array }>;
  /** Weights of training rows, [train, targets], by blocks of targets. */
  dual(
    targets: DesignTargets,
    sink: MatrixSink,
    options: { alphas: Float64Array | number; from?: number | undefined },
  ): Promise<{ readonly targetMean: Float64Array }>;
  /** Weights of voxels, [voxels, targets]: reads the design once more for each set of blocks that fits in memory. */
  primal(
    targets: DesignTargets,
    sink: MatrixSink,
    options: { alphas: Float64Array | number; from?: number | undefined },
  ): Promise<{ readonly targetMean: Float64Array }>;
  dispose(): void;
}
