import { F2iError } from '../../error.ts';
import { openNifti, scaleVolume } from '../formats/nifti.ts';
import type { NiftiHeader } from '../formats/niftiHeader.ts';
import { type Folder, readText, type Source } from '../source.ts';
import { NSD_FILES, openIfThere } from './files.ts';

/** Atlases of NSD that are looked for (NSD data manual, ROIs); others by name. */
export const ATLASES = [
  'nsdgeneral',
  'streams',
  'prf-visualrois',
  'prf-eccrois',
  'floc-bodies',
  'floc-faces',
  'floc-places',
  'floc-words',
  'Kastner2015',
  'HCP_MMP1',
  'corticalsulc',
  'MTL',
  'thalamus',
] as const;

/** The grid of a subject's functional space, and its ROIs as ascending voxels of it (x fastest). */
export interface Atlases {
  readonly grid: readonly [number, number, number];
  readonly affine: readonly (readonly number[])[];
  readonly regions: ReadonlyMap<string, Int32Array>;
  readonly warnings: readonly string[];
}

/**
 * Reads the atlases that are there, as `ATLAS` (all its labels) and `ATLAS:LABEL`. Values above 0 are labels, 0 is cortex
 * without one, -1 what is no cortex. Names come from FreeSurfer's table `ATLAS.mgz.ctab`; without one, labels are numbers.
 *
 * @returns undefined where no atlas is there
 * @throws FORMAT for atlases whose grids differ
 */
export async function readAtlases(
  folder: Folder,
  subject: number,
  space: string,
  more: readonly string[] = [],
  signal?: AbortSignal,
): Promise<Atlases | undefined> {
  const regions = new Map<string, Int32Array>();
  const warnings: string[] = [];
  let first: { header: NiftiHeader; file: string } | undefined;
  for (const atlas of new Set([...ATLASES, ...more])) {
    const source = await openIfThere(folder, NSD_FILES.roi(subject, space, atlas));
    if (!source) continue;
    const { header, voxels } = await readLabels(source, signal);
    first ??= { header, file: source.name };
    checkGrid(first.header, header, first.file, source.name);
    const table = await openIfThere(folder, NSD_FILES.labels(subject, atlas));
    const names = table ? await readLabelNames(table, signal) : new Map<number, string>();
    if (voxels.size === 0) warnings.push(`${source.name}: no voxel has a label`);
    const all = [...voxels.values()].flat().sort((a, b) => a - b);
    regions.set(atlas, Int32Array.from(all));
    // An atlas of one label is that label.
    const labels = new Set([...voxels.keys(), ...names.keys()].filter((label) => label > 0));
    if (labels.size < 2) continue;
    for (const label of [...labels].sort((a, b) => a - b)) {
      regions.set(`${atlas}:${names.get(label) ?? label}`, Int32Array.from(voxels.get(label) ?? []));
    }
  }
  return first && { grid: first.header.space, affine: first.header.affine, regions, warnings };
}

/** Voxels of each label above 0, ascending. */
export async function readLabels(
  source: Source,
  signal?: AbortSignal,
): Promise<{ header: NiftiHeader; voxels: Map<number, number[]> }> {
  const image = await openNifti(source, signal);
  const { header } = image;
  if (header.volumes !== 1) {
    throw new F2iError('FORMAT', 'an atlas or a mask is one volume', {
      file: source.name,
      field: 'dim',
      expected: '1',
      found: `${header.volumes}`,
    });
  }
  const values = scaleVolume(await image.readVolume(0, signal), header, source.name);
  const voxels = new Map<number, number[]>();
  for (let voxel = 0; voxel < values.length; voxel++) {
    const label = values[voxel]!;
    if (!(label > 0)) continue;
    const own = voxels.get(label);
    if (own) own.push(voxel);
    else voxels.set(label, [voxel]);
  }
  return { header, voxels };
}

/** Lines of a number and a name; colours may follow. */
async function readLabelNames(source: Source, signal?: AbortSignal): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  for (const [i, line] of (await readText(source, signal)).split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const found = /^\s*(\d+)\s+(\S+)/.exec(line);
    if (!found) {
      throw new F2iError('FORMAT', 'not a table of labels', {
        file: source.name,
        field: `line ${i + 1}`,
        expected: 'a number and a name',
        found: JSON.stringify(line.slice(0, 40)),
      });
    }
    names.set(Number(found[1]), found[2]!);
  }
  return names;
}

export function checkGrid(
  expected: Pick<NiftiHeader, 'space'>,
  found: Pick<NiftiHeader, 'space'>,
  like: string,
  file: string,
): void {
  if (expected.space.join() === found.space.join()) return;
  throw new F2iError('FORMAT', 'images of different grids', {
    file,
    field: 'dim',
    expected: `${expected.space.join(' x ')} as in ${like}`,
    found: found.space.join(' x '),
  });
}
