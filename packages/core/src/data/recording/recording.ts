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

/** What is known of responses, however they are read. */
export interface RecordingFacts {
  /** `nsd-subj01` */
  readonly name: string;
  /** Number of NSD's subject, where it is one. */
  readonly subject?: number | undefined;
  readonly trials: readonly RecordedTrial[];
  readonly voxels: number;
  /** Which voxels of which space: maps are written there. */
  readonly selection: VoxelSelection;
  /**
   * ROIs as ascending columns, by the name of their atlas and label: `nsdgeneral`, `streams` (all its labels),
   * `streams:early`. `regionColumns` finds what a user's words mean.
   */
  readonly regions: ReadonlyMap<string, Int32Array>;
  /** What was done to the betas before they were read: imported betas are `unknown`. */
  readonly ledger: readonly FittedStep[];
  /** Oddities that were accepted, in words. */
  readonly warnings: readonly string[];
  /** Names of pictures by their identity, where files name them. */
  readonly stimulusName?: ((stimulus: number) => string) | undefined;
  /** What identities of pictures follow, in words: `by number`, `by name, character by character`. */
  readonly stimulusOrder?: string | undefined;
}

/**
 * Single-trial responses (betas) of one person, on disk or in memory, and what is known of each trial: NSD in its own
 * files or in MindEye's, a derivative of BIDS, a study. Rows are trials in order of time.
 */
export interface Recording extends RecordingFacts {
  /** All voxels of trials [from, to), [to - from, voxels]. Sessions are stored one after the other: read in order. */
  readTrials(from: number, to: number, signal?: AbortSignal): Promise<Float32Array>;
  close(): void;
}

/**
 * Stages at which the presentations of a picture may be averaged:
 * - none: never; each trial is a row
 * - betas: as they were read, before any normalisation
 * - normalised: after the normalisation of sessions or runs, before that of rows
 * - predictions: after decoding; rows of the design are single trials, those of a picture together
 */
export const AVERAGES = ['none', 'betas', 'normalised', 'predictions'] as const;
export type Average = (typeof AVERAGES)[number];

/**
 * Trials arranged for a regression: which are averaged into a row, and which rows are trained and tested on. Rows of
 * single trials are lists of one.
 */
export interface Arrangement {
  /** `brain-diffuser`, `mindeye2-new-test`, `takagi`, or `split` of the study's own. */
  readonly name: string;
  readonly train: readonly ArrangedRow[];
  readonly test: readonly ArrangedRow[];
  readonly average: { readonly train: Average; readonly test: Average };
  /** What the papers print: `8859 training pictures`, `982 test pictures`, `24,980 training trials`. */
  readonly counts: readonly string[];
  readonly warnings: readonly string[];
}

export interface ArrangedRow {
  readonly stimulus: number;
  /** Trials of the recording that are averaged, ascending. */
  readonly trials: Int32Array;
}
