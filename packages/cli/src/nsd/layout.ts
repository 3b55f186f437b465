import { join } from 'node:path';
import {
  F2iError,
  type Hdf5,
  openHdf5,
  pacer,
  type Rows,
  readNpy,
  type Source,
  tarEntries,
  toFloat32,
  toFloat64,
} from '@fmri2image/core';
import { fileSource, fileSyncSource } from '@fmri2image/node';

/**
 * The files that MindEye2 published of the Natural Scenes Dataset (huggingface.co/datasets/pscotti/mindeyev2), and that
 * its notebooks read: betas as HDF5, trials as samples of webdataset.
 */
export const NSD_FILES = {
  betas: (subject: number) => `betas_all_${subjectName(subject)}_fp32_renorm.hdf5`,
  dataset: 'betas',
  trials: (subject: number, split: string) => `wds/${subjectName(subject)}/${split}`,
} as const;

export const subjectName = (subject: number) => `subj${String(subject).padStart(2, '0')}`;

/** Columns of `behav.npy`. */
export const BEHAVIOUR_COLUMNS = 17;
const COLUMNS = { image: 0, subject: 1, session: 2, run: 3, trial: 4, globalTrial: 5 } as const;
/** Pictures of NSD, and of COCO that it took them from. */
const IMAGES = 73_000;

export interface NsdTrial {
  /** Picture among the 73,000, from 0. */
  readonly image: number;
  readonly session: number;
  readonly run: number;
  /** Row of the betas. */
  readonly row: number;
}

/** One subject's betas and test trials. */
export interface NsdSubject {
  /** `subj01`. */
  readonly name: string;
  readonly number: number;
  /** Rows and columns of the betas. */
  readonly trials: number;
  readonly voxels: number;
  /** Trials of the split `new_test`, by their row. */
  readonly test: readonly NsdTrial[];
  /** Rows of the betas, in the order given: [rows, voxels]. */
  readBetas(
    rows: readonly number[],
    options: { signal: AbortSignal; onProgress?: (share: number) => void },
  ): Promise<Rows & { readonly data: Float32Array }>;
  close(): void;
}

/**
 * Opens a subject of a folder laid out as above.
 *
 * @throws IO for a file that is missing; FORMAT, naming file, sample and column, for what is not as published
 */
export async function openNsdSubject(
  folder: string,
  subject: number,
  signal: AbortSignal,
): Promise<NsdSubject> {
  const file = join(folder, NSD_FILES.betas(subject));
  const betas = await openHdf5(fileSyncSource(file));
  try {
    const shape = betas.datasets.get(NSD_FILES.dataset)?.shape;
    if (shape?.length !== 2) {
      throw new F2iError('FORMAT', 'no betas as MindEye2 published them', {
        file,
        field: NSD_FILES.dataset,
        expected: 'a dataset [trials, voxels]',
        found: shape ? `[${shape.join(', ')}]` : [...betas.datasets.keys()].join(', ') || 'no dataset',
      });
    }
    const [trials = 0, voxels = 0] = shape;
    const tar = join(folder, NSD_FILES.trials(subject, 'new_test'), '0.tar');
    const test = await readTrials(await fileSource(tar), { subject, trials, signal });
    return {
      name: subjectName(subject),
      number: subject,
      trials,
      voxels,
      test,
      readBetas: (rows, options) => readRows(betas, rows, voxels, options),
      close: () => betas.close(),
    };
  } catch (error) {
    betas.close();
    throw error;
  }
}

/** Trials of a tar of webdataset, by their row in the betas. */
async function readTrials(
  tar: Source,
  { subject, trials, signal }: { subject: number; trials: number; signal: AbortSignal },
): Promise<NsdTrial[]> {
  const found: NsdTrial[] = [];
  const rows = new Set<number>();
  for await (const { name, content } of tarEntries(tar, signal)) {
    // A sample's files share what stands before the first point.
    const part = name.slice(name.lastIndexOf('/') + 1);
    if (part.slice(part.indexOf('.') + 1) !== 'behav.npy') continue;
    const array = await readNpy(content, signal);
    const { shape } = array;
    if (shape.at(-1) !== BEHAVIOUR_COLUMNS || array.data.length !== BEHAVIOUR_COLUMNS) {
      throw new F2iError('FORMAT', 'not the behaviour of one trial', {
        file: content.name,
        expected: `[1, ${BEHAVIOUR_COLUMNS}]`,
        found: `[${shape.join(', ')}]`,
      });
    }
    const values = toFloat64(array);
    const column = (what: keyof typeof COLUMNS, least: number, most: number): number => {
      const value = values[COLUMNS[what]]!;
      if (Number.isInteger(value) && value >= least && value <= most) return value;
      throw new F2iError('FORMAT', 'a trial that cannot be', {
        file: content.name,
        field: `column ${COLUMNS[what]} (${what})`,
        expected: `a whole number from ${least} to ${most}`,
        found: `${value}`,
      });
    };
    column('subject', subject, subject);
    const row = column('globalTrial', 0, trials - 1);
    if (rows.has(row)) {
      throw new F2iError('FORMAT', 'two samples are the same trial', {
        file: content.name,
        field: `column ${COLUMNS.globalTrial} (globalTrial)`,
        expected: 'each trial once',
        found: `${row}`,
      });
    }
    rows.add(row);
    found.push({
      image: column('image', 0, IMAGES - 1),
      session: column('session', 1, 40),
      run: column('run', 1, 100),
      row,
    });
  }
  if (found.length === 0) {
    throw new F2iError('FORMAT', 'no trials', { file: tar.name, expected: 'samples with behav.npy' });
  }
  return found.sort((a, b) => a.row - b.row);
}

/** Rows that lie this near to each other are read in one go. */
const GAP = 4;
const MOST_ROWS = 64;

async function readRows(
  betas: Hdf5,
  wanted: readonly number[],
  voxels: number,
  { signal, onProgress }: { signal: AbortSignal; onProgress?: (share: number) => void },
): Promise<Rows & { readonly data: Float32Array }> {
  const order = wanted.map((row, i) => ({ row, i })).sort((a, b) => a.row - b.row);
  const data = new Float32Array(wanted.length * voxels);
  const breathe = pacer(signal, `reading ${betas.name}`);
  for (let at = 0; at < order.length; ) {
    const first = order[at]!.row;
    let end = at + 1;
    while (
      end < order.length &&
      order[end]!.row - order[end - 1]!.row <= GAP &&
      order[end]!.row - first < MOST_ROWS
    )
      end++;
    const block = betas.readRows(NSD_FILES.dataset, first, order[end - 1]!.row + 1);
    const values = toFloat32(block, { file: betas.name });
    for (const { row, i } of order.slice(at, end)) {
      data.set(values.subarray((row - first) * voxels, (row - first + 1) * voxels), i * voxels);
    }
    at = end;
    onProgress?.(at / order.length);
    await breathe();
  }
  return { data, shape: [wanted.length, voxels] };
}
