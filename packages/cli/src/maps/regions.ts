import {
  F2iError,
  openNifti,
  type Regions,
  readTable,
  scaleVolume,
  type VoxelSelection,
} from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { usage } from '../options.ts';

export interface RegionFlags {
  /** Image of labels on the grid of the study. */
  atlas?: string | undefined;
  /** Table of their names. */
  atlasLabels?: string | undefined;
  /** `V1=FILE`: images whose voxels above 0 are the region. */
  region?: readonly string[] | undefined;
}

/**
 * Regions of interest of the selected voxels, each as places in the list of voxels. Labels without a voxel among them are
 * left out.
 *
 * @throws USAGE and FORMAT for images of another grid, naming both
 */
export async function readRegions(
  { atlas, atlasLabels, region = [] }: RegionFlags,
  selection: VoxelSelection,
  signal: AbortSignal,
): Promise<Regions> {
  const regions = new Map<string, Int32Array>();
  const add = (name: string, voxels: Int32Array, file: string) => {
    if (regions.has(name)) throw usage(`two regions are called ${name} (${file})`);
    if (voxels.length > 0) regions.set(name, voxels);
  };
  if (atlasLabels !== undefined && atlas === undefined)
    throw usage('--atlas-labels names the labels of --atlas');
  if (atlas !== undefined) {
    const labels = await valuesOf(atlas, selection, signal);
    const names = atlasLabels === undefined ? undefined : await readLabels(atlasLabels, signal);
    const found = [...new Set(labels)].filter((label) => label > 0).sort((a, b) => a - b);
    for (const label of found) {
      const name = names ? names.get(label) : String(label);
      // A table that names some labels alone selects these.
      if (name !== undefined)
        add(
          name,
          where(labels, (value) => value === label),
          atlas,
        );
    }
    if (regions.size === 0) throw usage(`no label of ${atlas} lies in the voxels of the study`);
  }
  for (const text of region) {
    const split = text.indexOf('=');
    if (split < 1 || split === text.length - 1) throw usage(`--region takes NAME=FILE, not ${text}`);
    const [name, file] = [text.slice(0, split), text.slice(split + 1)];
    const voxels = where(await valuesOf(file, selection, signal), (value) => value > 0);
    if (voxels.length === 0) throw usage(`no voxel of ${file} lies in the voxels of the study`);
    add(name, voxels, file);
  }
  return regions;
}

const where = (values: Float64Array, wanted: (value: number) => boolean) =>
  Int32Array.from([...values.keys()].filter((i) => wanted(values[i]!)));

/** Values of an image at the selected voxels. */
async function valuesOf(
  path: string,
  { indices, space }: VoxelSelection,
  signal: AbortSignal,
): Promise<Float64Array> {
  if (space?.kind !== 'image') throw usage('regions are images: the voxels of this study come from none');
  const image = await openNifti(await fileSource(path), signal);
  const { header } = image;
  const affine = header.affine.slice(0, 3).flat();
  const shift = Math.max(
    ...space.affine
      .slice(0, 3)
      .flat()
      .map((value, k) => Math.abs(value - affine[k]!)),
  );
  if (header.space.join() !== space.grid.join() || header.volumes !== 1) {
    throw new F2iError('FORMAT', 'a region is one volume on the grid of the study', {
      file: path,
      expected: `one volume of ${space.grid.join(' x ')}`,
      found: `${header.volumes} of ${header.space.join(' x ')}`,
    });
  }
  if (shift > 0.5) {
    throw new F2iError('FORMAT', 'the image lies elsewhere than the responses', {
      file: path,
      field: 'affine',
      expected: 'that of the responses, within half a millimetre',
      found: `a difference of ${shift.toPrecision(3)}`,
    });
  }
  const values = scaleVolume(await image.readVolume(0, signal), header, path);
  return Float64Array.from(indices, (voxel) => values[voxel]!);
}

/** Columns `index` and `name`, as BIDS has them; or the first two of a table without a header. */
async function readLabels(path: string, signal: AbortSignal): Promise<Map<number, string>> {
  const table = await readTable(await fileSource(path), { signal });
  const at = (name: string, otherwise: number) => {
    const column = table.columns.indexOf(name);
    return column >= 0 ? column : table.hasHeader ? -1 : otherwise;
  };
  const [index, name] = [at('index', 0), at('name', 1)];
  if (index < 0 || name < 0 || table.columns.length < 2) {
    throw new F2iError('FORMAT', 'not a table of labels', {
      file: path,
      expected: 'columns index and name',
      found: table.columns.join(', '),
    });
  }
  const names = new Map<number, string>();
  for (const row of table.rows) {
    const label = Number(row[index]);
    if (!Number.isInteger(label) || names.has(label)) {
      throw new F2iError('FORMAT', 'labels are whole numbers, each once', {
        file: path,
        field: 'index',
        found: `${row[index]}`,
      });
    }
    names.set(label, row[name]!);
  }
  return names;
}
