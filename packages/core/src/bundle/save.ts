import { encodeSafetensors } from '../data/formats/safetensors.ts';
import type { Json } from '../data/json.ts';
import { F2iError } from '../error.ts';
import { VERSION } from '../version.ts';
import type { BundleContents } from './contents.ts';
import { CHUNK_BYTES, chunkHashes, sha256 } from './hash.ts';
import { checkModel, FORMAT_NAME, MODEL_FILE, WEIGHTS_FILE } from './schema.ts';

/** Puts one file into the new bundle. The folder should appear under its final name only when all are in. */
export type BundleWriter = (path: string, bytes: Uint8Array) => Promise<void>;

export interface SaveOptions {
  /** When it was made. Absent by default, so that the same fit gives the same bytes. */
  created?: Date | undefined;
  /** Terms of use of the data that the decoder was fitted on. */
  dataTerms?: string | undefined;
  consentReference?: string | undefined;
  /** Name of the person that is not theirs. */
  pseudonym?: string | undefined;
}

const BLANK_HASH = '0'.repeat(64);

/**
 * Writes a fitted decoder as a bundle (docs/bundle.md).
 *
 * @returns the content hash: the bundle's identity
 */
export async function saveBundle(
  decoder: { toBundle(): BundleContents },
  write: BundleWriter,
  options: SaveOptions = {},
): Promise<string> {
  const { tensors, ...contents } = decoder.toBundle();
  const weights = encodeSafetensors(tensors, { format: FORMAT_NAME });
  const described = tensors.map(({ name, dtype, shape, meaning }) => [name, { dtype, shape, meaning }]);
  const files = {
    [WEIGHTS_FILE]: { bytes: weights.length, chunkBytes: CHUNK_BYTES, sha256: await chunkHashes(weights) },
  };
  await write(WEIGHTS_FILE, weights);
  // The model last: a bundle without it is not taken for a whole one.
  return writeModel({ ...contents, tensors: Object.fromEntries(described), files }, write, {
    // The lowest that describes it.
    version: contents.output.kind === 'labels' ? 3 : 1,
    ...options,
  });
}

/** Fields of `model.json` that are not the same for every bundle. */
export type ModelFields = Omit<BundleContents, 'tensors'> & { tensors: object; files: object };

/**
 * Writes `model.json`, with the content hash over all of it.
 *
 * @param version of the format, and of the readers that it asks for
 * @returns the content hash
 */
export async function writeModel(
  { tensors, files, ...contents }: ModelFields,
  write: BundleWriter,
  { version, ...options }: SaveOptions & { version: number },
): Promise<string> {
  const model = {
    format: FORMAT_NAME,
    formatVersion: version,
    minReader: version,
    contentHash: BLANK_HASH,
    writer: { name: 'fmri2image', version: VERSION },
    created: options.created?.toISOString(),
    ...contents,
    dataTerms: options.dataTerms,
    consentReference: options.consentReference,
    pseudonym: options.pseudonym,
    tensors,
    files,
  };
  const blank = serialise(model);
  try {
    checkModel(JSON.parse(blank), 'the decoder');
  } catch (cause) {
    throw new F2iError('INVALID_ARGUMENT', `cannot be written as a bundle: ${(cause as Error).message}`, {
      cause,
    });
  }
  const contentHash = await sha256(new TextEncoder().encode(blank));
  await write(MODEL_FILE, new TextEncoder().encode(serialise({ ...model, contentHash })));
  return contentHash;
}

function serialise(model: object): string {
  return `${JSON.stringify(model as Json, undefined, 2)}\n`;
}
