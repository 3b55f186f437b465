import { F2iError } from '../../error.ts';
import { type Hdf5, openHdf5 } from '../formats/hdf5.ts';
import { type Nifti, openNifti } from '../formats/nifti.ts';
import { type ElementArray, toFloat32 } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Folder, Source } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { openIfThere } from './files.ts';

/** Betas of NSD that are whole numbers are percent signal change times this (NSD data manual, Functional data). */
export const BETA_SCALE = 300;
export const BETA_DATASET = 'betas';

/** Betas of one session: its file was checked for what it should hold. */
export interface SessionBetas {
  readonly file: string;
  /** Percent signal change of the voxels, trials [from, to) of the session: [to - from, voxels]. */
  read(from: number, to: number, signal?: AbortSignal): Promise<Float32Array>;
  close(): void;
}

export interface SessionShape {
  /** Voxels in x, y, z. */
  readonly grid: readonly [number, number, number];
  readonly trials: number;
  /** Wanted voxels of the grid, x fastest, ascending. */
  readonly voxels: Int32Array;
}

/**
 * Opens `PATH.hdf5`, or `PATH.nii.gz` where that is missing.
 *
 * @returns undefined where neither is there
 * @throws FORMAT, naming the file, for another grid or number of trials
 */
export async function openSessionBetas(
  folder: Folder,
  path: string,
  shape: SessionShape,
  signal?: AbortSignal,
): Promise<SessionBetas | undefined> {
  const hdf5 = await openIfThere(folder, `${path}.hdf5`);
  if (hdf5) return hdf5Betas(hdf5, shape);
  const nifti = await openIfThere(folder, `${path}.nii.gz`);
  return nifti && niftiBetas(nifti, shape, signal);
}

async function hdf5Betas(source: Source, { grid, trials, voxels }: SessionShape): Promise<SessionBetas> {
  const file = await openHdf5(syncOf(source));
  const dataset = file.datasets.get(BETA_DATASET);
  const [x, y, z] = grid;
  if (dataset?.shape.join() !== [trials, z, y, x].join()) {
    file.close();
    throw new F2iError('FORMAT', 'not the betas of this session', {
      file: source.name,
      field: BETA_DATASET,
      expected: `[${[trials, z, y, x].join(', ')}] (trials, z, y, x)`,
      found: dataset ? `[${dataset.shape.join(', ')}]` : [...file.datasets.keys()].join(', ') || 'no dataset',
    });
  }
  const scale = /^[iu]/.test(dataset.dtype) ? BETA_SCALE : 1;
  // NSD stores a chunk a voxel, [750, 1, 1, 1] here: one trial of all would read the whole file.
  const byVoxel = (dataset.chunks?.[0] ?? 1) > 1;
  const boxes = byVoxel ? rowsOfVoxels(voxels, grid) : [boxOf(voxels, grid)];
  return {
    file: source.name,
    async read(from, to, signal) {
      const out = new Float32Array((to - from) * voxels.length);
      const breathe = pacer(signal, `reading ${source.name}`);
      const step = byVoxel ? to - from : 1;
      for (let trial = from; trial < to; trial += step) {
        for (const box of boxes) {
          readBox(file, box, trial, step, out.subarray((trial - from) * voxels.length), voxels.length, scale);
          await breathe();
        }
      }
      return out;
    },
    close: () => file.close(),
  };
}

/** A block of the grid, and where the wanted voxels lie in it. */
interface Box {
  readonly z: readonly [number, number];
  readonly y: readonly [number, number];
  readonly x: readonly [number, number];
  /** Place in the block of each wanted voxel in it. */
  readonly places: Int32Array;
  /** Column of the first of them; the others follow. */
  readonly column: number;
}

