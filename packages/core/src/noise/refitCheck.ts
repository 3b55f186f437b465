import type { NestedFold } from '../interpret/heldOut.ts';
import type { Rows } from '../rows.ts';
import { invalid } from './invalid.ts';
import type { RefitPermutationOptions } from './refitPermutation.ts';

const MOST_PERMUTATIONS = 1e6;

/** @throws INVALID_ARGUMENT for counts, blocks and folds that do not fit */
export function check(
  rows: number,
  targets: Rows,
  folds: readonly NestedFold[],
  { permutations = 999, runs, blocks, exchangeability, alphas }: RefitPermutationOptions,
): void {
  // Shifted blocks keep no autocorrelation that shifted rows would lose; of unequal ones none could change places.
  if (blocks && exchangeability === 'continuous') {
    throw invalid(
      'blocks',
      'continuous stimuli are shifted row by row within their runs, and not exchanged',
      'no blocks, or exchangeability "trials" to exchange whole blocks of equal length',
      'blocks with exchangeability "continuous"',
    );
  }
  if (!(Number.isInteger(permutations) && permutations >= 1 && permutations <= MOST_PERMUTATIONS)) {
    throw invalid(
      'permutations',
      'a permutation test needs a sensible number of permutations',
      `a whole number from 1 to ${MOST_PERMUTATIONS}`,
      `${permutations}`,
    );
  }
  if (targets.shape[0] !== rows) {
    throw invalid(
      'targets',
      'voxels and targets differ in their number of rows',
      `${rows}`,
      `${targets.shape[0]}`,
    );
  }
  if (runs && runs.length !== rows)
    throw invalid('runs', 'one run for each row', `${rows}`, `${runs.length}`);
  const held = new Set<number>();
  for (const [f, { train, test, inner }] of folds.entries()) {
    const field = `folds[${f}]`;
    if (train.length < 2 || test.length === 0) {
      const found = `${train.length} training and ${test.length} held-out rows`;
      throw invalid(field, 'a fold is empty', 'some of both', found);
    }
    const own = new Set(Array.from(train));
    for (const row of Array.from(test)) {
      if (own.has(row) || held.has(row)) {
        throw invalid(
          field,
          'a row is held out twice, or trained on as well',
          'each at most once',
          `row ${row}`,
        );
      }
      held.add(row);
    }
    if (typeof alphas !== 'number' && alphas?.length !== 1 && !inner) {
      throw invalid(`${field}.inner`, 'several penalties need folds to choose by', 'inner folds', 'none');
    }
  }
  if (folds.length === 0) throw invalid('folds', 'nothing is held out', 'one fold or more', 'none');
}
