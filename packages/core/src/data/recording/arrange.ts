import { F2iError } from '../../error.ts';
import { groupBy } from '../../grouped.ts';
import { type PublishedCounts, publishedSubject, SPLITS, type SplitName } from '../nsd/published.ts';
import type { Split } from '../splits.ts';
import { didYouMean } from '../study/nearest.ts';
import {
  type ArrangedRow,
  type Arrangement,
  AVERAGES,
  type Average,
  type RecordingFacts,
} from './recording.ts';

/** Where trials are averaged: on both sides the same, or each as it says. */
export type AverageChoice = Average | { readonly train: Average; readonly test: Average };

export interface ArrangeOptions {
  /** A published split by its name, or `split`: trials that the files call `train` and `test`. */
  split: SplitName | 'split';
  /** Instead of what the split was published with; a single name leaves training trials single for `predictions`. */
  average?: AverageChoice | undefined;
}

export const SPLIT_NAMES: readonly (SplitName | 'split')[] = [
  ...(Object.keys(SPLITS) as SplitName[]),
  'split',
];

/**
 * Training and test rows of a recording by the name of a split. Counts are as found; where a published split has other
 * ones, the line says both.
 *
 * @throws INVALID_ARGUMENT for unknown names, for recordings that do not say which pictures are shared, and for sides
 *   without a trial
 */
export function arrange(recording: RecordingFacts, { split, average }: ArrangeOptions): Arrangement {
  if (split === 'split') {
    const rows = (wanted: string) => trialsWhere(recording, (trial) => trial.split === wanted);
    return arrangeTrials(recording, { name: 'split', train: rows('train'), test: rows('test') }, average);
  }
  if (!Object.hasOwn(SPLITS, split)) {
    throw invalid(
      'split',
      `unknown split${didYouMean(String(split), SPLIT_NAMES)}`,
      SPLIT_NAMES.join(', '),
      String(split),
    );
  }
  const published = SPLITS[split];
  if (recording.trials.some(({ shared }) => shared === undefined)) {
    throw invalid(
      'split',
      `${split} tests on pictures that all subjects saw`,
      'trials that say so',
      recording.name,
    );
  }
  const subject = recording.subject === undefined ? undefined : publishedSubject(recording.subject);
  // The last three sessions of each subject were held out from the first release.
  const last =
    published.heldOutSessions > 0 && subject ? subject.sessions - published.heldOutSessions : Infinity;
  const within = (session: string) => !(Number(session) > last);
  const sides = {
    name: split,
    train: trialsWhere(recording, ({ shared, session }) => !shared && within(session)),
    test: trialsWhere(recording, ({ shared, session }) => shared === true && within(session)),
  };
  const counts = subject && published.counts[subject.sessions];
  return arrangeTrials(recording, sides, average ?? published.average, counts);
}

/**
 * Rows of any division of trials: leave one run out, folds, a list of the user's.
 *
 * Single training and test trials stay in order of time. Averaged rows, and single ones whose predictions are averaged,
 * come by ascending stimulus.
 *
 * @param sides trials of the recording
 * @param published counts to hold the found ones against
 */
export function arrangeTrials(
  recording: RecordingFacts,
  sides: Pick<Split, 'name' | 'train' | 'test'>,
  choice: AverageChoice = 'none',
  published?: PublishedCounts,
): Arrangement {
  const average = averageOf(choice);
  const rowsOf = (side: 'train' | 'test'): ArrangedRow[] => {
    const trials = Int32Array.from(sides[side]).sort();
    if (trials.length === 0) {
      throw invalid(
        side,
        `no ${side === 'train' ? 'training' : 'test'} trial in ${sides.name}`,
        'one or more',
        '0',
      );
    }
    checkTrials(recording, trials, side);
    return arrangedRows(recording, trials, average[side]);
  };
  const [train, test] = [rowsOf('train'), rowsOf('test')];
  const both = new Set(sides.train);
  const shared = Array.from(sides.test).filter((trial) => both.has(trial)).length;
  if (shared > 0) throw invalid(sides.name, 'trials are on both sides', 'none', `${shared}`);
  return {
    name: sides.name,
    train,
    test,
    average,
    counts: countLines(train, test, published),
    warnings: seenPictures(train, test),
  };
}

