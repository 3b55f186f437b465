import {
  F2iError,
  openNifti,
  type RidgeBands,
  readText,
  type Study,
  type VoxelSelection,
} from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { usage } from '../options.ts';

/** Candidates for the weights of bands, unless the user says how many. */
export const BAND_DRAWS = 100;

/** Bands as the command line states them: by a file, and how many weights are tried. */
export interface BandsFlags {
  readonly bands?: string | undefined;
  readonly bandDraws?: number | undefined;
}

/**
 * Reads which band each voxel of the study belongs to: an atlas (NIfTI on the grid of the study's images; whole numbers, 0
 * for none), or a text with a line for each voxel in the order of the study's, `n/a` for none.
 *
 * @throws FORMAT where the file does not fit the study's voxels, USAGE for draws without bands
 */
export async function readBands(
  flags: BandsFlags,
  study: Study,
  signal: AbortSignal,
): Promise<RidgeBands | undefined> {
  checkBandDraws(flags);
  const { bands: path, bandDraws: draws = BAND_DRAWS } = flags;
  if (path === undefined) return undefined;
  const { selection, name } = study;
  const labels = await labelsOfVoxels(path, { voxels: study.voxels.shape[1]!, selection, name }, signal);
  const bands = new Set(labels.filter((label) => label !== undefined));
  if (bands.size > 0) return { labels, draws };
  throw new F2iError('FORMAT', 'no voxel of the study is in a band', {
    file: path,
    expected: 'a label of some voxels',
    found: 'none',
  });
}

/** @throws USAGE for draws of weights of no bands */
export function checkBandDraws({ bands, bandDraws }: BandsFlags): void {
  if (bandDraws !== undefined && bands === undefined) throw usage('--band-draws: only used with --bands');
}

/** Voxels that labels are of. */
export interface LabelledVoxels {
  readonly voxels: number;
  readonly selection: VoxelSelection;
  readonly name: string;
}

/** The label of each voxel, undefined for none: see `readBands`. */
export function labelsOfVoxels(
  path: string,
  of: LabelledVoxels,
  signal: AbortSignal,
): Promise<(string | undefined)[]> {
  return (/\.nii(\.gz)?$/i.test(path) ? labelsOfAtlas : labelsOfText)(path, of, signal);
}

async function labelsOfText(path: string, { voxels, selection }: LabelledVoxels, signal: AbortSignal) {
  const text = await readText(await fileSource(path), signal);
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  if (lines.length !== voxels) {
    throw new F2iError('FORMAT', 'one line for each voxel', {
      file: path,
      expected: `${voxels} lines, in the order of ${selection.description}`,
      found: `${lines.length}`,
    });
  }
  return lines.map((line) => (['', 'n/a'].includes(line.trim()) ? undefined : line.trim()));
}

async function labelsOfAtlas(path: string, { selection, name }: LabelledVoxels, signal: AbortSignal) {
  const { space, indices } = selection;
  if (space?.kind !== 'image') {
    throw new F2iError('FORMAT', 'an atlas belongs to voxels of an image', {
      file: path,
      expected: 'a text with a line for each voxel',
      found: `the voxels of ${name} come from a ${space?.kind ?? 'matrix'}`,
    });
  }
  const { header, readVolume } = await openNifti(await fileSource(path), signal);
  if (header.space.join() !== space.grid.join() || header.volumes !== 1) {
    throw new F2iError('FORMAT', 'the atlas has another grid than the study', {
      file: path,
      expected: `${space.grid.join(' x ')}, one volume`,
      found: `${header.space.join(' x ')}, ${header.volumes} volumes`,
    });
  }
  const { slope, intercept } = header;
  const stored = await readVolume(0, signal);
  return Array.from(indices, (index) => {
    const value = slope * Number(stored[index]!) + intercept;
    if (Number.isInteger(value)) return value === 0 ? undefined : `${value}`;
    throw new F2iError('FORMAT', 'labels of an atlas are whole numbers', {
      file: path,
      field: `voxel ${index}`,
      found: `${value}`,
    });
  });
}
