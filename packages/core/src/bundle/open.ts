import type { Backend } from '../backend.ts';
import { parseJson } from '../data/json.ts';
import { decodeUtf8, type Folder, readAll, type Source } from '../data/source.ts';
import { openClipConverter } from '../decoders/clipConverter.ts';
import type { ConvertedOptions } from '../decoders/converted.ts';
import type { Decoder } from '../decoders/decoder.ts';
import { HEADS_KIND } from '../decoders/heads/model.ts';
import { openRidgeHeads } from '../decoders/heads/open.ts';
import type { LoadProgress } from '../decoders/loaded.ts';
import { openMindEye1, openMindEye1LowLevel } from '../decoders/mindeye1/decoder.ts';
import { openMindEye2 } from '../decoders/mindeye2/decoder.ts';
import { RetinotopicDecoder } from '../decoders/retinotopic/decoder.ts';
import { RidgeDecoder } from '../decoders/ridge/decoder.ts';
import { F2iError } from '../error.ts';
import { CONVERTED_KINDS } from '../weights/published.ts';
import type { WeightSource } from '../weights/source.ts';
import type { BundleContents, BundleTensor } from './contents.ts';
import { sha256 } from './hash.ts';
import {
  type BundleModel,
  type CheckedModel,
  checkModel,
  checkVersion,
  FORMAT_VERSION,
  MODEL_FILE,
} from './schema.ts';
import { bundleWeights } from './weights.ts';

/** Far above any real one. */
const MAXIMUM_MODEL_BYTES = 16 * 2 ** 20;

export interface OpenBundleOptions extends ConvertedOptions {
  backend: Backend;
}

/** A bundle whose bytes have been verified. */
export interface OpenedBundle {
  readonly model: BundleModel;
  readonly contents: BundleContents;
  /** What was odd and accepted: fields of a newer version that were ignored. */
  readonly warnings: readonly string[];
}

/** Constructors of decoders out of bundles, by kind. */
const kinds: Record<string, (contents: BundleContents, file: string, backend: Backend) => Decoder> = {
  retinotopic: (contents, file, backend) => RetinotopicDecoder.fromBundle(contents, file, backend),
  ridge: (contents, file, backend) => RidgeDecoder.fromBundle(contents, file, backend),
};

/** The same of decoders of any size, converted checkpoints above all: their numbers go to the device by ranges. */
const converted: Record<
  string,
  (weights: OpenedWeights, file: string, backend: Backend, options: ConvertedOptions) => Promise<Decoder>
> = {
  'clip-converter': openClipConverter,
  [HEADS_KIND]: openRidgeHeads,
  mindeye1: openMindEye1,
  'mindeye1-low-level': openMindEye1LowLevel,
  mindeye2: openMindEye2,
};

/**
 * Opens a fitted decoder. All checksums are verified before anything is used; only the files of the bundle that it
 * lists are opened.
 *
 * @throws FORMAT for anything that is not a whole bundle of this version, naming file and field; IO for a file that
 *   is missing; UNSUPPORTED for a kind of decoder, or a version, that this reader does not know
 */
export async function openBundle(
  folder: Folder,
  { backend, ...options }: OpenBundleOptions,
): Promise<Decoder> {
  return (await openDecoder(folder, backend, options)).decoder;
}

/** A decoder, and the description of its bundle. */
export interface OpenedDecoder {
  readonly decoder: Decoder;
  readonly model: BundleModel;
  /** Bytes of numbers that `prepare` puts on the device; none where they are there. */
  readonly pending: number;
}

