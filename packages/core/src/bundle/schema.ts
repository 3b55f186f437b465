import { z } from 'zod';
import { CHUNK_BYTES } from './hash.ts';

export const FORMAT_NAME = 'fmri2image-bundle';
/** Raised when a bundle changes in a way that older readers would misread. */
export const FORMAT_VERSION = 1;

export const MODEL_FILE = 'model.json';
export const WEIGHTS_FILE = 'weights.safetensors';

const count = z.int().nonnegative();
const extents = z.array(z.int().positive()).min(1).max(8);
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');
const text = z.string().max(10_000);
const free = z.record(z.string(), z.json());

/** `model.json`, version 1. Strict: a field that is not listed is an error. docs/bundle.md explains each. */
export const modelSchema = z.strictObject({
  format: z.literal(FORMAT_NAME),
  formatVersion: z.literal(FORMAT_VERSION),
  minReader: z.int().min(1).max(FORMAT_VERSION),
  contentHash: digest,
  kind: z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected a short lower-case name'),
  writer: z.strictObject({ name: text, version: text }),
  created: z.iso.datetime().optional(),
  seed: z.int(),
  containsTrainingData: z.boolean(),
  input: z.strictObject({
    voxels: z.int().positive(),
    selection: text.optional(),
    selectionSha256: digest.optional(),
    repetitionTime: z.number().positive().optional(),
    preprocess: z.array(z.strictObject({ name: text, settings: z.json() })).optional(),
  }),
  output: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('picture'), shape: extents, range: z.tuple([z.number(), z.number()]) }),
    z.strictObject({ kind: z.literal('features'), shape: extents, name: text.optional() }),
  ]),
  config: free,
  report: free,
  ledger: z.array(
    z.strictObject({
      step: text,
      runs: z.array(text),
      sawTest: z.enum(['yes', 'no', 'unknown']),
      note: text.optional(),
    }),
  ),
  tensors: z.record(
    z.string(),
    z.strictObject({ dtype: z.enum(['f32', 'f64', 'i32']), shape: z.array(count).max(8), meaning: text }),
  ),
  files: z.strictObject({
    [WEIGHTS_FILE]: z.strictObject({
      bytes: count,
      chunkBytes: z.literal(CHUNK_BYTES),
      sha256: z.array(digest).min(1),
    }),
  }),
  dataTerms: text.optional(),
  consentReference: text.optional(),
  pseudonym: text.optional(),
});

export type BundleModel = z.infer<typeof modelSchema>;
