import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';
import { pairedCorrelation } from './pairedCorrelation.ts';

/**
 * How well an encoding model's responses to the reconstructions fit those that were measured: for each image the
 * Pearson correlation across the voxels of a region (MindEye2, section 3.5, with GNet as the encoding model and
 * betas averaged over repeats).
 *
 * @param measured betas [images, voxels]
 * @param predicted [images, voxels]
 * @param region which voxels belong to the region, a truth value for each; all when absent
 * @returns [images]
 * @throws INVALID_ARGUMENT for extents that differ, a region that fits not or has fewer than 2 voxels, or NaN
 */
export function brainCorrelation(
  measured: Rows,
  predicted: Rows,
  region?: ArrayLike<boolean | number>,
): Float64Array {
  const [, voxels] = rowExtents(measured, 'measured');
  const inside = region ? Array.from(region).filter(Boolean).length : voxels;
  if ((region && region.length !== voxels) || inside < 2) {
    throw new F2iError('INVALID_ARGUMENT', 'not a region of these voxels', {
      field: 'region',
      expected: `a truth value for each of ${voxels} voxels, at least 2 of them true`,
      found: `${region?.length ?? voxels}, ${inside} of them true`,
    });
  }
  return pairedCorrelation(measured, predicted, region);
}