/** Opens a decoder, whatever its kind: fitted here, or out of a checkpoint that was converted. */
export async function openDecoder(
  folder: Folder,
  backend: Backend,
  options: ConvertedOptions = {},
): Promise<OpenedDecoder> {
  const { signal, onProgress } = options;
  const checked = await checkedModel(folder, signal);
  const { model } = checked;
  const create = Object.hasOwn(converted, model.kind) ? converted[model.kind] : undefined;
  if (create) {
    const opened = await weightsOf(checked, folder, { signal });
    const decoder = await create(opened, `${folder.name}/${MODEL_FILE}`, backend, options);
    return { decoder, model, pending: 0 };
  }
  refuseConverted(model, folder);
  const given = (['stage', 'precision', 'subject'] as const).find((name) => options[name] !== undefined);
  if (given) {
    throw new F2iError('INVALID_ARGUMENT', 'an option for converted checkpoints alone', {
      field: given,
      expected: `nothing, for a decoder of kind ${model.kind}`,
      found: `${options[given]}`,
    });
  }
  const opened = await contentsOf(checked, folder, signal, onProgress);
  const pending = opened.contents.tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  return { decoder: decoderOf(opened, folder, backend), model, pending };
}

/** A decoder out of a bundle that was read; checks what its kind asks of config and tensors. */
export function decoderOf({ contents, warnings }: OpenedBundle, folder: Folder, backend: Backend): Decoder {
  const { kind } = contents;
  const file = `${folder.name}/${MODEL_FILE}`;
  const create = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!create) {
    const expected = Object.keys(kinds).join(', ');
    throw new F2iError('UNSUPPORTED', 'unknown kind of decoder', {
      file,
      field: 'kind',
      expected,
      found: kind,
    });
  }
  return create(warnings.length > 0 ? withWarnings(contents, warnings) : contents, file, backend);
}

/** Reports show the warnings of a decoder; every kind keeps them in `report.warnings`. */
function withWarnings(contents: BundleContents, warnings: readonly string[]): BundleContents {
  const own = Array.isArray(contents.report.warnings) ? contents.report.warnings : [];
  return { ...contents, report: { ...contents.report, warnings: [...warnings, ...own] } };
}

/**
 * Reads and verifies a bundle without making a decoder of it: for inspection. All of its numbers come into memory;
 * `openBundleWeights` reads those that are asked for.
 *
 * @throws UNSUPPORTED for converted weights of a model that this version cannot run
 */
export async function readBundle(
  folder: Folder,
  signal?: AbortSignal,
  onProgress?: (progress: LoadProgress) => void,
): Promise<OpenedBundle> {
  const checked = await checkedModel(folder, signal);
  refuseConverted(checked.model, folder);
  return contentsOf(checked, folder, signal, onProgress);
}

async function contentsOf(
  { model, ignored }: CheckedModel,
  folder: Folder,
  signal: AbortSignal | undefined,
  onProgress: ((progress: LoadProgress) => void) | undefined,
): Promise<OpenedBundle> {
  const { weights, complete } = await bundleWeights(folder, model, { signal, onProgress });
  const tensors: BundleTensor[] = [];
  for (const name of weights.entries.keys()) {
    tensors.push({ name, meaning: model.tensors[name]!.meaning, ...(await weights.read(name, signal)) });
  }
  await complete(signal);
  const { kind, input, output, config, report, ledger, seed, containsTrainingData } = model;
  const contents = { kind, input, output, config, report, ledger, seed, containsTrainingData, tensors };
  return { model, contents, warnings: newerVersion(model, ignored) };
}

/** A bundle whose description has been verified; its numbers are, as they are read. */
export interface OpenedWeights {
  readonly model: BundleModel;
  readonly weights: WeightSource;
  readonly warnings: readonly string[];
  /** Verifies what has not been read. */
  complete(signal?: AbortSignal): Promise<void>;
}

/**
 * Opens a bundle of any kind for its tensors, one by one: what is larger than memory is read by ranges, each verified by
 * the checksum of its 64 MiB.
 *
 * @throws FORMAT, IO or UNSUPPORTED as `openBundle`
 */
export async function openBundleWeights(
  folder: Folder,
  options: { signal?: AbortSignal | undefined; onProgress?: (progress: LoadProgress) => void } = {},
): Promise<OpenedWeights> {
  return weightsOf(await checkedModel(folder, options.signal), folder, options);
}

