import { F2iError } from '../../error.ts';
import { lineOf, parseNumber, readTable, type Table } from '../formats/table.ts';
import { stretches } from '../lags.ts';
import type { Source } from '../source.ts';
import { didYouMean, shortList } from './nearest.ts';
import type { StudyManifest } from './schema.ts';
import type { StudyRun, Trial } from './study.ts';
import type { RawVoxels } from './voxels.ts';

/** Fields of a trials table. */
const FIELDS = [
  'onset',
  'volume',
  'duration',
  'stimulus',
  'label',
  'run',
  'session',
  'group',
  'split',
  'repeat',
] as const;
type Field = (typeof FIELDS)[number];

/** A trial whose stimulus is still named as in the file. */
export type NamedTrial = Omit<Trial, 'stimulus'> & { readonly stimulus?: string | undefined };

/** Trials in their runs, and where each states its stimulus. */
export interface PlacedTrials {
  readonly trials: NamedTrial[];
  readonly runs: readonly StudyRun[];
  readonly stimulusAt: (trial: number) => { file: string; field: string };
  readonly warnings: readonly string[];
}

/** Runs of the study in rows of `voxels`: as stated, else one a file. */
export function studyRuns(manifest: StudyManifest, rowsOfFile: readonly number[], file: string): StudyRun[] {
  const rows = rowsOfFile.reduce((sum, count) => sum + count, 0);
  if (!manifest.runs) {
    let start = 0;
    return rowsOfFile.map((count, i) => {
      start += count;
      return { name: String(i + 1), start: start - count, end: start };
    });
  }
  const runs = manifest.runs.map(({ first, last, ...rest }) => ({
    ...rest,
    start: first - manifest.indexBase,
    end: last - manifest.indexBase + 1,
  }));
  runs.forEach((run, i) => {
    const before = runs[i - 1];
    if (run.continues && !before) {
      throw new F2iError('FORMAT', `run "${run.name}" is the first: there is none that it could continue`, {
        file,
        field: `runs.${i}.continues`,
      });
    }
    if (run.start < 0 || run.end <= run.start || run.end > rows || (before && run.start < before.end)) {
      const message = `run "${run.name}" does not lie within the data, in ascending order`;
      throw new F2iError('FORMAT', message + otherIndexBase(runs, rows, manifest.indexBase), {
        file,
        field: `runs.${i}`,
        expected: `rows ${(before?.end ?? 0) + manifest.indexBase} to ${rows - 1 + manifest.indexBase}`,
        found: `${run.start + manifest.indexBase} to ${run.end - 1 + manifest.indexBase}`,
      });
    }
  });
  return runs;
}

/** A question where all runs would fit if rows were counted from the other base. */
function otherIndexBase(runs: readonly StudyRun[], rows: number, indexBase: number): string {
  const shift = indexBase === 0 ? -1 : 1;
  const fits = runs.every(
    ({ start, end }, i) =>
      start + shift >= 0 && end > start && end + shift <= rows && start >= (runs[i - 1]?.end ?? start),
  );
  return fits ? `: is indexBase ${1 - indexBase}?` : '';
}

/** Every volume of every run is a trial; volume i shows stimulus i. */
export function volumeTrials(runs: readonly StudyRun[], indexBase: number): NamedTrial[] {
  return runs.flatMap(({ name, start, end, session, group, split }) =>
    Array.from({ length: end - start }, (_, i) => ({
      volume: start + i,
      stimulus: String(start + i + indexBase),
      run: name,
      session,
      group,
      split,
    })),
  );
}

/**
 * Reads the trials table and places each trial in its run. Where the manifest states no runs, but the table has a line
 * for each volume and a column of runs, the runs come from there.
 */
