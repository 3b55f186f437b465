import { F2iError } from '../../error.ts';
import { type Nifti, openNifti } from '../formats/nifti.ts';
import { isOfTime } from '../formats/niftiHeader.ts';
import { lineOf, readTable, type Table } from '../formats/table.ts';
import { checkGrid, readLabels } from '../nsd/atlases.ts';
import { readVolumes } from '../nsd/betas.ts';
import type { Folder, Source } from '../source.ts';
import type { RecordedTrial, Recording } from './recording.ts';
import { stimulusNames } from './stimulusOrder.ts';

export interface BidsOptions {
  /** Label without `sub-`; not needed where there is one participant. */
  participant?: string | undefined;
  /** Image of the same grid: voxels above 0 are read. Default: the participant's own `*_mask.nii.gz`, if there is one. */
  mask?: Source | undefined;
  signal?: AbortSignal | undefined;
}

const IMAGE = /^sub-([a-zA-Z0-9]+)\/(?:ses-([a-zA-Z0-9]+)\/)?func\/(.*)_(?:betas|statmap)\.nii(?:\.gz)?$/;

/** Betas of one file: the entities of its name, and the table beside it. */
interface BetasFile {
  readonly path: string;
  readonly participant: string;
  readonly session: string | undefined;
  readonly run: string | undefined;
}

/**
 * A derivative of BIDS with betas: below `sub-LABEL/[ses-LABEL/]func/`, images `*_betas.nii.gz` or `*_statmap.nii.gz` with a
 * volume a trial, and beside each a table `*_trials.tsv` (or `*_events.tsv`) with a line a volume, in their order. Columns
 * that are read: `stimulus` (or `stim_file`, or `trial_type` where neither is there), `session`, `run`, `split`, `label` (or
 * `trial_type`), `shared` (0 or 1). Session and run are those of the file's name where the table does not say.
 *
 * Values are taken as the headers scale them. Numbers of stimuli are kept where all are whole numbers; names are
 * numbered character by character (im1, im10, im2), with a warning where counting would give another order.
 *
 * @throws IO for a folder without betas; FORMAT, naming file, line and column; USAGE for an unknown participant
 */
export async function openBidsBetas(
  folder: Folder,
  { participant, mask, signal }: BidsOptions = {},
): Promise<Recording> {
  const paths = await folder.list();
  const files = filesOf(folder, paths, participant);
  const images: { image: Nifti; start: number; end: number }[] = [];
  const told: ReturnType<typeof readTrials> = [];
  const warnings: string[] = [];
  for (const file of files) {
    const image = await openNifti(await folder.open(file.path), signal);
    const first = images[0]?.image;
    if (first) checkGrid(first.header, image.header, first.source.name, image.source.name);
    const table = await readTable(await folder.open(tableOf(folder, paths, file.path)), {
      header: true,
      signal,
    });
    if (table.rowCount !== image.header.volumes) {
      throw new F2iError('FORMAT', 'not a line for each volume of betas', {
        file: table.file,
        expected: `${image.header.volumes} lines as ${file.path} has volumes`,
        found: `${table.rowCount}`,
      });
    }
    images.push({ image, start: told.length, end: told.length + table.rowCount });
    told.push(...readTrials(table, file));
    // Volumes are trials: the time between them means nothing.
    const odd = image.header.warnings.filter((warning) => !isOfTime(warning));
    warnings.push(...odd.map((warning) => `${file.path}: ${warning}`));
  }
  const { header } = images[0]!.image;
  const label = files[0]!.participant;
  const own = paths.find((path) => path.startsWith(`sub-${label}/`) && /_mask\.nii(\.gz)?$/.test(path));
  const chosen = mask ?? (own ? await folder.open(own) : undefined);
  let voxels = Int32Array.from({ length: header.space[0] * header.space[1] * header.space[2] }, (_, i) => i);
  if (chosen) {
    const labels = await readLabels(chosen, signal);
    checkGrid(header, labels.header, images[0]!.image.source.name, chosen.name);
    voxels = Int32Array.from([...labels.voxels.values()].flat()).sort();
    if (voxels.length === 0) throw new F2iError('FORMAT', 'the mask is empty', { file: chosen.name });
  }
  const names = stimulusNames(told.map(({ stimulus }) => stimulus));
  const seen = new Map<number, number>();
  const trials = told.map(({ stimulus: name, ...trial }): RecordedTrial => {
    const stimulus = names ? names.indexOf.get(name)! : Number(name);
    const repeat = seen.get(stimulus) ?? 0;
    seen.set(stimulus, repeat + 1);
    return { ...trial, stimulus, repeat };
  });
  if (names?.warning !== undefined) warnings.push(names.warning);
  return {
    name: `sub-${label}`,
    trials,
    voxels: voxels.length,
    selection: {
      description: chosen ? `${voxels.length} voxels of ${chosen.name}` : `all ${voxels.length} voxels`,
      indices: voxels,
      space: { kind: 'image', grid: header.space, affine: header.affine },
    },
    regions: new Map(),
    ledger: [
      {
        step: 'betas of single trials',
        runs: [],
        sawTest: 'unknown',
        note: `${files.length} ${files.length === 1 ? 'file' : 'files'} of ${folder.name}: fitted by others`,
      },
    ],
    warnings,
    stimulusName: (stimulus) => names?.names[stimulus] ?? `${stimulus}`,
    stimulusOrder: names ? 'by name, character by character' : 'by number',
    async readTrials(from, to, readSignal) {
      const out = new Float32Array((to - from) * voxels.length);
      for (const { image, start, end } of images) {
        const [first, last] = [Math.max(from, start), Math.min(to, end)];
        if (first >= last) continue;
        // Unlike NSD's, whole numbers are what they are.
        const values = await readVolumes(image, first - start, last - start, voxels, readSignal, 1);
        out.set(values, (first - from) * voxels.length);
      }
      return out;
    },
    close: () => undefined,
  };
}

