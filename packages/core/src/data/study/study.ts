import type { Rows } from '../../rows.ts';
import type { VisualField } from './schema.ts';

/** One presentation of a stimulus (or one volume of a continuous one). */
export interface Trial {
  /** Row of `Study.voxels` where rows are trials. */
  readonly row?: number | undefined;
  /** Onset in volumes of the whole series, not necessarily whole, where rows are volumes. */
  readonly volume?: number | undefined;
  /** Seconds. */
  readonly duration?: number | undefined;
  /** Index into `Study.stimuli`. */
  readonly stimulus?: number | undefined;
  /** What was shown, as the table of trials names it, where the study has no stimuli. */
  readonly stimulusName?: string | undefined;
  /** Category or condition. */
  readonly label?: string | undefined;
  readonly run: string;
  readonly session?: string | undefined;
  readonly group?: string | undefined;
  readonly split?: string | undefined;
  readonly repeat?: string | undefined;
}

export interface StudyRun {
  readonly name: string;
  /** Rows [start, end) of `Study.voxels`. */
  readonly start: number;
  readonly end: number;
  /** Its recording goes on from the run before; otherwise it is one of its own. */
  readonly continues?: boolean | undefined;
  readonly session?: string | undefined;
  readonly group?: string | undefined;
  readonly split?: string | undefined;
}

/** What was shown. */
export type Stimuli = {
  /** Name of each, for output files: `frame-0012`, `beach.png`. */
  readonly names: readonly string[];
} & (
  | {
      readonly kind: 'pictures';
      /** [count, height, width] or [count, height, width, 3]; row 0 on top, 0 to 1. */
      readonly values: Rows & { readonly data: Float32Array };
    }
  | {
      readonly kind: 'features';
      /** [count, ...] */
      readonly values: Rows & { readonly data: Float32Array };
      readonly name?: string | undefined;
    }
  | {
      /** Labels of trials, made of them by `labelTargets`; `names` are the labels. */
      readonly kind: 'labels';
      /** [count, count]: 1 for the label itself, 0 for the others. */
      readonly values: Rows & { readonly data: Float32Array };
    }
);

/** Which of the scanner's voxels the columns are. */
export interface VoxelSelection {
  /** For people: `530 voxels of mask.nii.gz`. */
  readonly description: string;
  /** Column of the file (or voxel of the image, x fastest) that each column of `voxels` is. */
  readonly indices: Int32Array;
  /**
   * What the indices count in, without the names of files: the grid of an image and where it lies, the number of columns
   * of a matrix; or the names of a table's columns. `selectionChecksum` covers it.
   */
  readonly space?: VoxelSpace | undefined;
}

export type VoxelSpace =
  | {
      readonly kind: 'image';
      /** Voxels in x, y, z. */
      readonly grid: readonly [number, number, number];
      /** Three rows of four: from voxels to millimetres. */
      readonly affine: readonly (readonly number[])[];
    }
  | { readonly kind: 'matrix'; readonly columns: number }
  | {
      readonly kind: 'table';
      /** Name of each selected column. */
      readonly names: readonly string[];
    };

/** Brain responses, trials and stimuli of one subject, read and checked. */
export interface Study {
  readonly name: string;
  readonly description?: string | undefined;
  readonly dataTerms?: string | undefined;
  readonly consentReference?: string | undefined;
  readonly pseudonym?: string | undefined;
  /** [rows, voxels] */
  readonly voxels: Rows & { readonly data: Float32Array };
  readonly rows: 'volumes' | 'trials';
  /** Seconds from one volume to the next. */
  readonly tr?: number | undefined;
  readonly runs: readonly StudyRun[];
  readonly trials: readonly Trial[];
  /** Each volume is a trial: permutations must be circular shifts. */
  readonly continuous: boolean;
  readonly stimuli?: Stimuli | undefined;
  /** What the table of trials calls the first stimulus, where numbers name them; default 0. */
  readonly indexBase?: 0 | 1 | undefined;
  readonly visualField?: VisualField | undefined;
  /** Trials that are scored, as indices. */
  readonly scored: Int32Array;
  readonly selection: VoxelSelection;
  /** Oddities that were accepted, in words. */
  readonly warnings: readonly string[];
  /** What was repaired on request, in words; goes into the ledger. */
  readonly repairs: readonly string[];
}