export async function readTrials(
  manifest: StudyManifest,
  source: Source,
  runs: readonly StudyRun[],
  raw: Pick<RawVoxels, 'rows' | 'otherAxis'>,
  signal?: AbortSignal,
): Promise<PlacedTrials> {
  const { trials: options, voxels } = manifest;
  const { rows } = raw;
  if (!('file' in options)) throw new F2iError('INTERNAL', 'not a table of trials');
  const table = await readTable(source, { header: options.header, signal });
  refuseCommas(table);
  const columns = columnsOf(table, options.columns);
  if (manifest.stimuli && !columns.has('stimulus')) {
    throw new F2iError('FORMAT', 'no column names the stimulus', {
      file: source.name,
      field: table.hasHeader ? 'line 1' : undefined,
      expected: `a column stimulus, or its name in the manifest: trials.columns: { "stimulus": "${table.columns[0]}" }`,
      found: `the columns ${shortList(table.columns)}`,
    });
  }
  if (voxels.rows === 'trials' && table.rows.length !== rows) {
    const message = `one trial for each row of voxels${turnedHint(manifest, raw, table.rows.length)}`;
    throw new F2iError('FORMAT', message, {
      file: source.name,
      expected: `${rows} rows, as in ${[voxels.file].flat().join(', ')}`,
      found: `${table.rows.length}`,
    });
  }
  if (voxels.rows === 'trials') refuseOtherOrder(table, source.name);
  const oneEachRow = table.rows.length === rows;
  const hasOnsets = columns.has('onset') || columns.has('volume');
  const ownRuns =
    !manifest.runs && voxels.rows === 'volumes' && oneEachRow && !hasOnsets && columns.has('run')
      ? runsOfColumn(table, columns.get('run')!)
      : runs;
  const found: NamedTrial[] = [];
  const lines: number[] = [];
  const labels = new Set<string>();
  for (let i = 0; i < table.rows.length; i++) {
    const cell = (field: Field) => {
      const column = columns.get(field);
      const text = column === undefined ? undefined : table.rows[i]![column];
      return text === '' || text === 'n/a' ? undefined : text;
    };
    const where = (field: string) => ({ file: source.name, field: `line ${lineOf(table, i)}, ${field}` });
    const trial = placeTrial(manifest, ownRuns, i, cell, where, oneEachRow);
    labels.add(trial.label ?? '');
    if (options.dropLabels?.includes(trial.label ?? '')) continue;
    found.push(trial);
    lines.push(lineOf(table, i));
  }
  if (found.length === 0) throw new F2iError('FORMAT', 'no trials', { file: source.name });
  refuseSharedOnsets(found, lines, manifest, columns.has('run'), source.name);
  const stimulusAt = (trial: number) => ({ file: source.name, field: `line ${lines[trial]}, stimulus` });
  return { trials: found, runs: ownRuns, stimulusAt, warnings: unmatchedLabels(options.dropLabels, labels) };
}

/** Labels to drop that no trial has: misspelt, or in a column that has another name. */
function unmatchedLabels(drop: readonly string[] = [], labels: ReadonlySet<string>): string[] {
  const known = [...labels].filter((label) => label !== '');
  const are = known.length === 0 ? 'trials have no labels' : `labels are ${shortList(known)}`;
  return drop
    .filter((label) => !labels.has(label))
    .map(
      (label) => `no trial has the label "${label}" of trials.dropLabels${didYouMean(label, known)}; ${are}`,
    );
}

/** A question where the other axis of the matrix of voxels has as many entries as are wanted. */
export function turnedHint(
  { voxels }: StudyManifest,
  { otherAxis }: Pick<RawVoxels, 'otherAxis'>,
  wanted: number,
): string {
  if (otherAxis !== wanted) return '';
  const other = voxels.orientation === 'rows-by-voxels' ? 'voxels-by-rows' : 'rows-by-voxels';
  return ` (is voxels.orientation "${other}"?)`;
}

/** Cells between commas in a file that is not called so come out as one column with all names in it. */
function refuseCommas(table: Table): void {
  const [name, ...others] = table.columns;
  if (!table.hasHeader || others.length > 0 || !name!.includes(',')) return;
  throw new F2iError(
    'FORMAT',
    `one column named ${JSON.stringify(name!.slice(0, 80))}: is it comma separated?`,
    {
      file: table.file,
      field: 'line 1',
      expected: 'tabs between cells, or a name that ends in .csv',
    },
  );
}

/** The runs that a column of labels, one for each volume, describes. */
function runsOfColumn(table: Table, column: number): StudyRun[] {
  const runs = stretches(table.rows.map((row) => row[column]!));
  const seen = new Set<string>();
  return runs.map(({ label: name, start, end }) => {
    if (name === '' || name === 'n/a' || seen.has(name)) {
      throw new F2iError(
        'FORMAT',
        seen.has(name) ? 'the volumes of a run are not together' : 'a volume of no run',
        {
          file: table.file,
          field: `line ${lineOf(table, start)}, run`,
          found: JSON.stringify(name),
        },
      );
    }
    seen.add(name);
    return { name, start, end };
  });
}

