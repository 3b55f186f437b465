import {
  BEHAVIOUR_COLUMNS,
  encodeNpy,
  encodeTar,
  hdf5Pieces,
  MINDEYE_FILES,
  TRIALS_A_SESSION,
  type WriteFile,
} from '@fmri2image/core';

/** One presentation in a simulated experiment of the shape of NSD. */
export interface LaidOutTrial {
  readonly image: number;
  /** From 0; the same in all splits. */
  readonly trial: number;
  readonly split: 'train' | 'new_test';
  /** How often the picture was shown before. */
  readonly repeat: number;
}

export interface BetasToWrite {
  readonly data: Float32Array | Iterable<Float32Array>;
  readonly shape: readonly [trials: number, voxels: number];
}

/** Runs of a session of NSD. */
export const RUNS = 12;

/** Trials that each array of a sample tells of: its own, those before and after it, and those of the same picture. */
const SAMPLE_ROWS = [1, 15, 15, 3];
const [TAR_BLOCK, NPY_HEADER] = [512, 128];
/** What a trial takes in a tar: its arrays in whole blocks, each behind a block of its own. */
export const SAMPLE_BYTES = SAMPLE_ROWS.reduce(
  (bytes, rows) =>
    bytes + TAR_BLOCK * (1 + Math.ceil((NPY_HEADER + 8 * rows * BEHAVIOUR_COLUMNS) / TAR_BLOCK)),
  0,
);

/**
 * Writes betas and trials as MindEye2 published those of NSD: same files, names, shapes and types. The order of samples in
 * a tar is that of the trials.
 *
 * @param betas [trials, voxels], whole or in pieces
 * @param sessionTrials trials of a session; 750 in NSD
 */
export async function writeNsdLayout(
  subject: number,
  { data, shape }: BetasToWrite,
  trials: readonly LaidOutTrial[],
  write: WriteFile,
  sessionTrials: number = TRIALS_A_SESSION,
): Promise<void> {
  const pieces = data instanceof Float32Array ? [data] : data;
  await write(
    MINDEYE_FILES.betas(subject),
    hdf5Pieces({ name: MINDEYE_FILES.dataset, dtype: 'f32', shape }, pieces),
  );
  const ofPicture = new Map<number, LaidOutTrial[]>();
  for (const trial of trials) {
    const own = ofPicture.get(trial.image);
    if (own) own.push(trial);
    else ofPicture.set(trial.image, [trial]);
  }
  const sessions = Math.ceil(trials.length / sessionTrials);
  const train = Array.from({ length: sessions }, (_, session) =>
    trials.filter(({ split, trial }) => split === 'train' && Math.floor(trial / sessionTrials) === session),
  );
  for (const [session, own] of train.entries()) {
    await write(`${MINDEYE_FILES.trials(subject, 'train')}/${session}.tar`, samples(own));
  }
  const test = trials.filter(({ split }) => split === 'new_test');
  await write(`${MINDEYE_FILES.trials(subject, 'new_test')}/0.tar`, samples(test));

  function samples(own: readonly LaidOutTrial[]): Uint8Array {
    return encodeTar(
      own.flatMap((trial, i) => {
        const key = `sample${String(i).padStart(9, '0')}`;
        const near = (offset: number) => trials[trial.trial + offset];
        const around = (count: number, direction: number) =>
          Array.from({ length: count }, (_, j) => near(direction * (j + 1)));
        return [
          [`${key}.behav.npy`, behaviour([trial])],
          [`${key}.past_behav.npy`, behaviour(around(15, -1))],
          [`${key}.future_behav.npy`, behaviour(around(15, 1))],
          [`${key}.olds_behav.npy`, behaviour(earlier(trial))],
        ] as [string, Uint8Array][];
      }),
    );
  }

  /** Presentations of the same picture before; -1 where there were fewer than three. */
  function earlier({ image, trial }: LaidOutTrial): (LaidOutTrial | undefined)[] {
    const before = ofPicture.get(image)!.filter((other) => other.trial < trial);
    return Array.from({ length: 3 }, (_, i) => before[i]);
  }

  /** Rows of 17 columns; a trial that there is not is -1 throughout. */
  function behaviour(rows: readonly (LaidOutTrial | undefined)[]): Uint8Array {
    const values = Float64Array.from({ length: rows.length * BEHAVIOUR_COLUMNS }, () => -1);
    for (const [i, row] of rows.entries()) {
      if (!row) continue;
      const inSession = row.trial % sessionTrials;
      const isOld = row.repeat > 0 ? 1 : 0;
      values.set(
        [
          row.image,
          subject,
          Math.floor(row.trial / sessionTrials) + 1,
          Math.floor((inSession * RUNS) / sessionTrials) + 1,
          inSession + 1,
          row.trial,
          row.trial * 4,
          isOld,
          1,
          -1,
          -1,
          isOld,
          1,
          -1,
          -1,
          -1,
          row.split === 'new_test' ? 1 : 0,
        ],
        i * BEHAVIOUR_COLUMNS,
      );
    }
    return encodeNpy({ dtype: 'f64', shape: [rows.length, BEHAVIOUR_COLUMNS], data: values });
  }
}
