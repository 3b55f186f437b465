import type { Json } from '../data/json.ts';
import type { HeadStatistics } from '../decoders/heads/model.ts';

/** A matrix on its way to disk, row after row. */
export interface StoredRows {
  /** Rows that an earlier run has left: writing goes on behind them. */
  readonly done: number;
  /** Rows [from, to), [to - from, columns]. */
  write(from: number, to: number, values: Float32Array | Float64Array): Promise<void>;
}

/** What is kept of a head: weights (a row a target), predictions (a column a target), and statistics of each target. */
export interface StoredHead {
  /** Targets that an earlier run has left. */
  readonly done: number;
  /**
   * Targets [from, to). A block counts as done when all of it, statistics included, is where a killed process cannot take
   * it back.
   *
   * @param values what the spec asked for
   */
  write(from: number, to: number, values: StoredBlock, statistics: HeadStatistics): Promise<void>;
}

/** What a block of targets came to. */
export interface StoredBlock {
  /** [to - from, inputs] */
  readonly weights?: Float32Array | Float64Array | undefined;
  /** [rows, to - from] */
  readonly predictions?: Float32Array | undefined;
}

/** Penalties that cross-validation chose. */
export interface ChosenAlphas {
  /** [targets] */
  readonly alphas: Float64Array;
  /** Mean score of the chosen one over folds, [targets]. */
  readonly scores: Float64Array;
}

export interface HeadSpec {
  readonly name: string;
  /** Axes of the targets; all of them multiplied are `targets`. */
  readonly shape: readonly number[];
  readonly targets: number;
  /** Weights [targets, inputs], where they are kept. */
  readonly weights?: { readonly inputs: number; readonly dtype: 'f32' | 'f64' } | undefined;
  /** Predictions of the test [rows, targets], where they are kept. */
  readonly predictions?: { readonly rows: number } | undefined;
}

/** Where a run puts its numbers, and where it finds those of an earlier one that was killed. */
export interface HeadStore {
  /** Penalties that an earlier run chose. */
  chosen(head: string): Promise<ChosenAlphas | undefined>;
  keepChosen(head: string, chosen: ChosenAlphas): Promise<void>;
  head(spec: HeadSpec): Promise<StoredHead>;
  /** What an earlier run said of a design: the same bundle comes of a run that was killed. */
  note(design: number): Json | undefined;
  keepNote(design: number, note: Json): Promise<void>;
  /** Whether a head is complete: its design need not be read then. */
  isDone(head: string): boolean;
  /** Training rows of a design, transposed: [voxels, rows]. */
  training(design: number, voxels: number, rows: number): Promise<StoredRows>;
}