/** Lines stand in the order of the rows of voxels: a column of their numbers in another order would be passed over. */
function refuseOtherOrder(table: Table, file: string): void {
  const column = table.columns.indexOf('row');
  if (column < 0) return;
  const numbers = table.rows.map((row) => Number(row[column]));
  const base = numbers.reduce((least, number) => Math.min(least, number), numbers[0] ?? 0);
  const ascending = numbers.map((_, i) => base + i);
  const isCount = (base === 0 || base === 1) && new Set(numbers).size === numbers.length;
  // A column of something else may be called so, too.
  if (!isCount || numbers.some((number) => !(Number.isInteger(number) && number < base + numbers.length)))
    return;
  const wrong = numbers.findIndex((number, i) => number !== ascending[i]);
  if (wrong < 0) return;
  throw new F2iError('FORMAT', 'the lines are not in the order of the rows of voxels: sort them by row', {
    file,
    field: `line ${lineOf(table, wrong)}, row`,
    expected: `${ascending[wrong]}`,
    found: `${numbers[wrong]}`,
  });
}

/** Two trials cannot begin at once: most likely the onsets count from their run, and the manifest says otherwise. */
function refuseSharedOnsets(
  trials: readonly NamedTrial[],
  lines: readonly number[],
  { indexBase, trials: options }: StudyManifest,
  namesRuns: boolean,
  file: string,
): void {
  const firstAt = new Map<number, number>();
  for (const [i, { volume }] of trials.entries()) {
    if (volume === undefined) continue;
    const earlier = firstAt.get(volume);
    if (earlier !== undefined) {
      const fromSeries = 'onsetFrom' in options && options.onsetFrom === 'series';
      const hint = fromSeries
        ? ' (do onsets count from their run? trials.onsetFrom: "run")'
        : namesRuns
          ? ''
          : ' (do onsets count from their run? a column run says which)';
      throw new F2iError('FORMAT', `two trials begin at the same time${hint}`, {
        file,
        field: `line ${lines[i]}`,
        expected: `another onset than that of line ${lines[earlier]}`,
        found: `volume ${round(volume + indexBase)} of the series, counted from ${indexBase}`,
      });
    }
    firstAt.set(volume, i);
  }
}

/** For messages: no more digits than tell volumes apart. */
const round = (value: number) => Number(value.toFixed(3));

function columnsOf(table: Table, named: Record<string, string>): Map<Field, number> {
  for (const field of Object.keys(named)) {
    if (!(FIELDS as readonly string[]).includes(field)) {
      throw new F2iError('FORMAT', `${field} is not a field of a trial${didYouMean(field, FIELDS)}`, {
        file: table.file,
        field: `trials.columns.${field}`,
        expected: `one of ${FIELDS.join(', ')}`,
      });
    }
  }
  const columns = new Map<Field, number>();
  for (const field of FIELDS) {
    const name = named[field] ?? field;
    const index = table.columns.indexOf(name);
    if (index >= 0) columns.set(field, index);
    else if (named[field] !== undefined) {
      throw new F2iError('FORMAT', `no such column${didYouMean(name, table.columns)}`, {
        file: table.file,
        field: `trials.columns.${field}`,
        expected: `one of ${shortList(table.columns)}`,
        found: name,
      });
    }
  }
  return columns;
}

function placeTrial(
  manifest: StudyManifest,
  runs: readonly StudyRun[],
  index: number,
  cell: (field: Field) => string | undefined,
  where: (field: string) => { file: string; field: string },
  oneEachRow: boolean,
): NamedTrial {
  const number = (field: Field) => {
    const text = cell(field);
    if (text === undefined) return undefined;
    const value = parseNumber(text);
    if (value === undefined || !Number.isFinite(value) || (field === 'duration' && value < 0)) {
      const expected = field === 'duration' ? 'seconds, not negative' : undefined;
      throw new F2iError('FORMAT', 'not a usable number', { ...where(field), expected, found: text });
    }
    return value;
  };
  const common = {
    duration: number('duration'),
    stimulus: cell('stimulus'),
    label: cell('label'),
    session: cell('session'),
    group: cell('group'),
    split: cell('split'),
    repeat: cell('repeat'),
  };
  if (manifest.voxels.rows === 'trials') {
    const run = runs.find((r) => index >= r.start && index < r.end);
    return { ...common, ...inherited(common, run), row: index, run: cell('run') ?? run?.name ?? '1' };
  }
  const { run, volume } = placeOnset(manifest, runs, index, cell('run'), number, where, oneEachRow);
  return { ...common, ...inherited(common, run), volume, run: cell('run') ?? run.name };
}

