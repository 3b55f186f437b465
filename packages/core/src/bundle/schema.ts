import { z } from 'zod';
import type { Json } from '../data/json.ts';
import { schemaError } from '../data/schema_error.ts';
import { F2iError } from '../error.ts';
import { CHUNK_BYTES } from './hash.ts';

export const FORMAT_NAME = 'fmri2image-bundle';
/**
 * Version of this reader: it opens every bundle whose `minReader` is not above it. Raised when fields are added. A bundle
 * is written in the lowest version that describes it; version 2 adds several files of weights, f16 and bf16, version 3
 * decoders whose output are labels.
 */
export const FORMAT_VERSION = 3;

export const MODEL_FILE = 'model.json';
export const WEIGHTS_FILE = 'weights.safetensors';
/** Name of one of several files of weights; both numbers count from 1. */
export const shardFile = (index: number, count: number): string =>
  `weights-${`${index}`.padStart(5, '0')}-of-${`${count}`.padStart(5, '0')}.safetensors`;
const WEIGHT_FILES = /^weights(-\d{5}-of-\d{5})?\.safetensors$/;
export const isWeightsFile = (name: string): boolean => WEIGHT_FILES.test(name);

const count = z.int().nonnegative();
const extents = z.array(z.int().positive()).min(1).max(8);
const digest = z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits');
const text = z.string().max(10_000);
const free = z.record(z.string(), z.json());

/**
 * `model.json`; docs/bundle.md explains each field. Of a version that this reader knows, a field that is not listed is an
 * error; of a newer one that it may read (`minReader`), such fields are left out.
 */
function schemaOf(version: 1 | 2 | 3 | 'newer') {
  const object = (version === 'newer' ? z.object : z.strictObject) as typeof z.strictObject;
  const file = object({ bytes: count, chunkBytes: z.literal(CHUNK_BYTES), sha256: z.array(digest).min(1) });
  const tensor = { shape: z.array(count).max(8), meaning: text };
  const outputs = [
    object({ kind: z.literal('picture'), shape: extents, range: z.tuple([z.number(), z.number()]) }),
    object({ kind: z.literal('features'), shape: extents, name: text.optional() }),
  ] as const;
  const names = z.array(text.min(1)).min(2);
  const labels = object({ kind: z.literal('labels'), shape: z.tuple([z.int().min(2)]), names });
  const withLabels = z.discriminatedUnion('kind', [...outputs, labels]);
  const several = z
    .record(z.string().regex(WEIGHT_FILES, 'the name of a file of weights'), file)
    .refine((files) => Object.keys(files).length > 0, 'at least one file of weights');
  return object({
    format: z.literal(FORMAT_NAME),
    formatVersion: z.int().positive(),
    minReader: z.int().positive(),
    contentHash: digest,
    kind: z.string().regex(/^[a-z][a-z0-9-]*$/, 'a short lower-case name'),
    writer: object({ name: text, version: text }),
    created: z.iso.datetime({ error: 'a date and time, such as 2026-01-31T12:00:00Z' }).optional(),
    seed: z.int(),
    containsTrainingData: z.boolean(),
    input: object({
      voxels: z.int().positive(),
      selection: text.optional(),
      selectionSha256: digest.optional(),
      repetitionTime: z.number().positive().optional(),
      preprocess: z.array(object({ name: text, settings: z.json() })).optional(),
    }),
    output: version === 1 || version === 2 ? z.discriminatedUnion('kind', outputs) : withLabels,
    config: free,
    report: free,
    ledger: z.array(
      object({
        step: text,
        runs: z.array(text),
        sawTest: z.enum(['yes', 'no', 'unknown']),
        note: text.optional(),
      }),
    ),
    tensors:
      version === 1
        ? z.record(z.string(), object({ dtype: z.enum(['f32', 'f64', 'i32']), ...tensor }))
        : z.record(
            z.string(),
            object({
              dtype: z.enum(['f32', 'f64', 'i32', 'f16', 'bf16']),
              ...tensor,
              parts: z
                .array(object({ file: text, rows: count }))
                .min(1)
                .max(10_000)
                .optional(),
            }),
          ),
    files:
      version === 1
        ? object({ [WEIGHTS_FILE]: file })
        : version === 'newer'
          ? z.preprocess(onlyWeights, several)
          : several,
    dataTerms: text.optional(),
    consentReference: text.optional(),
    pseudonym: text.optional(),
  });
}