function filesOf(folder: Folder, paths: readonly string[], wanted: string | undefined): BetasFile[] {
  const all = paths.flatMap((path): BetasFile[] => {
    const found = IMAGE.exec(path);
    if (!found) return [];
    const [, participant, session, rest] = found as unknown as [string, string, string | undefined, string];
    return [{ path, participant, session, run: /_run-([a-zA-Z0-9]+)/.exec(rest)?.[1] }];
  });
  if (all.length === 0) {
    throw new F2iError('IO', 'no betas in this derivative of BIDS', {
      file: folder.name,
      expected: 'sub-LABEL/[ses-LABEL/]func/*_betas.nii.gz or *_statmap.nii.gz',
    });
  }
  const participants = [...new Set(all.map(({ participant }) => participant))];
  const label = wanted?.replace(/^sub-/, '') ?? (participants.length === 1 ? participants[0]! : undefined);
  const own = all.filter(({ participant }) => participant === label);
  if (label === undefined || own.length === 0) {
    throw new F2iError('USAGE', 'name one of the participants', {
      file: folder.name,
      field: 'subject',
      expected: participants.join(', '),
      found: wanted ?? 'none named',
    });
  }
  // ses-2 comes before ses-10.
  return own.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}

/** `sub-01_task-x_desc-y_betas.nii.gz` has `sub-01_task-x_desc-y_trials.tsv`, or without `desc-y`; or `_events.tsv`. */
function tableOf(folder: Folder, paths: readonly string[], image: string): string {
  const stem = image.replace(/_(?:betas|statmap)\.nii(?:\.gz)?$/, '');
  const candidates = [stem, stem.replace(/_(?:desc|stat|space|res)-[a-zA-Z0-9]+/g, '')].flatMap((name) =>
    ['trials', 'events'].map((suffix) => `${name}_${suffix}.tsv`),
  );
  const found = candidates.find((path) => paths.includes(path));
  if (found) return found;
  throw new F2iError('IO', 'no table of trials beside the betas', {
    file: `${folder.name}/${image}`,
    expected: [...new Set(candidates)].join(' or '),
  });
}

function readTrials(table: Table, { session, run }: BetasFile) {
  const column = (...names: string[]) => names.find((name) => table.columns.includes(name));
  const what = column('stimulus', 'stim_file', 'trial_type');
  if (what === undefined) {
    throw new F2iError('FORMAT', 'no column says what was shown', {
      file: table.file,
      expected: 'stimulus, stim_file or trial_type',
      found: table.columns.join(', '),
    });
  }
  const label = column('label', 'trial_type');
  return table.rows.map((cells, row) => {
    const cell = (name: string | undefined): string | undefined => {
      const text = name === undefined ? undefined : cells[table.columns.indexOf(name)];
      return text === undefined || text === '' || text === 'n/a' ? undefined : text;
    };
    const wrong = (name: string, expected: string) =>
      new F2iError('FORMAT', 'not what belongs here', {
        file: table.file,
        field: `line ${lineOf(table, row)}, column ${name}`,
        expected,
        found: JSON.stringify(cells[table.columns.indexOf(name)]),
      });
    const stimulus = cell(what);
    if (stimulus === undefined) throw wrong(what, 'what was shown');
    const shared = cell(column('shared'));
    if (shared !== undefined && shared !== '0' && shared !== '1') throw wrong('shared', '0 or 1');
    return {
      session: cell(column('session')) ?? session ?? '1',
      run: cell(column('run')) ?? run ?? '1',
      split: cell(column('split')),
      label: cell(label),
      shared: shared === undefined ? undefined : shared === '1',
      stimulus,
    };
  });
}
