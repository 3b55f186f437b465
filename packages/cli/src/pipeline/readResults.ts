import {
  didYouMean,
  F2iError,
  type Folder,
  type MatrixSource,
  openMatrix,
  parseJson,
  readArray,
  readText,
  type Source,
  schemaError,
  toFloat32,
} from '@fmri2image/core';
import { z } from 'zod';
import { type FoldJson, type FoldRecord, foldSchema } from './folds.ts';
import { FIELDS_FILE, readFieldsTable } from './receptiveFields.ts';
import { FORMAT, meanFile, RETRIEVAL_HEAD, type Results } from './results.ts';
import { SEEN } from './training.ts';
import type { OutputFile } from './workFolder.ts';

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

/** What such a folder says of itself, without its arrays. */
export async function readIndex(folder: Folder, signal: AbortSignal): Promise<z.infer<typeof schema>> {
  const source = await openIndex(folder);
  const json = parseJson(await readText(source, signal), source.name);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw schemaError(json, parsed.error.issues, schema, source.name);
}

/** Folders are easily mixed up: what another one is, is said. */
async function openIndex(folder: Folder): Promise<Source> {
  try {
    return await folder.open('reconstructions.json');
  } catch (error) {
    const names: readonly string[] = await folder.list().catch(() => []);
    if (!names.includes('model.json')) throw error;
    throw new F2iError('USAGE', 'this is a bundle; reconstruct makes a folder of reconstructions of it', {
      file: folder.name,
      field: '--reconstructions',
      expected: 'a folder with reconstructions.json',
      found: 'model.json',
    });
  }
}

/**
 * Reads such a folder back, for evaluation: the main output, and beside it what a retrieval head made.
 *
 * @param array name of the one output that is wanted instead of these
 * @throws USAGE for an array that the folder does not have
 */
export async function readResults(folder: Folder, signal: AbortSignal, array?: string): Promise<Results> {
  const index = await readIndex(folder, signal);
  const { items, outputs } = index;
  const readItems = async (name: string) => {
    const values = await readFloats(folder, name, signal);
    checkCount(values.name, values.shape[0]!, items.length);
    return values;
  };
  const chosen = outputOf(index, array);
  const head = array === undefined ? retrievalHead(outputs) : undefined;
  return {
    ...(await besideArrays(folder, index, chosen, signal)),
    values: await readItems(chosen.file),
    embeddings: head && { ...(await readItems(head.file)), array: head.name },
  };
}

/**
 * One output of such a folder, whose rows stay in their file.
 *
 * @returns its rows, which the caller closes, and all else; `values` has their shape and no data
 * @throws USAGE for an array that the folder does not have; FORMAT for a file of other rows
 */
export async function openResults(
  folder: Folder,
  signal: AbortSignal,
  array: string,
): Promise<{ results: Results; source: MatrixSource }> {
  const index = await readIndex(folder, signal);
  const chosen = outputOf(index, array);
  const source = await openMatrix(await folder.open(chosen.file), { signal });
  try {
    const { length } = index.items;
    checkCount(source.name, source.rows, length);
    const values = { data: new Float32Array(0), shape: [length, ...source.shape] };
    return { source, results: { ...(await besideArrays(folder, index, chosen, signal)), values } };
  } catch (error) {
    source.close?.();
    throw error;
  }
}

type Index = z.infer<typeof schema>;
type Output = Pick<OutputFile, 'name' | 'file' | 'mean'>;

/** Where a folder without several outputs keeps its values. */
const ONLY: Output = { name: 'reconstructions', file: 'reconstructions.npy' };

function outputOf({ outputs }: Index, array: string | undefined): Output {
  const all: readonly Output[] = outputs ?? [ONLY];
  const chosen = all.find(({ name }) => name === (array ?? all[0]!.name));
  if (chosen) return chosen;
  const known = all.map(({ name }) => name);
  throw new F2iError('USAGE', `the reconstructions have no such array${didYouMean(array!, known)}`, {
    file: 'reconstructions.json',
    field: 'array',
    expected: known.join(', '),
    found: array!,
  });
}

function checkCount(file: string, rows: number, items: number): void {
  if (rows === items) return;
  throw new F2iError('FORMAT', 'one row for each item of reconstructions.json', {
    file,
    expected: `${items}`,
    found: `${rows}`,
  });
}

async function readFloats(folder: Folder, name: string, signal: AbortSignal) {
  const file = await folder.open(name);
  const values = await readArray(file, { signal });
  return { data: toFloat32(values, { file: file.name }), shape: values.shape, name: file.name };
}

/** Everything but the values. */
async function besideArrays(
  folder: Folder,
  index: Index,
  { name, mean }: Output,
  signal: AbortSignal,
): Promise<Omit<Results, 'values'>> {
  const { items, kind, labels, provenance, terms, outputs, run, meanPicture } = index;
  // It is of what the decoder was trained to give.
  const isMain = name === (outputs?.[0] ?? ONLY).name;
  const meanOf = mean ?? (meanPicture && isMain ? meanFile(kind) : undefined);
  return {
    items,
    array: name,
    meanPicture: meanOf === undefined ? undefined : await readFloats(folder, meanOf, signal),
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
