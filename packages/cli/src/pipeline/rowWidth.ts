import { type BundleInput, rowOfInput } from '@fmri2image/core';

/** `200 voxels at 4 delays (800 values a row)`: what a decoder reads of each trial. */
export function rowInWords(input: Pick<BundleInput, 'voxels' | 'preprocess'>): string {
  const { values, voxels, delays } = rowOfInput(input);
  if (delays === 1) return `${voxels} voxel${voxels === 1 ? '' : 's'}`;
  return `${voxels} voxels at ${delays} delays (${values} values a row)`;
}
