import type { Backend } from '../../backend.ts';
import type { Precision } from '../../decoders/ridge/precision.ts';

export interface WeightIntervalOptions {
  backend: Backend;
  /** Targets, as indices: each has intervals of its own. */
  targets: readonly number[];
  /** What is drawn together: run (session) of each training row. Each row by itself when absent. */
  groups?: ArrayLike<string | number> | undefined;
  /** Bootstrap draws; 1000 by default. */
  draws?: number | undefined;
  seed?: number | undefined;
  /** .95 by default. */
  level?: number | undefined;
  precision?: Precision | undefined;
  /** Ceiling of what intervals take, in bytes, on the device and beside it; none by default. Draws are held in blocks. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Confidence intervals of the weights of one target, one value a voxel each: summed over lags. */
export interface TargetIntervals {
  readonly target: number;
  /** The weights themselves. */
  readonly weights: Float32Array;
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly standardError: Float32Array;
}

/** Intervals of weight maps, and how they were made. */
export interface WeightIntervals {
  /** In the order in which they were asked for. */
  readonly targets: readonly TargetIntervals[];
  readonly level: number;
  readonly draws: number;
  /** Rows, or groups of them, that were drawn. */
  readonly groups: number;
  readonly units: string;
  readonly description: string;
  readonly notes: readonly string[];
}
