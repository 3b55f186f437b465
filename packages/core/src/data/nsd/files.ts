import { F2iError } from '../../error.ts';
import type { Folder, Source } from '../source.ts';

/** `subj01` */
export const subjectName = (subject: number) => `subj${String(subject).padStart(2, '0')}`;

const two = (number: number) => String(number).padStart(2, '0');

/**
 * Where the files of the Natural Scenes Dataset lie below its root (NSD data manual, https://cvnlab.slite.page), and which
 * of them are read here.
 */
export const NSD_FILES = {
  design: 'nsddata/experiments/nsd/nsd_expdesign.mat',
  stimulusInfo: 'nsddata/experiments/nsd/nsd_stim_info_merged.csv',
  stimuli: 'nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5',
  responses: (subject: number) => `nsddata/ppdata/${subjectName(subject)}/behav/responses.tsv`,
  roi: (subject: number, space: string, atlas: string) =>
    `nsddata/ppdata/${subjectName(subject)}/${space}/roi/${atlas}.nii.gz`,
  labels: (subject: number, atlas: string) =>
    `nsddata/freesurfer/${subjectName(subject)}/label/${atlas}.mgz.ctab`,
  /** Without `.hdf5` or `.nii.gz`. */
  betas: (subject: number, space: string, betas: string, session: number) =>
    `nsddata_betas/ppdata/${subjectName(subject)}/${space}/${betas}/betas_session${two(session)}`,
  noiseCeiling: (subject: number, space: string, betas: string) =>
    `nsddata_betas/ppdata/${subjectName(subject)}/${space}/${betas}/ncsnr.nii.gz`,
} as const;

/** Where who lacks a file may get it. */
const PUBLISHED_AT = 's3://natural-scenes-dataset (naturalscenesdataset.org, after its terms are agreed to)';

/** A file that may be missing. Errors other than that are thrown. */
export async function openIfThere(folder: Folder, path: string): Promise<Source | undefined> {
  try {
    return await folder.open(path);
  } catch (error) {
    const isMissing = error instanceof F2iError && error.code === 'IO' && /no such file/i.test(error.message);
    if (isMissing) return undefined;
    throw error;
  }
}

/** The error for a file that is needed: what it is, and where NSD publishes it. */
export function missing(folder: Folder, path: string, what: string): F2iError {
  return new F2iError('IO', `${what} is not there: no such file`, {
    file: `${folder.name}/${path}`,
    expected: `the file of NSD, from ${PUBLISHED_AT}`,
  });
}