/** What a trial does not state it has from its run. */
function inherited(
  trial: { session?: string | undefined; group?: string | undefined; split?: string | undefined },
  run: StudyRun | undefined,
) {
  return {
    session: trial.session ?? run?.session,
    group: trial.group ?? run?.group,
    split: trial.split ?? run?.split,
  };
}

/** Run and onset (in volumes of the whole series) of a trial in a time series. */
function placeOnset(
  manifest: StudyManifest,
  runs: readonly StudyRun[],
  index: number,
  runName: string | undefined,
  number: (field: Field) => number | undefined,
  where: (field: string) => { file: string; field: string },
  oneEachRow: boolean,
): { run: StudyRun; volume: number } {
  const { tr, indexBase, trials } = manifest;
  const onset = number('onset');
  const volume = number('volume');
  if (onset !== undefined && volume !== undefined) {
    throw new F2iError('FORMAT', 'state either onset or volume', where('onset'));
  }
  let position = onset !== undefined ? onset / tr! : volume !== undefined ? volume - indexBase : undefined;
  // A table with a line for each volume needs no column of onsets.
  const eachVolume = position === undefined && oneEachRow;
  if (eachVolume) position = index;
  if (position === undefined) {
    throw new F2iError('FORMAT', 'when was it shown?', {
      ...where('onset'),
      expected: 'a column onset (seconds) or volume',
    });
  }
  const fromSeries = eachVolume || ('onsetFrom' in trials && trials.onsetFrom === 'series');
  const run =
    runName !== undefined && !fromSeries
      ? runs.find((r) => r.name === runName)
      : fromSeries
        ? runs.find((r) => position >= r.start && position < r.end)
        : runs.length === 1
          ? runs[0]
          : undefined;
  if (!run) {
    const stated = runName !== undefined && !fromSeries;
    const hint = stated ? runsHint(manifest, runs) : onsetHint(onset, tr, (volumes) => lies(volumes, runs));
    throw new F2iError('FORMAT', `the trial belongs to no run${hint}`, {
      ...where(stated || !fromSeries ? 'run' : onset !== undefined ? 'onset' : 'volume'),
      expected:
        stated || !fromSeries ? `one of ${shortList(runs.map(({ name }) => name))}` : seriesOf(runs, tr),
      found: stated
        ? runName
        : onset !== undefined
          ? `${onset} s`
          : fromSeries
            ? `volume ${round(position + indexBase)}`
            : 'nothing',
    });
  }
  const absolute = fromSeries ? position : run.start + position;
  if (absolute < run.start || absolute >= run.end) {
    const length = run.end - run.start;
    const hint =
      onsetHint(onset, tr, (volumes) => volumes < length) ||
      (lies(position, runs)
        ? ' (does it count from the start of the series? trials.onsetFrom: "series")'
        : '') ||
      (volume === length + indexBase && indexBase === 0 ? ' (is indexBase 1?)' : '') ||
      (volume === 0 && indexBase === 1 ? ' (is indexBase 0?)' : '');
    throw new F2iError('FORMAT', `the onset lies outside its run${hint}`, {
      ...where(onset !== undefined ? 'onset' : 'volume'),
      expected: `within the ${length} volumes of run ${run.name}${onset !== undefined ? ` (${round(length * tr!)} s)` : ''}`,
      found: onset !== undefined ? `${onset} s` : `volume ${volume}`,
    });
  }
  return { run, volume: absolute };
}

const lies = (volume: number, runs: readonly StudyRun[]) =>
  runs.some(({ start, end }) => volume >= start && volume < end);

function seriesOf(runs: readonly StudyRun[], tr: number | undefined): string {
  const end = Math.max(...runs.map((run) => run.end));
  return `within the runs of the series, which ends after ${end} volumes (${round(end * tr!)} s)`;
}

/** Onsets that are far too late fit when they are read as milliseconds. */
function onsetHint(
  onset: number | undefined,
  tr: number | undefined,
  fits: (volumes: number) => boolean,
): string {
  return onset !== undefined && onset > 0 && fits(onset / 1000 / tr!) && onset / tr! > 100
    ? ' (is the onset in milliseconds?)'
    : '';
}

/** A run that the manifest does not know, because it states none. */
function runsHint({ runs: stated, voxels }: StudyManifest, runs: readonly StudyRun[]): string {
  if (stated) return '';
  const files = [voxels.file].flat();
  const are =
    files.length === 1
      ? `${files[0]} is one run, named ${runs[0]!.name}`
      : `each of the ${files.length} files of voxels is one run, named ${runs[0]!.name} to ${runs.at(-1)!.name}`;
  return ` (the manifest states no runs, so ${are})`;
}
