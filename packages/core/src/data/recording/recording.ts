import type { FittedStep } from '../../bundle/contents.ts';
import type { VoxelSelection } from '../study/study.ts';

/** One presentation of a picture. */
export interface RecordedTrial {
  readonly session: string;
  readonly run: string;
  /** Identity of what was shown: in NSD the picture's number among the 73,000, from 0. */
  readonly stimulus: number;
  /** Which presentation of it, from 0, in order of time. */
  readonly repeat: number;
  /** Of the pictures that everybody saw (NSD: the shared 1000), where that is known. */
  readonly shared?: boolean | undefined;
  readonly split?: string | undefined;
  readonly label?: string | undefined;
}

/**
 * Single-trial responses (betas) of one person, on disk or in memory, and what is known of each trial: NSD in its own
 * files or in MindEye's, a derivative of BIDS, a study. Rows are trials in order of time.
 */
export interface Recording {
  /** `nsd-subj01` */
  readonly name: string;
  readonly trials: readonly RecordedTrial[];
  readonly voxels: number;
  /** Which voxels of which space: maps are written there. */
  readonly selection: VoxelSelection;
  /** ROIs by name (`nsdgeneral`, `early`, `V1v`), each as ascending columns. */
  readonly regions: ReadonlyMap<string, Int32Array>;
  /** What was done to the betas before they were read: imported betas are `unknown`. */
  readonly ledger: readonly FittedStep[];
  /** Oddities that were accepted, in words. */
  readonly warnings: readonly string[];
  /** Names of pictures by their identity, where files name them. */
  readonly stimulusName?: ((stimulus: number) => string) | undefined;
  /** All voxels of trials [from, to), [to - from, voxels]. Sessions are stored one after the other: read in order. */
  readTrials(from: number, to: number, signal?: AbortSignal): Promise<Float32Array>;
  close(): void;
}

/**
 * Trials arranged for a regression: which are averaged into a row, and which rows are trained and tested on. Rows of
 * single trials are lists of one.
 */
export interface Arrangement {
  /** `brain-diffuser`, `mindeye2-new-test`, `takagi`, or `split` of the study's own. */
  readonly name: string;
  readonly train: readonly ArrangedRow[];
  readonly test: readonly ArrangedRow[];
  /** What the papers print: `8859 training pictures`, `982 test pictures`, `24,980 trials`. */
  readonly counts: readonly string[];
}

export interface ArrangedRow {
  readonly stimulus: number;
  /** Trials of the recording that are averaged, ascending. */
  readonly trials: Int32Array;
}
