import type { CorrelationMatrix } from '../correlationMatrix.ts';
import { mindeyeTwoWay } from './mindeyeTwoWay.ts';

/**
 * Two-way identification as the NSD-Imagery benchmark computes it: from each count of defeated pictures 1 is taken away
 * as if it held the comparison with itself, which a strict "smaller" never counts. Scores are too low by 1 / (n - 1),
 * .0909 of its 12 stimuli, and a perfect decoder reaches no more than 1 - 1 / (n - 1). To be compared with that
 * benchmark's figures alone.
 *
 * @param correlations [n, n]
 */
export function nsdImageryTwoWay(correlations: CorrelationMatrix): number {
  return mindeyeTwoWay(correlations).score - 1 / (correlations.truths - 1);
}
