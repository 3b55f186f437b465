import type { Average } from '../recording/recording.ts';

/** What is known of NSD and of the data that MindEye2 published of it, by subject. */
export interface PublishedSubject {
  /** In `nsdgeneral` at 1.8 mm (MedARC-AI/MindEyeV2, code and notebooks). */
  readonly voxels: number;
  /** Scan sessions, 750 trials each (NSD data manual, Technical notes). */
  readonly sessions: number;
  /** Test trials of MindEye2's split `new_test`. */
  readonly testTrials: number;
}

const VOXELS = [15724, 14278, 15226, 13153, 13039, 17907, 12682, 14386];
const SESSIONS = [40, 40, 32, 30, 40, 32, 40, 30];
/** Of all who finished 40 sessions; fewer where there were 32 or 30. */
const TEST_TRIALS: Readonly<Record<number, number>> = { 40: 3000, 32: 2371, 30: 2188 };
export const TRIALS_A_SESSION = 750;
/** Pictures of NSD, and of COCO that it took them from. */
export const NSD_PICTURES = 73_000;
/** Pictures of one subject. */
export const SUBJECT_PICTURES = 10_000;
/** Pictures that all subjects saw: the first of each subject's 10,000. */
export const SHARED_PICTURES = 1000;

/** Undefined for a subject that NSD does not have. */
export function publishedSubject(subject: number): PublishedSubject | undefined {
  const [voxels, sessions] = [VOXELS[subject - 1], SESSIONS[subject - 1]];
  if (voxels === undefined || sessions === undefined) return undefined;
  return { voxels, sessions, testTrials: TEST_TRIALS[sessions]! };
}

/** Pictures and trials of each side, as papers print them. */
export interface PublishedCounts {
  readonly train?: { readonly pictures?: number; readonly trials?: number };
  readonly test?: { readonly pictures?: number; readonly trials?: number };
}

export interface PublishedSplit {
  /** Who tests so, in words. */
  readonly of: string;
  /** Last sessions that take no part: they were held out when NSD was first released. */
  readonly heldOutSessions: 0 | 3;
  readonly average: { readonly train: Average; readonly test: Average };
  /** By the number of sessions that the subject has. */
  readonly counts: Readonly<Record<number, PublishedCounts>>;
}

/** 37 sessions of subjects 1, 2, 5, 7: 27,750 trials; 29 of 3 and 6; 27 of 4 and 8. */
const FIRST_RELEASE: PublishedSplit['counts'] = {
  40: { train: { pictures: 8859, trials: 24_980 }, test: { pictures: 982, trials: 2770 } },
  32: { train: { trials: 29 * TRIALS_A_SESSION - 2113 }, test: { trials: 2113 } },
  30: { train: { trials: 27 * TRIALS_A_SESSION - 1985 }, test: { trials: 1985 } },
};

/**
 * All sessions: trials from MindEye2's tars, pictures from the NSD data manual (Technical notes: 10,000, 9411 and 9209
 * distinct pictures, of which 1000, 930 and 907 are shared).
 */
const ALL_SESSIONS: PublishedSplit['counts'] = {
  40: { train: { pictures: 9000, trials: 27_000 }, test: { pictures: 1000, trials: 3000 } },
  32: { train: { pictures: 9411 - 930, trials: 24_000 - 2371 }, test: { pictures: 930, trials: 2371 } },
  30: { train: { pictures: 9209 - 907, trials: 22_500 - 2188 }, test: { pictures: 907, trials: 2188 } },
};

/** How published systems divide NSD: they train on pictures of the subject's own, and test on those that all saw. */
export const SPLITS = {
  'mindeye2-new-test': {
    of: 'MindEye2 (Scotti et al. 2024, arXiv:2403.11207), all sessions; outputs of the repeats are averaged',
    heldOutSessions: 0,
    average: { train: 'none', test: 'predictions' },
    counts: ALL_SESSIONS,
  },
  'mindeye2-old-test': {
    of: 'MindEye2’s tars `test`, without the last three sessions; outputs of the repeats are averaged',
    heldOutSessions: 3,
    average: { train: 'none', test: 'predictions' },
    counts: FIRST_RELEASE,
  },
  mindeye1: {
    of: 'MindEye1 (Scotti et al. 2023, arXiv:2305.18274): 8859 training pictures, of which 300 for validation; voxels of test repeats are averaged',
    heldOutSessions: 3,
    average: { train: 'none', test: 'normalised' },
    counts: FIRST_RELEASE,
  },
  'brain-diffuser': {
    of: 'Brain-Diffuser (Ozcelik and VanRullen 2023, Scientific Reports 13:15666): betas averaged over the repeats of a picture on both sides',
    heldOutSessions: 3,
    average: { train: 'betas', test: 'betas' },
    counts: FIRST_RELEASE,
  },
  takagi: {
    of: 'Takagi and Nishimoto (CVPR 2023): single training trials, test betas averaged over repeats',
    heldOutSessions: 3,
    average: { train: 'none', test: 'betas' },
    counts: FIRST_RELEASE,
  },
} as const satisfies Readonly<Record<string, PublishedSplit>>;

export type SplitName = keyof typeof SPLITS;