function boxOf(voxels: Int32Array, [nx, ny]: readonly number[], column = 0): Box {
  let [z0, z1, y0, y1, x0, x1] = [Infinity, 0, Infinity, 0, Infinity, 0];
  for (const voxel of voxels) {
    const [x, y, z] = [voxel % nx!, Math.floor(voxel / nx!) % ny!, Math.floor(voxel / (nx! * ny!))];
    [z0, z1, y0, y1, x0, x1] = [
      Math.min(z0, z),
      Math.max(z1, z + 1),
      Math.min(y0, y),
      Math.max(y1, y + 1),
      Math.min(x0, x),
      Math.max(x1, x + 1),
    ];
  }
  const places = voxels.map((voxel) => {
    const [x, y, z] = [voxel % nx!, Math.floor(voxel / nx!) % ny!, Math.floor(voxel / (nx! * ny!))];
    return ((z - z0) * (y1 - y0) + (y - y0)) * (x1 - x0) + (x - x0);
  });
  return { z: [z0, z1], y: [y0, y1], x: [x0, x1], places, column };
}

/** Each line of voxels along x that has wanted ones, from the first to the last of them. */
function rowsOfVoxels(voxels: Int32Array, grid: readonly [number, number, number]): Box[] {
  const boxes: Box[] = [];
  for (let first = 0; first < voxels.length; ) {
    const line = Math.floor(voxels[first]! / grid[0]);
    let next = first;
    while (next < voxels.length && Math.floor(voxels[next]! / grid[0]) === line) next++;
    boxes.push(boxOf(voxels.subarray(first, next), grid, first));
    first = next;
  }
  return boxes;
}

function readBox(
  file: Hdf5,
  { z, y, x, places, column }: Box,
  trial: number,
  count: number,
  out: Float32Array,
  width: number,
  scale: number,
): void {
  const block = file.readBlock(BETA_DATASET, [[trial, trial + count], z, y, x]);
  const values = toFloat32(block, { file: file.name, field: BETA_DATASET });
  const size = values.length / count;
  for (let t = 0; t < count; t++) {
    for (let i = 0; i < places.length; i++) {
      out[t * width + column + i] = values[t * size + places[i]!]! / scale;
    }
  }
}

async function niftiBetas(
  source: Source,
  { grid, trials, voxels }: SessionShape,
  signal?: AbortSignal,
): Promise<SessionBetas> {
  const image = await openNifti(source, signal);
  const { header } = image;
  const shape = [...header.space, header.volumes];
  if (shape.join() !== [...grid, trials].join()) {
    throw new F2iError('FORMAT', 'not the betas of this session', {
      file: source.name,
      field: 'dim',
      expected: `[${[...grid, trials].join(', ')}] (x, y, z, trials)`,
      found: `[${shape.join(', ')}]`,
    });
  }
  return {
    file: source.name,
    read: (from, to, readSignal) => readVolumes(image, from, to, voxels, readSignal),
    close: () => undefined,
  };
}

/** Some voxels of volumes [from, to), scaled; whole numbers that the header does not scale are NSD's. */
export async function readVolumes(
  image: Nifti,
  from: number,
  to: number,
  voxels: Int32Array,
  signal?: AbortSignal,
  wholeScale = BETA_SCALE,
): Promise<Float32Array> {
  const { header } = image;
  const plain = header.slope === 1 && header.intercept === 0;
  const slope = plain && /^[iu]/.test(header.dtype) ? 1 / wholeScale : header.slope;
  const out = new Float32Array((to - from) * voxels.length);
  const take = (stored: ElementArray, row: number) => {
    for (let c = 0; c < voxels.length; c++) {
      out[row * voxels.length + c] = Number(stored[voxels[c]!]!) * slope + header.intercept;
    }
  };
  if (!header.compressed) {
    for (let volume = from; volume < to; volume++)
      take(await image.readVolume(volume, signal), volume - from);
    return out;
  }
  let volume = 0;
  for await (const stored of image.eachVolume(signal)) {
    if (volume >= from && volume < to) take(stored, volume - from);
    if (++volume >= to) break;
  }
  return out;
}
