import { F2iError } from '../../error.ts';
import { parseNumber } from '../formats/table.ts';
import type { Folder, Source } from '../source.ts';
import { readText, relativePath } from '../source.ts';
import { didYouMean } from './nearest.ts';
import { parseManifest, type StudyManifest } from './schema.ts';
import { takeVoxels } from './selection.ts';
import { type PictureCodec, readStimulusArray, readStimulusFolder, type WantedPicture } from './stimuli.ts';
import type { Stimuli, Study, Trial } from './study.ts';
import { type PlacedTrials, readTrials, studyRuns, turnedHint, volumeTrials } from './trials.ts';
import { type RawVoxels, readVoxels } from './voxels.ts';

/** Paths with this prefix lie in the data folder, others in the manifest's. */
export const DATA_PREFIX = 'data:';

export interface LoadStudyOptions {
  /** The folder that `data:` paths lie in. */
  data?: Folder | undefined;
  /** For pictures that are not PNG. */
  codec?: PictureCodec | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reads a study: its manifest, voxels, trials and stimuli, and checks that they belong together. Nothing outside
 * the manifest's folder and the data folder is opened.
 *
 * @param folder that holds the manifest
 * @param path of the manifest inside it
 * @throws F2iError FORMAT, IO, USAGE, naming file, field, expected and found
 */
export async function loadStudy(
  folder: Folder,
  path: string,
  options: LoadStudyOptions = {},
): Promise<Study> {
  const { signal } = options;
  const source = await folder.open(path);
  const manifest = parseManifest(await readText(source, signal), source.name);
  const open = opener(folder, options.data, source.name);

  const raw = await readVoxels(manifest, open, signal);
  const stated = studyRuns(manifest, raw.rowsOfFile, source.name);
  const placed: PlacedTrials =
    'everyVolume' in manifest.trials
      ? {
          runs: stated,
          trials: volumeTrials(stated, manifest.indexBase),
          stimulusAt: () => ({ file: source.name, field: 'trials.everyVolume' }),
          warnings: [],
        }
      : await readTrials(manifest, await open(manifest.trials.file, 'trials.file'), stated, raw, signal);
  const { runs } = placed;
  const {
    stimuli,
    trials,
    warnings: oddPictures,
  } = await readStimuli(manifest, placed, raw, folder, options, open, source.name);
  const { voxels, selection, warnings, repairs } = checkVoxels(raw, manifest, source.name);
  return {
    name: manifest.name,
    description: manifest.description,
    dataTerms: manifest.dataTerms,
    consentReference: manifest.consentReference,
    pseudonym: manifest.pseudonym,
    voxels,
    rows: manifest.voxels.rows,
    tr: manifest.tr,
    runs,
    trials,
    continuous: 'everyVolume' in manifest.trials,
    stimuli,
    indexBase: manifest.indexBase,
    visualField: manifest.visualField,
    scored: scoredTrials(manifest, trials, stimuli),
    selection,
    warnings: [
      ...oddRepetitionTime(manifest.tr),
      ...raw.warnings,
      ...warnings,
      ...oddPictures,
      ...placed.warnings,
      ...oddSplits(trials),
    ],
    repairs,
  };
}

type Opener = (path: string, field: string) => Promise<Source>;

function opener(folder: Folder, data: Folder | undefined, manifest: string): Opener {
  return async (path, field) => {
    // Checked here, although folders check it too: so that the error names the manifest and its field.
    const inner = path.startsWith(DATA_PREFIX) ? path.slice(DATA_PREFIX.length) : path;
    const inside = relativePath(inner, manifest, field);
    if (inner === path) return openNamed(folder, inside, path, manifest, field);
    if (!data) {
      throw new F2iError('USAGE', `the study needs its data folder for ${path} (--data FOLDER)`, {
        file: manifest,
        field,
      });
    }
    return openNamed(data, inside, path, manifest, field);
  };
}

/** Opens a file; if that fails, the error names the field of the manifest that asked for it. */
async function openNamed(
  folder: Folder,
  inner: string,
  path: string,
  file: string,
  field: string,
): Promise<Source> {
  try {
    return await folder.open(inner);
  } catch (cause) {
    if (!(cause instanceof F2iError) || cause.code !== 'IO') throw cause;
    const names = await folder.list().catch((): undefined => undefined);
    const message =
      !names || names.includes(inner)
        ? `cannot read ${path}: ${cause.message}`
        : names.some((name) => name.startsWith(`${inner}/`))
          ? `${path} is a folder, not a file`
          : `${path}: no such file in ${folder.name}${didYouMean(inner, names)}`;
    throw new F2iError('IO', message, { file, field, cause });
  }
}

interface ReadStimuli {
  readonly stimuli: Stimuli | undefined;
  readonly trials: Trial[];
  readonly warnings: readonly string[];
}

async function readStimuli(
  manifest: StudyManifest,
  { trials: named, stimulusAt }: PlacedTrials,
  raw: RawVoxels,
  folder: Folder,
  { data, codec, signal }: LoadStudyOptions,
  open: Opener,
  file: string,
): Promise<ReadStimuli> {
  const options = manifest.stimuli;
  if (!options) {
    const trials = named.map(({ stimulus, ...trial }) =>
      stimulus === undefined ? trial : { ...trial, stimulusName: stimulus },
    );
    return { stimuli: undefined, trials, warnings: [] };
  }
  const stated = named.map(({ stimulus }, i) => {
    if (stimulus !== undefined) return stimulus;
    throw new F2iError('FORMAT', `trial ${i + 1} names no stimulus`, stimulusAt(i));
  });
  if ('folder' in options) {
    const fromData = options.folder.startsWith(DATA_PREFIX);
    if (fromData && !data) await open(options.folder, 'stimuli.folder');
    const path = fromData ? options.folder.slice(DATA_PREFIX.length) : options.folder;
    relativePath(path, file, 'stimuli.folder');
    const indexOf = new Map<string, number>();
    const wanted: WantedPicture[] = [];
    for (const [i, name] of stated.entries()) {
      if (indexOf.has(name)) continue;
      indexOf.set(name, wanted.length);
      wanted.push({ name, ...stimulusAt(i) });
    }
    const within = { ...options, folder: path };
    const pictures = await readStimulusFolder(within, fromData ? data! : folder, wanted, file, codec, signal);
    const trials = named.map((trial, i) => ({ ...trial, stimulus: indexOf.get(stated[i]!)! }));
    return { ...pictures, trials };
  }
  const source = await open(options.file, 'stimuli.file');
  const { stimuli, warnings } = await readStimulusArray(options, manifest, source, signal);
  const count = stimuli.names.length;
  if ('everyVolume' in manifest.trials && count !== raw.rows) {
    const message = `a continuous stimulus has a picture for each volume${turnedHint(manifest, raw, count)}`;
    throw new F2iError('FORMAT', message, {
      file,
      field: 'stimuli',
      expected: `${raw.rows}, the volumes of ${[manifest.voxels.file].flat().join(', ')}`,
      found: `${count}`,
    });
  }
  const trials = named.map((trial, i) => {
    const text = stated[i]!;
    const stimulus = (parseNumber(text) ?? Number.NaN) - manifest.indexBase;
    if (!Number.isInteger(stimulus) || stimulus < 0 || stimulus >= count) {
      throw new F2iError('FORMAT', `trial ${i + 1} shows a stimulus that does not exist`, {
        ...stimulusAt(i),
        expected: `${manifest.indexBase} to ${count - 1 + manifest.indexBase} (${options.file} has ${count})`,
        found: text,
      });
    }
    return { ...trial, stimulus };
  });
  return { stimuli, trials, warnings };
}

/** Refuses (or, on request, drops) voxels that are not finite; points out those that never change. */
function checkVoxels(raw: RawVoxels, manifest: StudyManifest, file: string) {
  const { data, rows, selection } = raw;
  const count = selection.indices.length;
  if (rows === 0 || count === 0) {
    throw new F2iError('FORMAT', 'no voxels', {
      file,
      field: 'voxels',
      found: `${rows} rows of ${count} voxels`,
    });
  }
  // Row by row, as they lie in memory.
  const isBad = new Uint8Array(count);
  const changes = new Uint8Array(count);
  for (let r = 0; r < rows; r++) {
    for (let v = 0, at = r * count; v < count; v++, at++) {
      const value = data[at]!;
      if (!Number.isFinite(value)) isBad[v] = 1;
      if (value !== data[v]) changes[v] = 1;
    }
  }
  const bad: number[] = [];
  let constant = 0;
  for (let v = 0; v < count; v++) {
    if (isBad[v]) bad.push(v);
    else if (!changes[v] && rows > 1) constant++;
  }
  const warnings = constant > 0 ? [`${constant} of ${count} voxels never change; they carry nothing`] : [];
  if (bad.length === 0) return { voxels: { data, shape: [rows, count] }, selection, warnings, repairs: [] };

  const which = `${bad.length} of ${count} voxels (${bad.slice(0, 5).join(', ')}${bad.length > 5 ? ', ...' : ''})`;
  if (!manifest.voxels.dropBadVoxels || bad.length === count) {
    throw new F2iError(
      'FORMAT',
      `values that are not finite in ${which} (voxels.dropBadVoxels: true leaves them out)`,
      {
        file,
        field: 'voxels',
        expected: 'finite numbers',
      },
    );
  }
  const dropped = new Set(bad);
  const kept = Int32Array.from({ length: count }, (_, v) => v).filter((v) => !dropped.has(v));
  const clean = new Float32Array(rows * kept.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < kept.length; c++) clean[r * kept.length + c] = data[r * count + kept[c]!]!;
  }
  return {
    voxels: { data: clean, shape: [rows, kept.length] },
    selection: takeVoxels(selection, kept),
    warnings,
    repairs: [`left out ${which} with values that are not finite`],
  };
}

function scoredTrials(
  { scored }: StudyManifest,
  trials: readonly Trial[],
  stimuli: Stimuli | undefined,
): Int32Array {
  const all = Int32Array.from(trials, (_, i) => i);
  if (!scored || !stimuli) return all;
  const length = stimuli.values.data.length / stimuli.names.length;
  return all.filter((i) => {
    const at = trials[i]!.stimulus! * length;
    const picture = stimuli.values.data.subarray(at, at + length);
    return picture.reduce((count, value) => count + (value > scored.above ? 1 : 0), 0) >= scored.pixels;
  });
}

/** No scanner takes a minute for a volume. */
function oddRepetitionTime(tr: number | undefined): string[] {
  if (tr === undefined || tr <= 60) return [];
  return [`the repetition time (tr) is ${tr} s: was it written in milliseconds?`];
}

/** Names of splits that nothing here looks for; most likely misspelt. */
function oddSplits(trials: readonly Trial[]): string[] {
  const usual = ['train', 'validation', 'test'];
  const odd = new Set(trials.flatMap(({ split }) => (split && !usual.includes(split) ? [split] : [])));
  return [...odd].map(
    (name) => `split "${name}" is none of ${usual.join(', ')}: its trials take part only by name`,
  );
}
