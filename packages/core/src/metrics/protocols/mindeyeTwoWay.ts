import type { CorrelationMatrix } from '../correlationMatrix.ts';
import { mean, ownScores } from '../pairing.ts';
import { twoWayIdentification } from '../twoWayIdentification.ts';

export interface TwoWayCounts {
  /** For each reconstruction, how many other true pictures correlate strictly less with it than its own. */
  readonly counts: Int32Array;
  /** Their mean over the number of others. */
  readonly score: number;
}

/**
 * Two-way identification on features as MindEye, MindEye2 and Brain-Diffuser report it: every true picture a stimulus
 * of its own, row i that of reconstruction i.
 *
 * @param correlations [n, n]
 */
export function mindeyeTwoWay(correlations: CorrelationMatrix): TwoWayCounts {
  const own = Int32Array.from({ length: correlations.truths }, (_, i) => i);
  const shares = ownScores(twoWayIdentification(correlations, own));
  return {
    counts: Int32Array.from(shares, (share) => Math.round(share * (own.length - 1))),
    score: mean(shares),
  };
}
