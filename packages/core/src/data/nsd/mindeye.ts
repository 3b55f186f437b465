import { F2iError } from '../../error.ts';
import type { Rows } from '../../rows.ts';
import { type Hdf5, openHdf5 } from '../formats/hdf5.ts';
import { readNpy } from '../formats/npy.ts';
import { tarEntries } from '../formats/tar.ts';
import { toFloat32, toFloat64 } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { RecordedTrial, Recording } from '../recording/recording.ts';
import { bytesSource, type Folder, readAll, type Source } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { openIfThere, subjectName } from './files.ts';
import { NSD_PICTURES } from './published.ts';

/**
 * The files that MindEye2 published of the Natural Scenes Dataset (huggingface.co/datasets/pscotti/mindeyev2), and that
 * its notebooks read: betas as HDF5, trials as samples of webdataset.
 */
export const MINDEYE_FILES = {
  betas: (subject: number) => `betas_all_${subjectName(subject)}_fp32_renorm.hdf5`,
  dataset: 'betas',
  trials: (subject: number, split: string) => `wds/${subjectName(subject)}/${split}`,
} as const;

/** Name of a file of betas; the subject's number is captured. */
export const MINDEYE_BETAS = /^betas_all_subj0*(\d+)_fp32_renorm\.hdf5$/;

/** Columns of `behav.npy`. */
export const BEHAVIOUR_COLUMNS = 17;
const COLUMNS = { image: 0, subject: 1, session: 2, run: 3, trial: 4, globalTrial: 5, shared: 16 } as const;
const SESSIONS = 40;
/** Tars up to this size are read at once: their samples are small, and many. */
const SMALL_TAR = 2 ** 28;

export interface MindEyeTrial {
  /** Picture among the 73,000, from 0. */
  readonly image: number;
  readonly session: number;
  readonly run: number;
  /** Row of the betas. */
  readonly row: number;
  /** Of the shared 1000; undefined where the file does not say. */
  readonly shared: boolean | undefined;
}

/** One subject's betas and test trials. */
export interface MindEyeSubject {
  /** `subj01`. */
  readonly name: string;
  readonly number: number;
  /** Rows and columns of the betas. */
  readonly trials: number;
  readonly voxels: number;
  /** Trials of the split `new_test`, by their row. */
  readonly test: readonly MindEyeTrial[];
  /** Rows of the betas, in the order given: [rows, voxels]. */
  readBetas(
    rows: readonly number[],
    options: { signal?: AbortSignal | undefined; onProgress?: ((share: number) => void) | undefined },
  ): Promise<Rows & { readonly data: Float32Array }>;
  close(): void;
}

/**
 * Opens a subject of a folder laid out as above.
 *
 * @throws IO for a file that is missing; FORMAT, naming file, sample and column, for what is not as published
 */
export async function openMindEyeSubject(
  folder: Folder,
  subject: number,
  signal?: AbortSignal,
): Promise<MindEyeSubject> {
  const { betas, trials, voxels } = await openBetas(folder, subject);
  try {
    const tar = await folder.open(`${MINDEYE_FILES.trials(subject, 'new_test')}/0.tar`);
    return {
      name: subjectName(subject),
      number: subject,
      trials,
      voxels,
      test: await readTrials(tar, { subject, trials, signal }),
      readBetas: (rows, options) => readRows(betas, rows, voxels, options),
      close: () => betas.close(),
    };
  } catch (error) {
    betas.close();
    throw error;
  }
}

async function openBetas(
  folder: Folder,
  subject: number,
): Promise<{ betas: Hdf5; trials: number; voxels: number }> {
  const source = await folder.open(MINDEYE_FILES.betas(subject));
  const betas = await openHdf5(syncOf(source));
  const shape = betas.datasets.get(MINDEYE_FILES.dataset)?.shape;
  if (shape?.length === 2) return { betas, trials: shape[0]!, voxels: shape[1]! };
  const found = shape ? `[${shape.join(', ')}]` : [...betas.datasets.keys()].join(', ') || 'no dataset';
  betas.close();
  throw new F2iError('FORMAT', 'no betas as MindEye2 published them', {
    file: source.name,
    field: MINDEYE_FILES.dataset,
    expected: 'a dataset [trials, voxels]',
    found,
  });
}

/**
 * A subject of a folder laid out as above, with all trials that its tars describe: those of `train` and `new_test` (or
 * `test`, the first release). Betas are as the file has them, z-scored by others.
 *
 * @throws as `openMindEyeSubject`
 */
