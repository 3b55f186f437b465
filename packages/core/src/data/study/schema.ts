import { z } from 'zod';
import { F2iError } from '../../error.ts';
import { parseJson } from '../json.ts';
import { schemaError } from '../schema_error.ts';

export const STUDY_FORMAT = 'fmri2image-study';
export const STUDY_VERSION = 1;

const path = z.string().min(1).max(4096);
const label = z.union([z.string().min(1), z.int()]).transform(String);
const positive = z.number().positive();
/** Of a picture, in pixels. */
const side = z.int().positive().max(8192);

const voxels = z.strictObject({
  /** One file, or one for each run, in order; their rows are put one after the other. */
  file: z.union([path, z.array(path).min(1)]),
  /** Name of the array in an npz or safetensors file. */
  array: z.string().optional(),
  /** What one row is: a volume of a time series, or the response (beta) to one trial. */
  rows: z.enum(['volumes', 'trials']),
  /** Axes of a matrix file. */
  orientation: z.enum(['rows-by-voxels', 'voxels-by-rows']).default('rows-by-voxels'),
  /** NIfTI only: an image of the same grid; voxels where it is not 0 are taken, x fastest. */
  mask: path.optional(),
  /** Tables only: columns that are no voxels, such as a column of times. */
  dropColumns: z.array(z.string()).optional(),
  /** Leave out voxels with values that are not finite, instead of refusing them. */
  dropBadVoxels: z.boolean().default(false),
});

const run = z.strictObject({
  name: label,
  /** First and last row of `voxels` (inclusive), counted from `indexBase`. */
  first: z.int().nonnegative(),
  last: z.int().nonnegative(),
  /** The recording goes on from the run before: both are stretches (sweeps, blocks) of one scan. */
  continues: z.boolean().optional(),
  session: label.optional(),
  group: label.optional(),
  split: z.string().min(1).optional(),
});

const trialsTable = z.strictObject({
  file: path,
  /** Names of the columns where they differ from the fields': { "stimulus": "coco_id" }. */
  columns: z.record(z.string(), z.string()).default({}),
  /** Whether the file's first line names its columns; if not, `columns` gives indices from 0. */
  header: z.boolean().default(true),
  /** Whether onsets in seconds or volumes count from the start of their run or of the whole series. */
  onsetFrom: z.enum(['run', 'series']).default('run'),
  /** Labels that are no trials, such as rest. */
  dropLabels: z.array(z.string()).optional(),
});

const everyVolume = z.strictObject({
  /** A continuous stimulus: volume i shows picture i of the stimuli. */
  everyVolume: z.literal(true),
});

const axis = z.enum(['stimulus', 'x', 'y', 'channel', 'feature']);

const stimulusArray = z.strictObject({
  file: path,
  array: z.string().optional(),
  /** Meaning of the array's axes, slowest first; `feature` axes may repeat. */
  axes: z.array(axis).min(2),
  /** Pictures only: stored values of black and white. */
  range: z.tuple([z.number(), z.number()]).optional(),
  /** Pictures only: block means over so many pixels. */
  reduce: z.strictObject({ x: z.int().positive(), y: z.int().positive() }).optional(),
  /** Features only: of which model and layer. */
  name: z.string().optional(),
});

const stimulusFolder = z.strictObject({
  /** Trials name their picture by its path inside this folder. */
  folder: path,
  /** Height and width that pictures are resized to (by area means and linear interpolation). */
  size: z.tuple([side, side]),
  colour: z.enum(['grey', 'rgb']).default('grey'),
});

const visualField = z.strictObject({
  /** Extent of the pictures in degrees of visual angle. */
  widthDegrees: positive,
  heightDegrees: positive,
  /** Where (0, 0) lies; in degrees from the picture's centre (x to the right, y up) where it is none of these. */
  origin: z.union([
    z.enum(['centre', 'top-left', 'bottom-left']),
    z.strictObject({ x: z.number(), y: z.number() }),
  ]),
  /** Where the index of the stored y axis grows to. */
  yDirection: z.enum(['up', 'down']),
});

/** `study.json`, version 1. Strict: a key that is not listed is an error. docs/study.md explains each. */
export const studySchema = z.strictObject({
  format: z.literal(STUDY_FORMAT),
  version: z.literal(STUDY_VERSION),
  name: z.string().min(1).max(200),
  description: z.string().optional(),
  /** Licence or terms of the data, for reports. */
  dataTerms: z.string().optional(),
  /** Reference of the consent under which the data were taken: a protocol, an approval. */
  consentReference: z.string().optional(),
  /** Name of the person that is not theirs: sub-01. */
  pseudonym: z.string().optional(),
  /** Repetition time in seconds; required where rows are volumes. */
  tr: positive.optional(),
  /** Take `tr` although a NIfTI header states another. */
  trOverride: z.boolean().default(false),
  /** Whether indices in this study (volumes, stimuli) count from 0 or from 1. */
  indexBase: z.union([z.literal(0), z.literal(1)]),
  voxels,
  runs: z.array(run).min(1).optional(),
  trials: z.union([everyVolume, trialsTable]),
  stimuli: z.union([stimulusArray, stimulusFolder]).optional(),
  visualField: visualField.optional(),
  /** Trials whose picture has at least `pixels` values above `above` are scored; all when absent. */
  scored: z.strictObject({ above: z.number(), pixels: z.int().positive() }).optional(),
});

export type StudyManifest = z.infer<typeof studySchema>;
export type StimulusArray = z.infer<typeof stimulusArray>;
export type StimulusFolder = z.infer<typeof stimulusFolder>;
export type VisualField = z.infer<typeof visualField>;

/** What fields of a structure of their own hold, in the words of docs/study.md. */
const MEANINGS: Readonly<Record<string, string>> = {
  size: '[height, width] in pixels',
  range: '[black, white], two stored values',
  reduce: '{ "x": pixels, "y": pixels }',
  axes: 'a list of stimulus, x, y, channel or feature, slowest axis first',
  scored: '{ "above": level, "pixels": count }',
  trials: '{ "file": path, ... } or { "everyVolume": true }',
  stimuli: '{ "folder": path, "size": [height, width], ... } or { "file": path, "axes": [...], ... }',
  voxels: '{ "file": path, "rows": "volumes" or "trials", ... }',
  runs: 'a list of { "name", "first", "last", ... }',
  columns: 'an object of names of columns, such as { "stimulus": "picture" }',
  origin: '"centre", "top-left", "bottom-left" or { "x": degrees, "y": degrees }',
};

/** Parses and checks a manifest; errors name the file and the path of the field inside it. */
export function parseManifest(text: string, file: string): StudyManifest {
  const json = parseJson(text, file);
  const result = studySchema.safeParse(json);
  if (!result.success) {
    throw schemaError(json, result.error.issues, studySchema, file, {
      whole: 'the manifest',
      meanings: MEANINGS,
    });
  }
  const manifest = result.data;
  if (manifest.voxels.rows === 'volumes' && manifest.tr === undefined) {
    throw new F2iError('FORMAT', 'a time series needs its repetition time', {
      file,
      field: 'tr',
      expected: 'seconds from one volume to the next',
      found: 'nothing',
    });
  }
  if ('everyVolume' in manifest.trials && manifest.voxels.rows !== 'volumes') {
    throw new F2iError('FORMAT', 'only a time series has volumes', {
      file,
      field: 'trials.everyVolume',
      expected: 'voxels.rows "volumes"',
      found: `"${manifest.voxels.rows}"`,
    });
  }
  return manifest;
}
