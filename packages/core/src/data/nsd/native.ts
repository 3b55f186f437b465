import { F2iError } from '../../error.ts';
import { groupBy } from '../../grouped.ts';
import type { RecordedTrial, Recording } from '../recording/recording.ts';
import { regionColumns } from '../recording/regions.ts';
import type { Folder, Source } from '../source.ts';
import { didYouMean } from '../study/nearest.ts';
import { type Atlases, checkGrid, readAtlases, readLabels } from './atlases.ts';
import { openSessionBetas, type SessionBetas } from './betas.ts';
import { type NsdExperiment, readExperiment } from './experiment.ts';
import { missing, NSD_FILES, openIfThere, subjectName } from './files.ts';
import { designedTrials, type NsdTrial, readResponses } from './trials.ts';

/** GLMs of NSD by the names of their folders: the one that most systems take, then the others. */
export const BETA_TYPES = ['betas_fithrf_GLMdenoise_RR', 'betas_fithrf', 'betas_assumehrf'] as const;

export interface NsdOptions {
  /** 1 to 8. */
  subject: number;
  /** ROIs whose voxels are read, as `regionColumns` takes them; default `nsdgeneral`. Not together with `mask`. */
  roi?: string | undefined;
  /** Voxels above 0 of an image of the same grid are read. */
  mask?: Source | undefined;
  /** Folder of the GLM's betas; default the first of BETA_TYPES that is there. */
  betas?: string | undefined;
  /** Default `func1pt8mm`. */
  space?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The Natural Scenes Dataset (Allen et al. 2022, doi:10.1038/s41593-021-00962-x) from its own files, as they lie below its
 * root. Of 40 sessions those are taken that are there; a warning names the others.
 *
 * @throws IO, naming file and where it is published, for what is needed and missing; FORMAT for what is not as published;
 *   USAGE, listing those that there are, for an unknown ROI or subject
 */
export async function openNsd(folder: Folder, options: NsdOptions): Promise<Recording> {
  const { subject, space = 'func1pt8mm', signal } = options;
  await checkSubject(folder, subject, space);
  const experiment = await experimentOf(folder, subject, signal);
  const { trials: stated, warnings } = await trialsOf(folder, subject, experiment, signal);
  const wantedAtlases = (options.roi ?? '').split('+').map((word) => word.trim().split(':')[0]!);
  const atlases = await readAtlases(folder, subject, space, wantedAtlases.filter(Boolean), signal);
  if (!atlases) throw missing(folder, NSD_FILES.roi(subject, space, 'nsdgeneral'), 'the ROI');
  const chosen = await chooseVoxels(folder, atlases, options);
  const bySession = groupBy(stated, ({ sessionNumber }) => sessionNumber);
  const shape = { grid: atlases.grid, voxels: chosen.voxels };
  const betas = options.betas ?? (await typeOfBetas(folder, subject, space, [...bySession.keys()]));
  const sessions: { betas: SessionBetas; start: number; end: number }[] = [];
  const absent: number[] = [];
  const trials: RecordedTrial[] = [];
  try {
    for (const [session, own] of bySession) {
      const path = NSD_FILES.betas(subject, space, betas, session);
      const opened = await openSessionBetas(folder, path, { ...shape, trials: own.length }, signal);
      if (!opened) {
        absent.push(session);
        continue;
      }
      sessions.push({ betas: opened, start: trials.length, end: trials.length + own.length });
      trials.push(...own.map(({ sessionNumber: _, place: __, ...trial }) => trial));
    }
    if (sessions.length === 0) {
      throw await noBetas(folder, subject, space, betas, absent);
    }
  } catch (error) {
    for (const { betas: open } of sessions) open.close();
    throw error;
  }
  const names = new Map(Array.from(chosen.voxels, (voxel, column) => [voxel, column]));
  const regions = new Map(
    [...atlases.regions].map(([name, voxels]) => [
      name,
      voxels.filter((voxel) => names.has(voxel)).map((voxel) => names.get(voxel)!),
    ]),
  );
  return {
    name: `nsd-${subjectName(subject)}`,
    subject,
    trials,
    voxels: chosen.voxels.length,
    selection: {
      description: chosen.description,
      indices: chosen.voxels,
      space: { kind: 'image', grid: atlases.grid, affine: atlases.affine },
    },
    regions,
    ledger: [
      {
        step: 'betas of single trials',
        runs: [],
        sawTest: 'unknown',
        note: `${betas} of NSD, ${space}, percent signal change: fitted by others on all sessions`,
      },
    ],
    warnings: [...warnings, ...atlases.warnings, ...absentSessions(absent, sessions.length)],
    stimulusName: (stimulus) => `nsd-${String(stimulus).padStart(5, '0')}`,
    stimulusOrder: 'by number among the 73,000',
    async readTrials(from, to, readSignal) {
      const out = new Float32Array((to - from) * chosen.voxels.length);
      for (const { betas: own, start, end } of sessions) {
        const [first, last] = [Math.max(from, start), Math.min(to, end)];
        if (first >= last) continue;
        out.set(
          await own.read(first - start, last - start, readSignal),
          (first - from) * chosen.voxels.length,
        );
      }
      return out;
    },
    close: () => {
      for (const { betas: own } of sessions) own.close();
    },
  };
}

/** Who keeps a few of the eight subjects is told which, not which file of another one is missing. */
async function checkSubject(folder: Folder, wanted: number, space: string): Promise<void> {
  const isThere = async (subject: number) =>
    (await openIfThere(folder, NSD_FILES.responses(subject))) ??
    (await openIfThere(folder, NSD_FILES.roi(subject, space, 'nsdgeneral')));
  if (await isThere(wanted)) return;
  const there: string[] = [];
  for (let subject = 1; subject <= 8; subject++) if (await isThere(subject)) there.push(`${subject}`);
  // Without any, the first file that is missing says more.
  if (there.length === 0) return;
  throw new F2iError('USAGE', 'this copy of NSD holds other subjects', {
    file: folder.name,
    field: 'subject',
    expected: there.join(', '),
    found: `${wanted}`,
  });
}

async function experimentOf(
  folder: Folder,
  subject: number,
  signal?: AbortSignal,
): Promise<NsdExperiment | undefined> {
  const source = await openIfThere(folder, NSD_FILES.design);
  return source && readExperiment(source, subject, signal);
}

async function trialsOf(
  folder: Folder,
  subject: number,
  experiment: NsdExperiment | undefined,
  signal?: AbortSignal,
): Promise<{ trials: NsdTrial[]; warnings: string[] }> {
  const path = NSD_FILES.responses(subject);
  const source = await openIfThere(folder, path);
  if (source) return { trials: await readResponses(source, subject, experiment, signal), warnings: [] };
  if (!experiment) throw missing(folder, path, `the table of trials (${NSD_FILES.design} would do, too)`);
  return {
    trials: designedTrials(experiment),
    warnings: [`${folder.name}/${path} is not there: trials are taken from the experimental design`],
  };
}

async function chooseVoxels(
  folder: Folder,
  { grid, regions }: Atlases,
  { roi, mask, signal }: NsdOptions,
): Promise<{ voxels: Int32Array; description: string }> {
  if (mask && roi !== undefined) {
    throw new F2iError('USAGE', 'voxels are chosen by ROI or by mask, not both', {
      field: 'mask',
      found: mask.name,
    });
  }
  if (mask) {
    const { header, voxels } = await readLabels(mask, signal);
    checkGrid({ space: grid }, header, `the ROIs of ${folder.name}`, mask.name);
    const inside = Int32Array.from([...voxels.values()].flat()).sort();
    if (inside.length === 0) throw new F2iError('FORMAT', 'the mask is empty', { file: mask.name });
    return { voxels: inside, description: `${inside.length} voxels of ${mask.name}` };
  }
  const wanted = roi ?? 'nsdgeneral';
  const voxels = regionColumns(regions, wanted);
  if (voxels.length === 0) {
    throw new F2iError('USAGE', 'the ROI has no voxel', { field: 'roi', found: wanted });
  }
  return { voxels, description: `${voxels.length} voxels of ${wanted}` };
}

/** The first GLM of which any session is there; where none is, the one that would be looked for. */
async function typeOfBetas(
  folder: Folder,
  subject: number,
  space: string,
  sessions: readonly number[],
): Promise<string> {
  for (const type of BETA_TYPES) if (await hasBetas(folder, subject, space, type, sessions)) return type;
  return BETA_TYPES[0];
}

/** Whether any session of a GLM is there. */
async function hasBetas(
  folder: Folder,
  subject: number,
  space: string,
  type: string,
  sessions: readonly number[],
): Promise<boolean> {
  for (const session of sessions) {
    const path = NSD_FILES.betas(subject, space, type, session);
    if ((await openIfThere(folder, `${path}.hdf5`)) ?? (await openIfThere(folder, `${path}.nii.gz`)))
      return true;
  }
  return false;
}

/** The error where a GLM has no session: it names the GLMs that have some, or the first file that is missing. */
async function noBetas(
  folder: Folder,
  subject: number,
  space: string,
  wanted: string,
  sessions: readonly number[],
): Promise<F2iError> {
  const there: string[] = [];
  for (const type of BETA_TYPES) if (await hasBetas(folder, subject, space, type, sessions)) there.push(type);
  if (there.length === 0) {
    const first = `${NSD_FILES.betas(subject, space, wanted, sessions[0] ?? 1)}.hdf5 (or .nii.gz)`;
    return missing(folder, first, 'the first file of betas');
  }
  return new F2iError('USAGE', `no such betas${didYouMean(wanted, there)}`, {
    file: `${folder.name}/${dirname(NSD_FILES.betas(subject, space, wanted, 1))}`,
    field: 'betas',
    expected: there.join(', '),
    found: wanted,
  });
}

const dirname = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** `sessions 2, 5 to 40` */
function absentSessions(absent: readonly number[], there: number): string[] {
  if (absent.length === 0) return [];
  const ranges: [number, number][] = [];
  for (const session of absent) {
    const last = ranges.at(-1);
    if (last && session === last[1] + 1) last[1] = session;
    else ranges.push([session, session]);
  }
  const words = ranges.map(([first, last]) =>
    last === first ? `${first}` : last === first + 1 ? `${first}, ${last}` : `${first} to ${last}`,
  );
  const what = `betas of session${absent.length === 1 ? '' : 's'} ${words.join(', ')}`;
  return [`${what} are not there: counts are those of the other ${there}`];
}