export async function openMindEye(folder: Folder, subject: number, signal?: AbortSignal): Promise<Recording> {
  const { betas, trials: rows, voxels } = await openBetas(folder, subject);
  try {
    const { found, warnings } = await allTrials(folder, subject, rows, signal);
    const trials = describe(found);
    const rowOf = found.map(({ row }) => row);
    return {
      name: `nsd-${subjectName(subject)}`,
      subject,
      trials,
      voxels,
      selection: {
        description: `all ${voxels} columns of ${MINDEYE_FILES.betas(subject)}`,
        indices: Int32Array.from({ length: voxels }, (_, column) => column),
        space: { kind: 'matrix', columns: voxels },
      },
      regions: new Map([['nsdgeneral', Int32Array.from({ length: voxels }, (_, column) => column)]]),
      ledger: [
        {
          step: 'betas of single trials (betas_fithrf), z-scored within each session',
          runs: [],
          sawTest: 'unknown',
          note: 'as MindEye2 published them (renorm): fitted by others; the released script takes all trials of a session, the paper leaves out those of the shared pictures',
        },
      ],
      warnings,
      stimulusName: (stimulus) => `nsd-${String(stimulus).padStart(5, '0')}`,
      stimulusOrder: 'by number among the 73,000',
      readTrials: async (from, to, readSignal) =>
        (await readRows(betas, rowOf.slice(from, to), voxels, { signal: readSignal })).data,
      close: () => betas.close(),
    };
  } catch (error) {
    betas.close();
    throw error;
  }
}

type SplitTrial = MindEyeTrial & { readonly split: 'train' | 'test' };

async function allTrials(
  folder: Folder,
  subject: number,
  rows: number,
  signal?: AbortSignal,
): Promise<{ found: SplitTrial[]; warnings: string[] }> {
  const byRow = new Map<number, SplitTrial>();
  const warnings: string[] = [];
  const read = async (split: string, number: number): Promise<MindEyeTrial[] | undefined> => {
    const tar = await openIfThere(folder, `${MINDEYE_FILES.trials(subject, split)}/${number}.tar`);
    return tar && readTrials(tar, { subject, trials: rows, signal });
  };
  const test = (await read('new_test', 0)) ?? (await read('test', 0));
  for (const trial of test ?? []) byRow.set(trial.row, { ...trial, split: 'test' });
  const absent = test ? [] : ['new_test/0.tar'];
  let twice = 0;
  for (let session = 0; session < SESSIONS; session++) {
    const train = await read('train', session);
    if (!train) absent.push(`train/${session}.tar`);
    for (const trial of train ?? []) {
      if (byRow.has(trial.row)) twice++;
      else byRow.set(trial.row, { ...trial, split: 'train' });
    }
  }
  if (byRow.size === 0) {
    throw new F2iError('IO', 'no tar of trials: no such file', {
      file: `${folder.name}/${MINDEYE_FILES.trials(subject, 'train')}/0.tar`,
      expected: 'wds of huggingface.co/datasets/pscotti/mindeyev2',
    });
  }
  if (twice > 0)
    warnings.push(`${twice} samples describe a trial that another one describes, too: counted once`);
  if (byRow.size < rows) {
    const files = `${absent.slice(0, 3).join(', ')}${absent.length > 3 ? `, ... (${absent.length} in all)` : ''}`;
    const why = absent.length > 0 ? `; ${files} ${absent.length === 1 ? 'is' : 'are'} not there` : '';
    warnings.push(
      `${rows - byRow.size} of ${rows} rows of betas are described by no tar, and left out${why}`,
    );
  }
  return { found: [...byRow.values()].sort((a, b) => a.row - b.row), warnings };
}

function describe(found: readonly SplitTrial[]): RecordedTrial[] {
  const seen = new Map<number, number>();
  return found.map(({ image, session, run, split, shared }) => {
    const repeat = seen.get(image) ?? 0;
    seen.set(image, repeat + 1);
    // Test tars hold trials of the shared pictures, and train tars none.
    return {
      session: `${session}`,
      run: `${run}`,
      stimulus: image,
      repeat,
      split,
      shared: shared ?? split === 'test',
    };
  });
}

/** Trials of a tar of webdataset, by their row in the betas. */
async function readTrials(
  tar: Source,
  { subject, trials, signal }: { subject: number; trials: number; signal?: AbortSignal | undefined },
): Promise<MindEyeTrial[]> {
  const found: MindEyeTrial[] = [];
  const rows = new Set<number>();
  const source = tar.size <= SMALL_TAR ? bytesSource(await readAll(tar, signal), tar.name) : tar;
  const breathe = pacer(signal, `reading ${tar.name}`);
  for await (const { name, content } of tarEntries(source, signal)) {
    await breathe();
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
    // -1 stands for what is not known.
    const shared = column('shared', -1, 1);
    found.push({
      image: column('image', 0, NSD_PICTURES - 1),
      session: column('session', 1, SESSIONS),
      run: column('run', 1, 100),
      row,
      shared: shared < 0 ? undefined : shared === 1,
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
  { signal, onProgress }: Parameters<MindEyeSubject['readBetas']>[1],
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
    const block = betas.readRows(MINDEYE_FILES.dataset, first, order[end - 1]!.row + 1);
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
