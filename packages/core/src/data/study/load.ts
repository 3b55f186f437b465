import { F2iError } from '../../error.ts';
import { parseNumber } from '../formats/table.ts';
import type { Folder, Source } from '../source.ts';
import { readText, relativePath } from '../source.ts';
import { parseManifest, type StudyManifest } from './schema.ts';
import { type PictureCodec, readStimulusArray, readStimulusFolder } from './stimuli.ts';
import type { Stimuli, Study, Trial } from './study.ts';
import { type NamedTrial, readTrials, studyRuns, volumeTrials } from './trials.ts';
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
  const { runs, trials: named } =
    'everyVolume' in manifest.trials
      ? { runs: stated, trials: volumeTrials(stated, manifest.indexBase) }
      : await readTrials(manifest, await open(manifest.trials.file, 'trials.file'), stated, raw.rows, signal);
  const { stimuli, trials } = await readStimuli(manifest, named, folder, options, open, source.name);
  if ('everyVolume' in manifest.trials && stimuli && stimuli.names.length !== raw.rows) {
    throw new F2iError('FORMAT', 'a continuous stimulus has a picture for each volume', {
      file: source.name,
      field: 'stimuli',
      expected: `${raw.rows}, the volumes of ${[manifest.voxels.file].flat().join(', ')}`,
      found: `${stimuli.names.length}`,
    });
  }
  const { voxels, selection, warnings, repairs } = checkVoxels(raw, manifest, source.name);
  return {
    name: manifest.name,
    description: manifest.description,
    dataTerms: manifest.dataTerms,
    voxels,
    rows: manifest.voxels.rows,
    tr: manifest.tr,
    runs,
    trials,
    continuous: 'everyVolume' in manifest.trials,
    stimuli,
    visualField: manifest.visualField,
    scored: scoredTrials(manifest, trials, stimuli),
    selection,
    warnings: [...raw.warnings, ...warnings, ...oddSplits(trials)],
    repairs,
  };
}

type Opener = (path: string, field: string) => Promise<Source>;

function opener(folder: Folder, data: Folder | undefined, manifest: string): Opener {
  return async (path, field) => {
    // Checked here, although folders check it too: so that the error names the manifest and its field.
    const inner = path.startsWith(DATA_PREFIX) ? path.slice(DATA_PREFIX.length) : path;
    relativePath(inner, manifest, field);
    if (inner === path) return folder.open(path);
    if (!data) {
      throw new F2iError('USAGE', `the study needs its data folder for ${path} (--data FOLDER)`, {
        file: manifest,
        field,
      });
    }
    return data.open(inner);
  };
}

async function readStimuli(
  manifest: StudyManifest,
  named: readonly NamedTrial[],
  folder: Folder,
  { data, codec, signal }: LoadStudyOptions,
  open: Opener,
  file: string,
): Promise<{ stimuli: Stimuli | undefined; trials: Trial[] }> {
  const options = manifest.stimuli;
  if (!options) return { stimuli: undefined, trials: named.map(({ stimulus: _, ...trial }) => trial) };
  if ('folder' in options) {
    const names = [...new Set(named.flatMap(({ stimulus }) => (stimulus === undefined ? [] : [stimulus])))];
    const fromData = options.folder.startsWith(DATA_PREFIX);
    if (fromData && !data) await open(options.folder, 'stimuli.folder');
    const within = fromData ? { ...options, folder: options.folder.slice(DATA_PREFIX.length) } : options;
    relativePath(within.folder, file, 'stimuli.folder');
    const stimuli = await readStimulusFolder(within, fromData ? data! : folder, names, codec, signal);
    const indexOf = new Map(names.map((name, index) => [name, index]));
    return {
      stimuli,
      trials: named.map((trial, i) => ({
        ...trial,
        stimulus: indexOf.get(required(trial.stimulus, i, file))!,
      })),
    };
  }
  const stimuli = await readStimulusArray(
    options,
    manifest,
    await open(options.file, 'stimuli.file'),
    signal,
  );
  const count = stimuli.names.length;
  const trials = named.map((trial, i) => {
    const text = required(trial.stimulus, i, file);
    const stimulus = (parseNumber(text) ?? Number.NaN) - manifest.indexBase;
    if (!Number.isInteger(stimulus) || stimulus < 0 || stimulus >= count) {
      throw new F2iError('FORMAT', `trial ${i + 1} shows a stimulus that does not exist`, {
        file,
        field: 'stimulus',
        expected: `${manifest.indexBase} to ${count - 1 + manifest.indexBase} (${options.file} has ${count})`,
        found: text,
      });
    }
    return { ...trial, stimulus };
  });
  return { stimuli, trials };
}

function required(stimulus: string | undefined, trial: number, file: string): string {
  if (stimulus !== undefined) return stimulus;
  throw new F2iError('FORMAT', `trial ${trial + 1} names no stimulus`, { file, field: 'stimulus' });
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
    selection: { description: selection.description, indices: kept.map((v) => selection.indices[v]!) },
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

/** Names of splits that nothing here looks for; most likely misspelt. */
function oddSplits(trials: readonly Trial[]): string[] {
  const usual = ['train', 'validation', 'test'];
  const odd = new Set(trials.flatMap(({ split }) => (split && !usual.includes(split) ? [split] : [])));
  return [...odd].map(
    (name) => `split "${name}" is none of ${usual.join(', ')}: its trials take part only by name`,
  );
}
