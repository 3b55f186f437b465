import type { BundleInput } from '@fmri2image/core';

/** `200 voxels at 4 delays (800 values a row)`: what a decoder reads of each trial. */
export function rowInWords({
  voxels: values,
  preprocess,
}: Pick<BundleInput, 'voxels' | 'preprocess'>): string {
  const sample = preprocess?.findLast(({ name }) => name === 'sample');
  const { delays } = (sample?.settings ?? {}) as { delays?: unknown };
  const count = Array.isArray(delays) ? delays.length : 1;
  if (count < 2 || values % count !== 0) return `${values} voxel${values === 1 ? '' : 's'}`;
  return `${values / count} voxels at ${count} delays (${values} values a row)`;
}
