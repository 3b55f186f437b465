import { arch, release, type } from 'node:os';
import {
  type BackendInfo,
  encodeNpy,
  type Json,
  type MatrixRows,
  type NdArray,
  Picture,
  type Rows,
  type Study,
  VERSION,
  type WriteFile,
} from '@fmri2image/core';
import { redactHome } from '../redact.ts';
import type { Terms } from '../terms.ts';
import { type FoldRecord, foldToJson } from './folds.ts';
import { labelsTable } from './labelsTable.ts';
import { FIELDS_FILE, fieldsTable } from './receptiveFields.ts';
import type { RecordingRows } from './recordingRows.ts';
import { sheetOf } from './sheet.ts';
import type { Seen } from './training.ts';
import type { OutputFile } from './workFolder.ts';

/** What a folder of reconstructions holds in memory. */
export interface Results {
  /** Trials of the study that were reconstructed, in order; several where repeats were averaged. */
  readonly items: readonly ResultItem[];
  /** [items, ...shape]; no data where `filed` says where they lie. */
  readonly values: Rows & { readonly data: Float32Array };
  /** Arrays that are too large to be held: scored out of their files. */
  readonly filed?: FiledRows | undefined;
  /** [1, ...shape] or [items, ...shape]: what a decoder that never saw the brain would say, where it is known. */
  readonly meanPicture?: (Rows & { readonly data: Float32Array }) | undefined;
  readonly kind: 'picture' | 'features' | 'labels';
  /** Of labels: their names, in the order of their scores (`values`). */
  readonly labels?: readonly string[] | undefined;
  readonly provenance: Provenance;
  /** Of the data that the decoder was fitted on. */
  readonly terms?: Terms | undefined;
  /** The decoders that made them; absent in folders of version 0.1.0. */
  readonly folds?: readonly FoldRecord[] | undefined;
  /** Of a model with several outputs: their files, the main one (`values`) first. */
  readonly outputs?: readonly OutputFile[] | undefined;
  /** Name of the array that `values` is, where it was read from a folder: `tokens`. */
  readonly array?: string | undefined;
  /** What a retrieval head made of the same trials, where `values` is another output: retrieval compares these. */
  readonly embeddings?: (Rows & { readonly data: Float32Array; readonly array: string }) | undefined;
  /** Stage, repeats, seed and the like of a model that has them. */
  readonly run?: Readonly<Record<string, Json>> | undefined;
  /** Where items are rows of a recording, of one trial or of several, rather than trials of a study. */
  readonly rows?: RecordingRows | undefined;
}

/** Rows of items that stay in their files. */
export interface FiledRows {
  readonly reconstructions: MatrixRows;
  /** What is true of each item. */
  readonly truth: MatrixRows;
}

export interface ResultItem {
  /** Indices of the trials in the study. */
  readonly trials: number[];
  /** Index of the stimulus, where the study has stimuli. */
  readonly stimulus?: number | undefined;
  readonly stimulusName?: string | undefined;
  readonly run: string;
  /** Had its decoder seen it? */
  readonly seen: Seen;
  /** What was held out when the decoder of this item was fitted. */
  readonly heldOut?: string | undefined;
}

export interface Provenance {
  readonly version: string;
  readonly runId: string;
  readonly study: string;
  readonly decoder: string;
  /** Content hash of the bundle, or `none` where decoders were fitted on the way. */
  readonly bundle: string;
  readonly device: string;
  readonly commandLine: string;
  readonly warnings: string[];
  /** When, as ISO 8601. */
  readonly created?: string | undefined;
  /** Node and the operating system. */
  readonly platform?: string | undefined;
  /** Devices that were passed over, and why. */
  readonly rejected?: { readonly device: string; readonly reason: string }[] | undefined;
}

export const FORMAT = 'fmri2image-reconstructions';

/** What the output of a retrieval head is called: the one that MindEye's published retrieval is of. */
export const RETRIEVAL_HEAD = 'retrieval';

/** Pictures smaller than this are enlarged by whole factors, so that they can be looked at. */
const SMALLEST_SIDE = 128;

/**
 * Writes the folder: PNGs (pictures), an overview beside what was shown, all values as npy, the mean training picture,
 * and what each item is.
 */
