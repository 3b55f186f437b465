import { F2iError } from '../../error.ts';
import { NSD_FILES, openIfThere } from '../nsd/files.ts';
import { MINDEYE_FILES, openMindEye } from '../nsd/mindeye.ts';
import { openNsd } from '../nsd/native.ts';
import type { Folder, Source } from '../source.ts';
import { type LoadStudyOptions, loadStudy } from '../study/load.ts';
import { openBidsBetas } from './bids.ts';
import { recordingOf } from './fromStudy.ts';
import type { Recording } from './recording.ts';

/** Ways in which files of responses lie in a folder. */
export type RecordingLayout = 'nsd' | 'mindeye' | 'bids' | 'study';

/** What each layout is, in words for people. */
export const LAYOUTS: Readonly<Record<RecordingLayout, string>> = {
  nsd: 'the Natural Scenes Dataset in its own files',
  mindeye: 'betas and trials of NSD as MindEye2 published them',
  bids: 'a derivative of BIDS with betas',
  study: 'a study (study.json)',
};

export interface OpenRecordingOptions extends LoadStudyOptions {
  /** Of NSD: 1 to 8 (default: the only one of MindEye's layout, else 1). Of BIDS: the participant's label. */
  subject?: number | string | undefined;
  /** Of NSD's own files: ROIs whose voxels are read; default `nsdgeneral`. */
  roi?: string | undefined;
  /** Voxels above 0 of this image are read. */
  mask?: Source | undefined;
  /** Of NSD's own files: folder of the GLM's betas. */
  betas?: string | undefined;
  /** Of NSD's own files: default `func1pt8mm`. */
  space?: string | undefined;
  /** Path of the study's manifest; default `study.json`. */
  manifest?: string | undefined;
}

/** How the files of a folder lie; undefined where it is none of the known ways. Few files are looked for, none listed. */
export async function layoutOf(
  folder: Folder,
  manifest = 'study.json',
): Promise<RecordingLayout | undefined> {
  const there = async (path: string) => (await openIfThere(folder, path)) !== undefined;
  if (await there(manifest)) return 'study';
  if (await there(NSD_FILES.design)) return 'nsd';
  for (let subject = 1; subject <= 8; subject++) {
    if (await there(MINDEYE_FILES.betas(subject))) return 'mindeye';
    if (await there(NSD_FILES.responses(subject))) return 'nsd';
  }
  return (await there('dataset_description.json')) ? 'bids' : undefined;
}

/**
 * Opens the responses of one person, whichever of the known ways they lie in.
 *
 * @throws USAGE for a folder that is none of them, for options that its layout does not have, and for a subject that must
 *   be named; else as the readers do
 */
export async function openRecording(
  folder: Folder,
  options: OpenRecordingOptions = {},
): Promise<Recording & { readonly layout: RecordingLayout }> {
  const layout = await layoutOf(folder, options.manifest);
  if (layout === undefined) {
    throw new F2iError('USAGE', 'no responses that are known here', {
      file: folder.name,
      expected: `${Object.values(LAYOUTS).join('; ')}`,
    });
  }
  refuseOthers(folder, layout, options);
  return Object.assign(await openBy(layout, folder, options), { layout });
}

async function openBy(
  layout: RecordingLayout,
  folder: Folder,
  options: OpenRecordingOptions,
): Promise<Recording> {
  const { subject, signal, mask } = options;
  switch (layout) {
    case 'nsd': {
      const { roi, betas, space } = options;
      return openNsd(folder, { subject: nsdNumber(folder, subject ?? 1), roi, mask, betas, space, signal });
    }
    case 'mindeye':
      return openMindEye(
        folder,
        subject === undefined ? await onlySubject(folder) : nsdNumber(folder, subject),
        signal,
      );
    case 'bids':
      return openBidsBetas(folder, { participant: subject?.toString(), mask, signal });
    case 'study':
      return recordingOf(await loadStudy(folder, options.manifest ?? 'study.json', options));
  }
}

const USED: Readonly<Record<RecordingLayout, readonly (keyof OpenRecordingOptions)[]>> = {
  nsd: ['subject', 'roi', 'mask', 'betas', 'space'],
  mindeye: ['subject'],
  bids: ['subject', 'mask'],
  study: ['data', 'manifest'],
};

/** An option that would be left out silently is a mistake. */
function refuseOthers(folder: Folder, layout: RecordingLayout, options: OpenRecordingOptions): void {
  const choices = ['subject', 'roi', 'mask', 'betas', 'space'] as const;
  const other = choices.find((name) => options[name] !== undefined && !USED[layout].includes(name));
  // In MindEye's files all voxels are those of nsdgeneral.
  if (other === undefined || (layout === 'mindeye' && other === 'roi' && options.roi === 'nsdgeneral'))
    return;
  throw new F2iError('USAGE', `${LAYOUTS[layout]} has no choice of ${other}`, {
    file: folder.name,
    field: other,
    expected:
      USED[layout].filter((name) => choices.includes(name as never)).join(', ') || 'nothing to choose',
  });
}

/** 1, `1`, `01`, `subj01` */
function nsdNumber(folder: Folder, subject: number | string): number {
  const number = typeof subject === 'number' ? subject : Number(/^(?:subj?-?)?0*([1-8])$/.exec(subject)?.[1]);
  if (Number.isInteger(number) && number >= 1 && number <= 8) return number;
  throw new F2iError('USAGE', 'NSD has no such subject', {
    file: folder.name,
    field: 'subject',
    expected: '1 to 8',
    found: `${subject}`,
  });
}

async function onlySubject(folder: Folder): Promise<number> {
  const found: number[] = [];
  for (let subject = 1; subject <= 8; subject++) {
    if (await openIfThere(folder, MINDEYE_FILES.betas(subject))) found.push(subject);
  }
  if (found.length === 1) return found[0]!;
  throw new F2iError('USAGE', 'name one of the subjects', {
    file: folder.name,
    field: 'subject',
    expected: found.join(', '),
    found: 'none named',
  });
}
