import { arch, release, type } from 'node:os';
import {
  type BackendInfo,
  encodeNpy,
  F2iError,
  type Folder,
  type Json,
  type NdArray,
  Picture,
  parseJson,
  type Rows,
  readArray,
  readText,
  type Study,
  schemaError,
  toFloat32,
  VERSION,
  type WriteFile,
} from '@fmri2image/core';
import { z } from 'zod';
import { redactHome } from '../redact.ts';
import type { Terms } from '../terms.ts';
import { type FoldJson, type FoldRecord, foldSchema, foldToJson } from './folds.ts';
import { labelsTable } from './labelsTable.ts';
import { FIELDS_FILE, fieldsTable, readFieldsTable } from './receptiveFields.ts';
import type { RecordingRows } from './recordingRows.ts';
import { sheetOf } from './sheet.ts';
import { SEEN, type Seen } from './training.ts';
import type { OutputFile } from './workFolder.ts';

/** What a folder of reconstructions holds in memory. */
export interface Results {
  /** Trials of the study that were reconstructed, in order; several where repeats were averaged. */
  readonly items: readonly ResultItem[];
  /** [items, ...shape] */
  readonly values: Rows & { readonly data: Float32Array };
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

const FORMAT = 'fmri2image-reconstructions';

/** What the output of a retrieval head is called: the one that MindEye's published retrieval is of. */
export const RETRIEVAL_HEAD = 'retrieval';

const schema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  kind: z.enum(['picture', 'features', 'labels']),
  labels: z.array(z.string()).optional(),
  provenance: z.strictObject({
    version: z.string(),
    runId: z.string(),
    study: z.string(),
    decoder: z.string(),
    bundle: z.string(),
    device: z.string(),
    commandLine: z.string(),
    warnings: z.array(z.string()),
    created: z.iso.datetime().optional(),
    platform: z.string().optional(),
    rejected: z.array(z.strictObject({ device: z.string(), reason: z.string() })).optional(),
  }),
  terms: z
    .strictObject({
      dataTerms: z.string().optional(),
      consentReference: z.string().optional(),
      pseudonym: z.string().optional(),
    })
    .optional(),
  folds: z.array(foldSchema).optional(),
  outputs: z
    .array(
      z.strictObject({
        name: z.string(),
        file: z.string(),
        shape: z.array(z.int().positive()),
        mean: z.string().optional(),
      }),
    )
    .min(1)
    .optional(),
  run: z.record(z.string(), z.json()).optional(),
  /** Whether mean-training-picture.npy is there. */
  meanPicture: z.boolean().default(true),
  items: z.array(
    z.strictObject({
      file: z.string().optional(),
      trials: z.array(z.int().nonnegative()).min(1),
      stimulus: z.int().nonnegative().optional(),
      stimulusName: z.string().optional(),
      run: z.string(),
      seen: z.enum(SEEN),
      heldOut: z.string().optional(),
    }),
  ),
});

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
const meanFile = (kind: Results['kind']) =>
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

/** What such a folder says of itself, without its arrays. */
export async function readIndex(folder: Folder, signal: AbortSignal): Promise<z.infer<typeof schema>> {
  const source = await folder.open('reconstructions.json');
  const json = parseJson(await readText(source, signal), source.name);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw schemaError(json, parsed.error.issues, schema, source.name);
}

/** Where a folder without several outputs keeps its values. */
const ONLY_ARRAY = 'reconstructions';

/**
 * Reads such a folder back, for evaluation: the main output, and beside it what a retrieval head made.
 *
 * @param array name of the one output that is wanted instead of these
 * @throws USAGE for an array that the folder does not have
 */
export async function readResults(folder: Folder, signal: AbortSignal, array?: string): Promise<Results> {
  const index = await readIndex(folder, signal);
  const { items, kind, labels, provenance, terms, outputs, run } = index;
  const read = async (name: string) => {
    const file = await folder.open(name);
    const values = await readArray(file, { signal });
    return { data: toFloat32(values, { file: file.name }), shape: values.shape, name: file.name };
  };
  const readItems = async (name: string) => {
    const values = await read(name);
    if (values.shape[0] === items.length) return values;
    throw new F2iError('FORMAT', 'one row for each item of reconstructions.json', {
      file: values.name,
      expected: `${items.length}`,
      found: `${values.shape[0]}`,
    });
  };
  const arrays: readonly Pick<OutputFile, 'name' | 'file' | 'mean'>[] = outputs ?? [
    { name: ONLY_ARRAY, file: `${ONLY_ARRAY}.npy` },
  ];
  const chosen = arrays.find(({ name }) => name === (array ?? arrays[0]!.name));
  if (!chosen) {
    throw new F2iError('USAGE', 'the reconstructions have no such array', {
      file: 'reconstructions.json',
      field: 'array',
      expected: arrays.map(({ name }) => name).join(', '),
      found: array!,
    });
  }
  const head = array === undefined ? retrievalHead(outputs) : undefined;
  const readMean = async (ofMain: boolean, { mean }: Pick<OutputFile, 'mean'>) => {
    if (mean !== undefined) return read(mean);
    return ofMain ? read(meanFile(kind)) : undefined;
  };
  return {
    items,
    values: await readItems(chosen.file),
    array: chosen.name,
    embeddings: head && { ...(await readItems(head.file)), array: head.name },
    // It is of what the decoder was trained to give.
    meanPicture: await readMean(index.meanPicture && chosen === arrays[0], chosen),
    kind,
    labels,
    provenance,
    terms,
    outputs,
    run,
    folds: await readFolds(folder, index.folds, signal),
  };
}

/** The output that a model was trained to be retrieved by, where it fits the same true features as the main one. */
function retrievalHead(outputs: readonly OutputFile[] | undefined): OutputFile | undefined {
  const head = outputs?.find(({ name }) => name === RETRIEVAL_HEAD);
  if (!outputs || !head || head === outputs[0]) return undefined;
  return head.shape.join() === outputs[0]!.shape.join() ? head : undefined;
}

async function readFolds(
  folder: Folder,
  folds: readonly FoldJson[] | undefined,
  signal: AbortSignal,
): Promise<FoldRecord[] | undefined> {
  if (!folds?.some(({ maps }) => maps)) return folds?.map((fold) => ({ ...fold, maps: undefined }));
  const source = await folder.open(FIELDS_FILE);
  const fields = readFieldsTable(await readText(source, signal), source.name, folds);
  return folds.map((fold, f) => ({
    ...fold,
    maps: fold.maps && {
      fields: fields[f]!,
      hrf: {
        times: Float32Array.from(fold.maps.hrf.times),
        values: Float32Array.from(fold.maps.hrf.values),
      },
    },
  }));
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