async function weightsOf(
  { model, ignored }: CheckedModel,
  folder: Folder,
  options: Parameters<typeof openBundleWeights>[1] & object,
): Promise<OpenedWeights> {
  return { model, warnings: newerVersion(model, ignored), ...(await bundleWeights(folder, model, options)) };
}

/** Kinds whose numbers may be larger than memory: they are read by ranges, and copied file by file. */
export const RANGED_KINDS: readonly string[] = [...CONVERTED_KINDS, HEADS_KIND];

function refuseConverted({ kind }: BundleModel, folder: Folder): void {
  if (!RANGED_KINDS.includes(kind)) return;
  const what = kind === HEADS_KIND ? 'ridge weights' : `converted weights of the model ${kind}`;
  throw new F2iError(
    'UNSUPPORTED',
    `the bundle holds ${what}, which are read part by part; fmri2image inspect shows and verifies them`,
    {
      file: `${folder.name}/${MODEL_FILE}`,
      field: 'kind',
      expected: Object.keys(kinds).join(', '),
      found: kind,
    },
  );
}

function newerVersion({ formatVersion, minReader }: BundleModel, ignored: readonly string[]): string[] {
  if (formatVersion <= FORMAT_VERSION) return [];
  const fields = ignored.length > 0 ? `; ignored: ${ignored.join(', ')}` : '';
  return [
    `the bundle is of format version ${formatVersion}, newer than this reader (${FORMAT_VERSION}), and says that readers from version ${minReader} on understand it${fields}`,
  ];
}

/**
 * Reads the description of a bundle alone, verified by its own checksum: what it is, without its numbers and without a
 * device.
 *
 * @throws FORMAT, IO or UNSUPPORTED as `openBundle`
 */
export async function readModel(folder: Folder, signal?: AbortSignal): Promise<BundleModel> {
  return (await checkedModel(folder, signal)).model;
}

/** @throws IO, which says so where another folder was named */
async function openModel(folder: Folder): Promise<Source> {
  try {
    return await folder.open(MODEL_FILE);
  } catch (cause) {
    if (!(cause instanceof F2iError && cause.code === 'IO')) throw cause;
    const names = await folder.list().catch((): undefined => undefined);
    if (!names || names.includes(MODEL_FILE)) throw cause;
    throw new F2iError('IO', 'no such file: the folder is no bundle', {
      file: `${folder.name}/${MODEL_FILE}`,
      cause,
    });
  }
}

async function checkedModel(folder: Folder, signal: AbortSignal | undefined): Promise<CheckedModel> {
  const source = await openModel(folder);
  const file = source.name;
  if (source.size > MAXIMUM_MODEL_BYTES) {
    throw new F2iError('FORMAT', 'too large for a bundle description', {
      file,
      expected: `at most ${MAXIMUM_MODEL_BYTES} bytes`,
      found: `${source.size}`,
    });
  }
  const bytes = await readAll(source, signal);
  const text = decodeUtf8(bytes, file);
  if (new TextEncoder().encode(text).length !== bytes.length) {
    throw new F2iError('FORMAT', 'starts with a byte order mark', { file });
  }
  const value = parseJson(text, file);
  checkVersion(value, file);
  await verifyContentHash(text, (value as { contentHash?: unknown }).contentHash, file);
  return checkModel(value, file);
}

/** The hash is over the file with 64 zeros in the hash's own place, so that it covers every other byte. */
async function verifyContentHash(text: string, stated: unknown, file: string): Promise<void> {
  const field = 'contentHash';
  if (typeof stated !== 'string' || !/^[0-9a-f]{64}$/.test(stated)) {
    throw new F2iError('FORMAT', 'no checksum of the description', {
      file,
      field,
      expected: '64 hex digits',
    });
  }
  const parts = text.split(`"contentHash": "${stated}"`);
  const found = await sha256(new TextEncoder().encode(parts.join(`"contentHash": "${'0'.repeat(64)}"`)));
  if (parts.length !== 2 || found !== stated) {
    throw new F2iError('FORMAT', 'the description was changed or damaged: its checksum differs', {
      file,
      field,
      expected: stated,
      found,
    });
  }
}
