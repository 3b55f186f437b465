import { F2iError } from '../../error.ts';
import { elementCount, type NdArray } from '../ndarray.ts';
import type { Source } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { isGifti, readGifti } from './gifti/index.ts';
import { gunzipHead, isGzipFile } from './gzip.ts';
import { isHdf5, openHdf5 } from './hdf5.ts';
import { isMatlab, openMatlab } from './matlab/index.ts';
import { isNifti, openNifti } from './nifti.ts';
import { isNpy, readNpy } from './npy.ts';
import { openNpz } from './npz.ts';
import { isPng, readPng } from './png.ts';
import { isPthStart, openPth } from './pth/index.ts';
import { openSafetensors } from './safetensors.ts';
import { readNumericTable, type TableOptions } from './table.ts';
import { isTar } from './tar.ts';
import { isZip } from './zip.ts';

export type FileFormat =
  | 'npy'
  | 'npz'
  | 'pth'
  | 'nifti'
  | 'gifti'
  | 'safetensors'
  | 'hdf5'
  | 'matlab'
  | 'png'
  | 'tar'
  | 'table';

/**
 * What a file is: by its content, and by its name only where the content has no mark (safetensors, tables). Throws
 * FORMAT when it is none of what this project reads, or when a name such as `.npy` promises what the content is not.
 */
export async function detectFormat(source: Source, signal?: AbortSignal): Promise<FileFormat> {
  const name = source.name.toLowerCase();
  if (source.size === 0) throw new F2iError('FORMAT', 'the file is empty', { file: source.name });
  const start = (await isGzipFile(source, signal))
    ? await gunzipHead(source, 1024, signal)
    : await source.read(0, Math.min(1024, source.size), signal);
  if (isNpy(start)) return 'npy';
  if (isPthStart(start)) return 'pth';
  if (isZip(start)) return 'npz';
  if (isNifti(start)) return 'nifti';
  if (isPng(start)) return 'png';
  // Files of MATLAB 7.3 are HDF5 files, too.
  if (isMatlab(start)) return 'matlab';
  if (isHdf5(start)) return 'hdf5';
  if (isTar(start)) return 'tar';
  if (isGifti(start)) return 'gifti';
  if (/\.nii(\.gz)?$/.test(name)) return 'nifti';
  if (/\.safetensors$/.test(name) || looksLikeSafetensors(start)) return 'safetensors';
  if (/\.(tsv|csv|txt|1d)(\.gz)?$/.test(name)) return 'table';
  for (const format of ['npy', 'npz', 'png', 'tar'] as const) if (name.endsWith(`.${format}`)) return format;
  if (name.endsWith('.mat')) return 'matlab';
  if (name.endsWith('.gii')) return 'gifti';
  if (/\.(h5|hdf5)$/.test(name)) return 'hdf5';
  throw new F2iError('FORMAT', 'not a format that is read', {
    file: source.name,
    expected:
      'npy, npz, NIfTI (.nii, .nii.gz), GIFTI, HDF5, MATLAB (.mat), safetensors, a checkpoint of PyTorch, PNG, tar, or a table (.tsv, .csv, .txt, also .gz)',
  });
}

function looksLikeSafetensors(start: Uint8Array): boolean {
  return start.length >= 10 && start[8] === 0x7b && start[9] === 0x22 && start[6] === 0 && start[7] === 0;
}

/** Formats whose arrays have names. */
const NAMED: readonly FileFormat[] = ['npz', 'safetensors', 'pth', 'hdf5', 'matlab', 'gifti'];

export interface ReadArrayOptions extends TableOptions {
  /**
   * Which array of an npz, safetensors, HDF5, MATLAB or GIFTI file, or tensor of a checkpoint; not needed where it holds
   * just one.
   */
  array?: string | undefined;
}

/**
 * Reads an array from any of the formats: npy, an array of an npz, safetensors, HDF5 or MATLAB file, an image (NIfTI:
 * [x, y, z, t], scaled; PNG: [height, width, channels], 0 to 1, or [height, width] for grey), data of a surface (GIFTI:
 * one array, or, where no array is named, all of them as [arrays, vertices]), or a table of numbers (f64, [rows, columns]).
 * Throws FORMAT or UNSUPPORTED, naming the file.
 */
export async function readArray(source: Source, options: ReadArrayOptions = {}): Promise<NdArray> {
  const { array, signal } = options;
  const format = await detectFormat(source, signal);
  if (array !== undefined && !NAMED.includes(format)) {
    throw new F2iError('USAGE', `a file of format ${format} has no named arrays`, {
      file: source.name,
      field: array,
    });
  }
  switch (format) {
    case 'npy':
      await refuseGzip(source, signal);
      return readNpy(source, signal);
    case 'npz': {
      await refuseGzip(source, signal);
      const npz = await openNpz(source, signal);
      return npz.read(array ?? theOnly(npz.names, source.name), signal);
    }
    case 'safetensors': {
      const file = await openSafetensors(source, signal);
      return file.read(array ?? theOnly([...file.entries.keys()], source.name), signal);
    }
    case 'pth': {
      await refuseGzip(source, signal);
      const { entries, readElements } = await openPth(source, signal);
      const name = array ?? theOnly([...entries.keys()], source.name);
      const { dtype = 'f32', shape = [] } = entries.get(name) ?? {};
      return { dtype, shape, data: await readElements(name, 0, elementCount(shape)!, signal) };
    }
    case 'hdf5': {
      const file = await openHdf5(syncOf(source));
      try {
        return file.read(array ?? theOnly([...file.datasets.keys()], source.name));
      } finally {
        file.close();
      }
    }
    case 'matlab': {
      const file = await openMatlab(source, signal);
      try {
        const numbers = [...file.arrays.values()].filter(({ dtype }) => dtype !== undefined);
        const names = numbers.map(({ name }) => name);
        return await file.read(array ?? theOnly(names, source.name), { signal });
      } finally {
        file.close();
      }
    }
    case 'gifti':
      return readGifti(source, array, signal);
    case 'tar':
      throw new F2iError('UNSUPPORTED', 'an archive of many samples is not read as one array', {
        file: source.name,
      });
    case 'nifti':
      return (await openNifti(source, signal)).readAll(signal);
    case 'png': {
      const { height, width, channels, data } = await readPng(source, signal);
      return { dtype: 'f32', shape: channels === 1 ? [height, width] : [height, width, channels], data };
    }
    case 'table': {
      const { rowCount, columns, data } = await readNumericTable(source, options);
      return { dtype: 'f64', shape: [rowCount, columns.length], data };
    }
  }
}

async function refuseGzip(source: Source, signal?: AbortSignal): Promise<void> {
  if (!(await isGzipFile(source, signal))) return;
  throw new F2iError('UNSUPPORTED', 'gzip around this format is not read; decompress it', {
    file: source.name,
  });
}

function theOnly(names: readonly string[], file: string): string {
  if (names.length === 1) return names[0]!;
  const some = names.length > 40 ? `${names.slice(0, 40).join(', ')}, ...` : names.join(', ');
  throw new F2iError('USAGE', names.length === 0 ? 'the file holds no array' : 'name the array to read', {
    file,
    expected: names.length === 0 ? 'at least one array' : `one of ${some}`,
  });
}
