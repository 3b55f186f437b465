import { existsSync } from 'node:fs';
import { bandsOf, F2iError, regionColumns } from '@fmri2image/core';
import { type RegionFlags, readRegions } from '../maps/regions.ts';
import { BAND_DRAWS, labelsOfVoxels } from '../pipeline/bands.ts';
import type { AskedBands } from './plan.ts';
import type { OpenedRecording } from './recording.ts';

/** Options that tell bands of a recipe. */
export interface RecipeBandFlags extends RegionFlags {
  /** ROIs by their names, separated by commas; or a file with a label for each voxel. */
  readonly bands?: string | undefined;
  readonly bandDraws?: number | undefined;
}

/**
 * The recording with the regions of images that the user names beside its own, and the bands that are asked for. A file in
 * place of names (an atlas of whole numbers, a text with a label a voxel) makes each of its labels a region and a band; one
 * that has the name of a region is told from it by its folder (`./V1`).
 *
 * @throws USAGE and FORMAT for files that are missing or do not fit the voxels
 */
export async function withBands(
  recording: OpenedRecording,
  flags: RecipeBandFlags,
  signal: AbortSignal,
): Promise<{ recording: OpenedRecording; asked: AskedBands | undefined }> {
  const regions = new Map(recording.regions);
  if (flags.atlas !== undefined || flags.region !== undefined) {
    for (const [name, columns] of await readRegions(flags, recording.selection, signal))
      regions.set(name, columns);
  }
  const { bands, bandDraws: draws = BAND_DRAWS } = flags;
  const found = { ...recording, regions };
  if (bands === undefined) return { recording: found, asked: undefined };
  const names = bands.split(',').map((name) => name.trim());
  const isFile = existsSync(bands);
  if (!isFile && FILE_NAME.test(bands) && !areRegions(names, regions)) {
    throw new F2iError('USAGE', 'no such file, and no ROI of this name', { field: '--bands', file: bands });
  }
  if (!isFile || areRegions(names, regions)) return { recording: found, asked: { names, draws } };
  const labelled = bandsOf(await labelsOfVoxels(bands, recording, signal));
  for (const { name, columns } of labelled) regions.set(name, Int32Array.from(columns));
  return { recording: found, asked: { names: labelled.map(({ name }) => name), draws } };
}

/** What nobody would call an ROI. */
const FILE_NAME = /[/\\]|\.(nii(\.gz)?|txt|tsv|csv)$/i;

/** Whether all of them are ROIs, or atlases of them: `regionBands` takes these names. */
function areRegions(names: readonly string[], regions: ReadonlyMap<string, Int32Array>): boolean {
  const atlases = new Set(Array.from(regions.keys(), (name) => name.split(':')[0]!));
  return names.every((name) => atlases.has(name) || isRegion(name, regions));
}

function isRegion(name: string, regions: ReadonlyMap<string, Int32Array>): boolean {
  try {
    return regionColumns(regions, name, '--bands').length > 0;
  } catch {
    return false;
  }
}
