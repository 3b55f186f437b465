import type { CorrelationMatrix } from './correlationMatrix.ts';
import type { ScoreTable } from './pairing.ts';

/**
 * Frame (or pixel) correlation: Pearson over all values of a true picture and its reconstruction, averaged over
 * trials. "PixCorr" of MindEye is this after its own resizing.
 *
 * @param correlations of the scored truths (rows) with all reconstructions
 * @param own for each row, the column of its own reconstruction
 */
export function pixelCorrelation(
  { values, reconstructions }: CorrelationMatrix,
  own: Int32Array,
): ScoreTable {
  return { values, own, reconstructions };
}