/** Of a newer version, files of other kinds do not matter. */
function onlyWeights(files: unknown): unknown {
  if (typeof files !== 'object' || files === null || Array.isArray(files)) return files;
  return Object.fromEntries(Object.entries(files).filter(([name]) => isWeightsFile(name)));
}

const first = schemaOf(1);
const second = schemaOf(2);
const third = schemaOf(3);
const newer = schemaOf('newer');

/** One file of weights, as `model.json` describes it. */
export interface BundleFile {
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly sha256: readonly string[];
}
/** A tensor, as `model.json` describes it. */
export interface TensorDescription {
  readonly dtype: 'f32' | 'f64' | 'i32' | 'f16' | 'bf16';
  readonly shape: readonly number[];
  readonly meaning: string;
  /** Where its rows lie, in order; absent where it lies whole in `weights.safetensors`. */
  readonly parts?: readonly { readonly file: string; readonly rows: number }[] | undefined;
}
export type BundleModel = Omit<z.infer<typeof third>, 'files' | 'tensors'> & {
  readonly files: Readonly<Record<string, BundleFile>>;
  readonly tensors: Readonly<Record<string, TensorDescription>>;
};

const WORDS = {
  whole: 'the whole',
  meanings: {
    'output.kind': '"picture", "features" or, from version 3 on, "labels"',
    shape: 'a list of 1 to 8 whole numbers above 0',
    range: '[black, white]',
    runs: 'a list of texts',
    created: 'a date and time, such as 2026-01-31T12:00:00Z',
    ledger: 'a list of { "step", "runs", "sawTest" }',
    tensors: 'an object of { "dtype", "shape", "meaning" }',
    files: 'an object of { "bytes", "chunkBytes", "sha256" }',
    parts: 'a list of { "file", "rows" }',
  },
};

export interface CheckedModel {
  readonly model: BundleModel;
  /** Paths of fields that this reader does not know; of bundles of a newer version alone. */
  readonly ignored: readonly string[];
}

/**
 * Checks the content of `model.json`, whose version a reader has accepted.
 *
 * @throws FORMAT, naming field, expected and found
 */
export function checkModel(value: Json, file: string): CheckedModel {
  const { formatVersion } = value as { formatVersion: number };
  const schema = formatVersion > FORMAT_VERSION ? newer : [first, second, third][formatVersion - 1]!;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw schemaError(value, parsed.error.issues, schema, file, WORDS);
  const model = parsed.data as BundleModel;
  return { model, ignored: schema === newer ? missingKeys(value, parsed.data as Json) : [] };
}

/**
 * Whether this reader may open the bundle at all. These three fields, and `contentHash`, mean the same in every version.
 *
 * @throws FORMAT for what is no bundle; UNSUPPORTED for one that needs a newer reader, naming both versions
 */
export function checkVersion(value: Json, file: string): void {
  const record = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  const { format, formatVersion, minReader } = record;
  const shown = (found: Json | undefined) => JSON.stringify(found) ?? 'nothing';
  const refuse = (field: string, message: string, expected: string, found: string) =>
    new F2iError('FORMAT', message, { file, field, expected, found });
  if (format !== FORMAT_NAME) throw refuse('format', 'not a bundle', `"${FORMAT_NAME}"`, shown(format));
  for (const [field, version] of [
    ['formatVersion', formatVersion],
    ['minReader', minReader],
  ] as const) {
    if (!Number.isSafeInteger(version) || (version as number) < 1) {
      throw refuse(field, 'not a version', 'a whole number above 0', shown(version));
    }
  }
  const [version, needed] = [formatVersion as number, minReader as number];
  if (needed > version) {
    throw refuse('minReader', 'needs a newer reader than its own version', `at most ${version}`, `${needed}`);
  }
  if (needed > FORMAT_VERSION) {
    throw new F2iError(
      'UNSUPPORTED',
      `a bundle of format version ${version} that needs a reader of version ${needed}; this one is ${FORMAT_VERSION}: a newer fmri2image may open it`,
      { file, field: 'minReader', expected: `at most ${FORMAT_VERSION}`, found: `${needed}` },
    );
  }
}

/** Paths of the keys that a value has and its parsed form has not. */
function missingKeys(value: Json, parsed: Json, path = ''): string[] {
  if (typeof value !== 'object' || value === null || typeof parsed !== 'object' || parsed === null) return [];
  const [all, kept] = [value, parsed] as Record<string, Json>[];
  return Object.entries(all!).flatMap(([key, inner]) => {
    const at = path ? `${path}.${key}` : key;
    return Object.hasOwn(kept!, key) ? missingKeys(inner, kept![key]!, at) : [at];
  });
}