export async function writeResults(results: Results, write: WriteFile, study: Study): Promise<void> {
  const { items, values, meanPicture, kind, folds } = results;
  const size = values.data.length / items.length;
  const files: (string | undefined)[] = [];
  for (const [i, item] of items.entries()) {
    if (kind !== 'picture') {
      files.push(undefined);
      continue;
    }
    const file = `pictures/${pictureName(item)}.png`;
    files.push(file);
    const picture = new Picture(values.data.slice(i * size, (i + 1) * size), values.shape.slice(1), [0, 1]);
    await write(file, enlarged(picture).toPng());
  }
  const sheet = kind === 'labels' ? undefined : sheetOf(study, items, values);
  if (sheet) await write('pictures.png', sheet.toPng());
  if (kind === 'labels') await write('labels.tsv', labelsTable(study, results).tsv);
  await write('reconstructions.npy', encodeNpy(array(values)));
  if (meanPicture) await write(meanFile(kind), encodeNpy(array(meanPicture)));
  const fields = folds && fieldsTable(folds);
  if (fields !== undefined) await write(FIELDS_FILE, fields);
  await writeIndex(results, files, write);
}

/** Describes reconstructions whose arrays lie in files of their own (`outputs`). */
export async function writeIndex(
  { items, meanPicture, kind, labels, provenance, terms, folds, outputs, run }: Omit<Results, 'values'>,
  files: readonly (string | undefined)[],
  write: WriteFile,
): Promise<void> {
  const index = {
    format: FORMAT,
    version: 1,
    kind,
    labels,
    provenance,
    terms,
    outputs,
    run,
    meanPicture: meanPicture !== undefined,
    items: items.map((item, i) => ({ ...item, file: files[i] })),
    folds: folds?.map(foldToJson),
  };
  await write('reconstructions.json', `${JSON.stringify(index, undefined, 2)}\n`);
}

/** What a decoder without a brain would answer. */
export const meanFile = (kind: Results['kind']) =>
  kind === 'labels' ? 'label-frequencies.npy' : 'mean-training-picture.npy';

const array = ({ data, shape }: Rows & { readonly data: Float32Array }): NdArray => ({
  dtype: 'f32',
  data,
  shape: [...shape],
});

/** `trial-0012_beach`; what a file name may not hold becomes a dash. */
function pictureName({ trials, stimulusName }: ResultItem): string {
  const trial = `trial-${trials.map((index) => String(index + 1).padStart(4, '0')).join('+')}`.slice(0, 60);
  const name = stimulusName
    ?.replace(/\.[a-z]+$/i, '')
    .replace(/[^\w.-]+/g, '-')
    .slice(0, 80);
  return name ? `${trial}_${name}` : trial;
}

/** Each pixel as a square of pixels; without a factor so many that small pictures can be looked at. */
export function enlarged(
  picture: Picture,
  factor = Math.max(1, Math.ceil(SMALLEST_SIDE / Math.min(picture.height, picture.width))),
): Picture {
  const { height, width, channels } = picture;
  const data = new Float32Array(height * width * channels * factor ** 2);
  for (let i = 0; i < data.length; i++) {
    const channel = i % channels;
    const x = Math.floor(Math.floor(i / channels) / factor) % width;
    const y = Math.floor(i / (channels * width * factor ** 2));
    data[i] = picture.data[(y * width + x) * channels + channel]!;
  }
  const shape = [height * factor, width * factor, channels];
  return new Picture(data, shape, picture.range);
}

export function provenanceOf(
  study: string,
  decoder: string,
  bundle: string,
  device: BackendInfo,
  warnings: readonly string[],
): Provenance {
  return {
    version: VERSION,
    runId: crypto.randomUUID(),
    study,
    decoder,
    bundle,
    device: device.description,
    commandLine: commandLine(),
    warnings: [...warnings],
    created: new Date().toISOString(),
    platform: `Node ${process.versions.node}, ${type()} ${release()} ${arch()}`,
    rejected: device.rejected.map(({ device, reason }) => ({ device, reason })),
  };
}

/** As it was typed, with the home folder hidden: results are shared. */
export function commandLine(): string {
  return ['fmri2image', ...process.argv.slice(2)].map((word) => quoted(redactHome(word))).join(' ');
}

/** As a shell takes it. */
const quoted = (word: string) =>
  /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