function averageOf(choice: AverageChoice): { train: Average; test: Average } {
  const average =
    typeof choice === 'string'
      ? { train: choice === 'predictions' ? ('none' as const) : choice, test: choice }
      : choice;
  for (const side of ['train', 'test'] as const) {
    if (AVERAGES.includes(average[side]) && !(side === 'train' && average.train === 'predictions')) continue;
    const known = AVERAGES.filter((name) => side === 'test' || name !== 'predictions').join(', ');
    throw invalid(`average.${side}`, 'there is no such stage to average at', known, String(average[side]));
  }
  return { train: average.train, test: average.test };
}

function arrangedRows({ trials: all }: RecordingFacts, trials: Int32Array, average: Average): ArrangedRow[] {
  if (average === 'none') {
    return Array.from(trials, (trial) => ({ stimulus: all[trial]!.stimulus, trials: Int32Array.of(trial) }));
  }
  const byPicture = groupBy(trials, (trial) => all[trial]!.stimulus);
  const pictures = [...byPicture].sort(([a], [b]) => a - b);
  return pictures.flatMap(([stimulus, own]) =>
    average === 'predictions'
      ? own.map((trial) => ({ stimulus, trials: Int32Array.of(trial) }))
      : [{ stimulus, trials: Int32Array.from(own) }],
  );
}

function trialsWhere(
  { trials }: RecordingFacts,
  is: (trial: RecordingFacts['trials'][number]) => boolean,
): Int32Array {
  return Int32Array.from(trials.keys()).filter((trial) => is(trials[trial]!));
}

function countLines(
  train: readonly ArrangedRow[],
  test: readonly ArrangedRow[],
  published: PublishedCounts | undefined,
): string[] {
  return (['train', 'test'] as const).flatMap((side) => {
    const rows = side === 'train' ? train : test;
    const what = side === 'train' ? 'training' : 'test';
    const found = {
      pictures: new Set(rows.map(({ stimulus }) => stimulus)).size,
      trials: rows.reduce((sum, { trials }) => sum + trials.length, 0),
    };
    return (['pictures', 'trials'] as const).map((unit) => {
      const stated = published?.[side]?.[unit];
      const line = `${figure(found[unit])} ${what} ${found[unit] === 1 ? unit.slice(0, -1) : unit}`;
      return stated === undefined || stated === found[unit] ? line : `${line} (published: ${figure(stated)})`;
    });
  });
}

/** As papers write it: 8859, 24,980. */
const figure = (count: number) => (count < 10_000 ? `${count}` : `${count}`.replace(/\B(?=(\d{3})+$)/g, ','));

function seenPictures(train: readonly ArrangedRow[], test: readonly ArrangedRow[]): string[] {
  const trained = new Set(train.map(({ stimulus }) => stimulus));
  const seen = new Set(test.map(({ stimulus }) => stimulus).filter((stimulus) => trained.has(stimulus)));
  const pictures = new Set(test.map(({ stimulus }) => stimulus)).size;
  return seen.size > 0 ? [`${seen.size} of ${pictures} test stimuli were shown in training trials, too`] : [];
}

function checkTrials({ trials: all, name }: RecordingFacts, trials: Int32Array, field: string): void {
  const wrong = trials.findIndex((trial, i) => trial < 0 || trial >= all.length || trial === trials[i - 1]);
  if (wrong < 0) return;
  throw invalid(field, `not trials of ${name}`, `0 to ${all.length - 1}, each once`, `${trials[wrong]}`);
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
