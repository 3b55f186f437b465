import { F2iError } from '../error.ts';
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
 * by luck of rounding; ties between equal stimuli count as failures.
 *
 * @param correlations of the N scored truths (rows) with all reconstructions
 * @param own for each row, the column of its own reconstruction
 */
export function twoWayIdentification(
  correlations: CorrelationMatrix,
  own: Int32Array,
  orientation: IdentificationOrientation = 'reconstruction',
): ScoreTable {
  const { values, truths, reconstructions } = correlations;
  if (truths < 2) {
    throw new F2iError('INVALID_ARGUMENT', 'identification needs other trials to compare with', {
      field: 'scored',
      expected: 'at least 2 trials',
      found: `${truths}`,
    });
  }
  const scores = new Float64Array(values.length);
  if (orientation === 'reconstruction') {
    const column = new Float64Array(truths);
    for (let c = 0; c < reconstructions; c++) {
      for (let row = 0; row < truths; row++) column[row] = values[row * reconstructions + c]!;
      const sorted = column.slice().sort();
      for (let row = 0; row < truths; row++) {
        scores[row * reconstructions + c] = countBelow(sorted, column[row]!) / (truths - 1);
      }
    }
  } else {
    // A stimulus compares the reconstructions of the scored trials. In a permuted pairing it may be answered by that
    // of an unscored frame, which then competes with all of them.
    const scored = new Set(own);
    for (let row = 0; row < truths; row++) {
      const line = values.subarray(row * reconstructions, (row + 1) * reconstructions);
      const sorted = Float64Array.from(own, (column) => line[column]!).sort();
      for (let c = 0; c < reconstructions; c++) {
        scores[row * reconstructions + c] =
          countBelow(sorted, line[c]!) / (scored.has(c) ? truths - 1 : truths);
      }
    }
  }
  return { values: scores, own, reconstructions };
}

/** How many of the ascending values are smaller than x. */
function countBelow(sorted: Float64Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
