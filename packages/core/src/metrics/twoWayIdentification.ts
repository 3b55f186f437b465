import { F2iError } from '../error.ts';
import { placesBy } from '../grouped.ts';
import type { CorrelationMatrix } from './correlationMatrix.ts';
import type { ScoreTable } from './pairing.ts';

/**
 * - `reconstruction`: against a reconstruction, its true picture competes with each other true picture. The protocol
 *   of MindEye, Brain-Diffuser and of most papers.
 * - `stimulus`: against a true picture, its reconstruction competes with each other trial's reconstruction. Takagi
 *   and Nishimoto 2023.
 */
export type IdentificationOrientation = 'reconstruction' | 'stimulus';

/**
 * Two-way identification: for each trial, the fraction of the N - 1 others whose correlation is strictly smaller than
 * its own. Chance is 1/2. Strictly: a decoder that always answers with one grey picture scores 0, not 1/2 and never
 * by luck of rounding; ties between stimuli of equal values count as failures.
 *
 * Where a stimulus was shown several times, `stimuli` says so: trials that show the same are no competitors of each
 * other, for no answer could tell them apart. A trial then competes with the trials of other stimuli alone, and its
 * fraction is of their number. Who competes depends on the trial, not on the reconstruction, so rearrangements of
 * reconstructions stay exchangeable.
 *
 * @param correlations of the N scored truths (rows) with all reconstructions
 * @param own for each row, the column of its own reconstruction
 * @param stimuli identity of the stimulus of each row; all different when absent. Against a reconstruction alone:
 *   against a stimulus, a rearrangement would change who competes, which one table cannot say
 * @throws INVALID_ARGUMENT for fewer than 2 trials, or 2 different stimuli
 */
export function twoWayIdentification(
  correlations: CorrelationMatrix,
  own: Int32Array,
  orientation: IdentificationOrientation = 'reconstruction',
  stimuli?: ArrayLike<number | string>,
): ScoreTable {
  const { truths, reconstructions } = correlations;
  if (truths < 2) {
    throw new F2iError('INVALID_ARGUMENT', 'identification needs other trials to compare with', {
      field: 'scored',
      expected: 'at least 2 trials',
      found: `${truths}`,
    });
  }
  if (stimuli && orientation !== 'reconstruction') {
    throw new F2iError('INVALID_ARGUMENT', 'repeats are told apart against a reconstruction alone', {
      field: 'orientation',
      expected: 'reconstruction',
      found: orientation,
    });
  }
  const scores =
    orientation === 'reconstruction'
      ? againstReconstructions(correlations, rowsOfStimuli(stimuli, truths))
      : againstStimuli(correlations, own);
  return { values: scores, own, reconstructions };
}

/** Rows that show the same, for each stimulus: checked. */
function rowsOfStimuli(stimuli: ArrayLike<number | string> | undefined, truths: number): number[][] {
  if (stimuli && stimuli.length !== truths) {
    throw new F2iError('INVALID_ARGUMENT', 'one stimulus for each scored trial', {
      field: 'stimuli',
      expected: `${truths}`,
      found: `${stimuli.length}`,
    });
  }
  const groups = placesBy(truths, (row) => (stimuli ? stimuli[row]! : row));
  if (groups.size < 2) {
    throw new F2iError('INVALID_ARGUMENT', 'identification needs other stimuli to compare with', {
      field: 'stimuli',
      expected: 'at least 2 different ones',
      found: `${truths} trials of the same`,
    });
  }
  return [...groups.values()];
}

function againstReconstructions(
  { values, truths, reconstructions }: CorrelationMatrix,
  groups: readonly number[][],
): Float64Array {
  const scores = new Float64Array(values.length);
  const column = new Float64Array(truths);
  for (let c = 0; c < reconstructions; c++) {
    for (let row = 0; row < truths; row++) column[row] = values[row * reconstructions + c]!;
    const all = column.slice().sort();
    for (const rows of groups) {
      const same = Float64Array.from(rows, (row) => column[row]!).sort();
      for (const row of rows) {
        const below = countBelow(all, column[row]!) - countBelow(same, column[row]!);
        scores[row * reconstructions + c] = below / (truths - rows.length);
      }
    }
  }
  return scores;
}

/**
 * A stimulus compares the reconstructions of the scored trials. In a permuted pairing it may be answered by that of an
 * unscored frame, which then competes with all of them.
 */
function againstStimuli(
  { values, truths, reconstructions }: CorrelationMatrix,
  own: Int32Array,
): Float64Array {
  const scores = new Float64Array(values.length);
  const scored = new Set(own);
  for (let row = 0; row < truths; row++) {
    const line = values.subarray(row * reconstructions, (row + 1) * reconstructions);
    const sorted = Float64Array.from(own, (column) => line[column]!).sort();
    for (let c = 0; c < reconstructions; c++) {
      scores[row * reconstructions + c] =
        countBelow(sorted, line[c]!) / (scored.has(c) ? truths - 1 : truths);
    }
  }
  return scores;
}

/** How many of the ascending values are smaller than x. */
export function countBelow(sorted: Float64Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
