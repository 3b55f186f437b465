import { F2iError } from '../error.ts';
import { createRandom } from '../random.ts';

/** Rows to fit on and rows held out. */
export interface Split {
  readonly train: Int32Array;
  readonly test: Int32Array;
  /** What was held out: `sweep 2`, `fold 3 of 5`. */
  readonly name: string;
}

/**
 * Leaves out one group (run, sweep, session) after the other.
 *
 * @param labels group of each row
 */
export function leaveOneGroupOut(labels: ArrayLike<string | number>, what = 'group'): Split[] {
  const names = [...new Set(Array.from(labels, String))];
  if (names.length < 2) {
    throw new F2iError('INVALID_ARGUMENT', 'leaving one group out needs at least two groups', {
      field: what,
      expected: 'two labels or more',
      found: names.length === 1 ? `only "${names[0]}"` : 'no rows',
    });
  }
  return names.map((name) => ({ name: `${what} ${name}`, ...divide(labels, (label) => label === name) }));
}

export interface KFoldOptions {
  folds: number;
  /** Contiguous blocks when absent (scikit-learn's KFold); a seed shuffles first. */
  seed?: number | undefined;
  /**
   * Rows that must stay together, such as repeats of one stimulus: a label for each row. Folds then divide labels,
   * so that no stimulus is on both sides.
   */
  together?: ArrayLike<string | number> | undefined;
}

/** K folds over `n` rows, each row held out exactly once; the first n mod k folds have one unit more. */
export function kFolds(n: number, { folds, seed, together }: KFoldOptions): Split[] {
  const labels = together ? Array.from(together, String) : Array.from({ length: n }, (_, i) => String(i));
  if (labels.length !== n) {
    throw new F2iError('INVALID_ARGUMENT', 'one label for each row', {
      field: 'together',
      expected: `${n}`,
      found: `${labels.length}`,
    });
  }
  let units = [...new Set(labels)];
  if (!Number.isInteger(folds) || folds < 2 || folds > units.length) {
    throw new F2iError('INVALID_ARGUMENT', 'the number of folds does not fit the data', {
      field: 'folds',
      expected: `2 to ${units.length}`,
      found: `${folds}`,
    });
  }
  if (seed !== undefined) units = createRandom(seed).shuffle(units);
  const foldOf = new Map<string, number>();
  let next = 0;
  for (let fold = 0; fold < folds; fold++) {
    const size = Math.floor(units.length / folds) + (fold < units.length % folds ? 1 : 0);
    for (const unit of units.slice(next, next + size)) foldOf.set(unit, fold);
    next += size;
  }
  return Array.from({ length: folds }, (_, fold) => ({
    name: `fold ${fold + 1} of ${folds}`,
    ...divide(labels, (label) => foldOf.get(label) === fold),
  }));
}

/**
 * Splits in which nothing that is held out was seen in training: rows of the training side that share a label with the
 * test side (repeats of one stimulus, above all) are left out of it. For groups that repeat stimuli; `kFolds` keeps
 * such rows together instead.
 *
 * @param labels of each row, such as its stimulus; undefined where it shares nothing
 * @throws INVALID_ARGUMENT when a split is left without training rows
 */
export function withoutShared(
  splits: readonly Split[],
  labels: readonly (string | number | undefined)[],
): Split[] {
  return splits.map((split) => {
    const held = new Set(Array.from(split.test, (row) => labels[row]).filter((label) => label !== undefined));
    const train = split.train.filter((row) => labels[row] === undefined || !held.has(labels[row]!));
    if (train.length === 0) {
      const message =
        'every training row shows a stimulus that is held out, too: hold out other groups, each with stimuli of its own; a study in which every group shows all stimuli cannot be tested on unseen ones this way';
      throw new F2iError('INVALID_ARGUMENT', message, {
        field: split.name,
        expected: 'stimuli that are in training alone',
        found: `${split.train.length} rows, all of stimuli that are held out, too`,
      });
    }
    return { ...split, train };
  });
}

/** The split that a study states: rows labelled `train` and `test`; others take no part. */
export function statedSplit(labels: ArrayLike<string>): Split {
  const rows = (wanted: string) =>
    Int32Array.from(Array.from(labels).flatMap((label, row) => (label === wanted ? [row] : [])));
  const split = { name: 'test', train: rows('train'), test: rows('test') };
  for (const side of ['train', 'test'] as const) {
    if (split[side].length === 0) {
      throw new F2iError('INVALID_ARGUMENT', `no trial is labelled "${side}"`, {
        field: 'split',
        expected: 'train and test',
        found: [...new Set(Array.from(labels))].map((label) => `"${label}"`).join(', '),
      });
    }
  }
  return split;
}

function divide(labels: ArrayLike<string | number>, isTest: (label: string) => boolean) {
  const train: number[] = [];
  const test: number[] = [];
  for (let row = 0; row < labels.length; row++) (isTest(String(labels[row])) ? test : train).push(row);
  return { train: Int32Array.from(train), test: Int32Array.from(test) };
}
