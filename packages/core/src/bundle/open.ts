import type { Backend } from '../backend.ts';
import { openSafetensors } from '../data/formats/safetensors.ts';
import { parseJson } from '../data/json.ts';
import { decodeUtf8, type Folder, readAll } from '../data/source.ts';
import type { Decoder } from '../decoders/decoder.ts';
import { RidgeDecoder } from '../decoders/ridge/decoder.ts';
import { F2iError } from '../error.ts';
import type { BundleContents, BundleTensor } from './contents.ts';
import { CHUNK_BYTES, sha256, verifyFile } from './hash.ts';
import {
  type BundleModel,
  FORMAT_NAME,
  FORMAT_VERSION,
  MODEL_FILE,
  modelSchema,
  WEIGHTS_FILE,
} from './schema.ts';

/** Far above any real one. */
const MAXIMUM_MODEL_BYTES = 16 * 2 ** 20;

export interface OpenBundleOptions {
  backend: Backend;
  signal?: AbortSignal | undefined;
}

/** A bundle whose bytes have been verified. */
export interface OpenedBundle {
  readonly model: BundleModel;
  readonly contents: BundleContents;
}

/** Constructors of decoders out of bundles, by kind. */
const kinds: Record<string, (contents: BundleContents, file: string, backend: Backend) => Decoder> = {
  ridge: (contents, file, backend) => RidgeDecoder.fromBundle(contents, file, backend),
};

/**
 * Opens a fitted decoder. All checksums are verified before anything is used; only the two files of the bundle are
 * opened.
 *
 * @throws FORMAT for anything that is not a whole bundle of this version, naming file and field; IO for a file that
 *   is missing; UNSUPPORTED for a kind of decoder, or a version, that this reader does not know
 */
export async function openBundle(folder: Folder, { backend, signal }: OpenBundleOptions): Promise<Decoder> {
  const { contents } = await readBundle(folder, signal);
  const create = Object.hasOwn(kinds, contents.kind) ? kinds[contents.kind] : undefined;
  const file = `${folder.name}/${MODEL_FILE}`;
  if (!create) {
    const expected = Object.keys(kinds).join(', ');
    throw new F2iError('UNSUPPORTED', 'unknown kind of decoder', {
      file,
      field: 'kind',
      expected,
      found: contents.kind,
    });
  }
  return create(contents, file, backend);
}

/** Reads and verifies a bundle without making a decoder of it: for inspection. */
export async function readBundle(folder: Folder, signal?: AbortSignal): Promise<OpenedBundle> {
  const model = await readModel(folder, signal);
  const declared = model.files[WEIGHTS_FILE];
  const weights = await folder.open(WEIGHTS_FILE);
  const chunks = Math.max(1, Math.ceil(declared.bytes / CHUNK_BYTES));
  if (declared.sha256.length !== chunks) {
    throw new F2iError('FORMAT', 'one checksum for each 64 MiB', {
      file: `${folder.name}/${MODEL_FILE}`,
      field: `files.${WEIGHTS_FILE}.sha256`,
      expected: `${chunks}`,
      found: `${declared.sha256.length}`,
    });
  }
  await verifyFile(weights, declared, signal);
  const file = await openSafetensors(weights, signal);
  const names = new Set([...file.entries.keys(), ...Object.keys(model.tensors)]);
  const tensors: BundleTensor[] = [];
  for (const name of names) {
    const entry = file.entries.get(name);
    const said = Object.hasOwn(model.tensors, name) ? model.tensors[name] : undefined;
    const describe = (spec: { dtype: string; shape: readonly number[] } | undefined) =>
      spec ? `${spec.dtype} [${spec.shape.join(', ')}]` : 'none';
    if (describe(entry) !== describe(said)) {
      throw new F2iError('FORMAT', 'model.json and the weights disagree on a tensor', {
        file: weights.name,
        field: name,
        expected: describe(said),
        found: describe(entry),
      });
    }
    tensors.push({ name, meaning: said!.meaning, ...(await file.read(name, signal)) });
  }
  const { kind, input, output, config, report, ledger, seed, containsTrainingData } = model;
  const contents = { kind, input, output, config, report, ledger, seed, containsTrainingData, tensors };
  return { model, contents };
}

async function readModel(folder: Folder, signal: AbortSignal | undefined): Promise<BundleModel> {
  const source = await folder.open(MODEL_FILE);
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
  const record = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  if (record.format !== FORMAT_NAME) {
    const found = JSON.stringify(record.format) ?? 'nothing';
    throw new F2iError('FORMAT', 'not a bundle', {
      file,
      field: 'format',
      expected: `"${FORMAT_NAME}"`,
      found,
    });
  }
  if (record.formatVersion !== FORMAT_VERSION) {
    throw new F2iError(
      'UNSUPPORTED',
      'this version of the bundle format is not read; a newer fmri2image may',
      {
        file,
        field: 'formatVersion',
        expected: `${FORMAT_VERSION}`,
        found: JSON.stringify(record.formatVersion) ?? 'nothing',
      },
    );
  }
  await verifyContentHash(text, record.contentHash, file);
  const parsed = modelSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.path.join('.') || 'the whole';
    throw new F2iError('FORMAT', issue.message, { file, field });
  }
  return parsed.data;
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
