import type { Rows } from '../rows.ts';
import { pairedCorrelation } from './pairedCorrelation.ts';

/**
 * 1 - Pearson's correlation of the features of each true picture with those of its reconstruction: what MindEye
 * reports of EfficientNet and SwAV features, as `scipy.spatial.distance.correlation`. 0 is perfect, 1 unrelated.
 *
 * @param truth [n, ...]
 * @param reconstructions [n, ...]
 * @returns [n]
 */
export function correlationDistance(truth: Rows, reconstructions: Rows): Float64Array {
  return pairedCorrelation(truth, reconstructions).map((r) => 1 - r);
}
