import type { HeadsConfig, Recording } from '@fmri2image/core';
import type { ResultItem, Results } from './results.ts';

/** One side of a split: rows, and what they were made of. */
export interface SideRows {
  readonly rows: number;
  readonly trials: number;
  readonly pictures: number;
  /** Where the repeats of a picture were averaged. */
  readonly average: 'none' | 'betas' | 'normalised' | 'predictions';
}

/** What items are rows of, where they are no trials of a study: facts of the whole recording, and of both sides. */
export interface RecordingRows {
  readonly trials: number;
  readonly sessions: readonly string[];
  readonly runs: number;
  readonly pictures: number;
  readonly recipe: string;
  readonly split: string;
  readonly normalisation: string;
  /** As the fit counted them, beside those that were published: `812 training pictures (published: 8859)`. */
  readonly counts: readonly string[];
  readonly training: SideRows;
  readonly test: SideRows;
  /** Which rows the permutation test exchanges: rows of several runs belong to none, and all are. */
  readonly exchanged: 'within runs' | 'among all rows';
}

/**
 * Facts of the rows of a head, from the recording itself and from what the fit wrote down.
 *
 * @param results of one head, whose items are trials of the recording
 */
export function recordingRows(
  { trials }: Pick<Recording, 'trials'>,
  { items, folds, array }: Pick<Results, 'items' | 'folds' | 'array'>,
): RecordingRows | undefined {
  const fold = folds?.[0];
  if (!fold) return undefined;
  const { recipe, heads, designs, split, normalisation, testAverage } = fold.config as unknown as HeadsConfig;
  const design = designs[(heads.find(({ name }) => name === array) ?? heads[0]!).design]!;
  const trained = ((fold.training ?? {}) as { trials?: [number, number][] }).trials ?? [];
  const { counts = [] } = (fold.report.recording ?? {}) as { counts?: string[] };
  const within = (trial: number) => trained.some(([first, last]) => trial >= first && trial <= last);
  const side = (own: readonly number[]) => ({
    trials: own.length,
    pictures: new Set(own.map((trial) => trials[trial]!.stimulus)).size,
  });
  return {
    trials: trials.length,
    sessions: [...new Set(trials.map(({ session }) => session))],
    runs: new Set(trials.map(({ session, run }) => `${session}.${run}`)).size,
    pictures: new Set(trials.map(({ stimulus }) => stimulus)).size,
    recipe,
    split,
    normalisation,
    counts,
    training: { rows: design.rows, average: design.average, ...side([...trials.keys()].filter(within)) },
    test: {
      rows: items.length,
      average: testAverage,
      ...side([...new Set(items.flatMap((item) => item.trials))]),
    },
    exchanged: areSingle(items) ? 'within runs' : 'among all rows',
  };
}

/** Whether each row is of one trial, and so of one run. */
export const areSingle = (items: readonly Pick<ResultItem, 'trials'>[]) =>
  items.every(({ trials }) => trials.length === 1);
