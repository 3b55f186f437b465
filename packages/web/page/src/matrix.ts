import {
  detectFormat,
  F2iError,
  type FileFormat,
  inspectFile,
  type NdArray,
  openNifti,
  type Rows,
  readArray,
  readNumericTable,
  type Source,
  scaleVolume,
  toFloat32,
} from '@fmri2image/core';
import type { FileSource } from './files.ts';
import { listHdf5, readHdf5 } from './hdf5.ts';
import type { Opened } from './responses.ts';

/** Columns of tables that are no voxels. */
const NOT_VOXELS = ['time', 'onset', 'volume', 'trial', 'run', 'index'];

/**
 * Reads responses from one file (npy, npz, safetensors, HDF5, MATLAB, a table; [trials, voxels]) or from a NIfTI image with its mask.
 *
 * @param wanted numbers of voxels that the bundle which is open may be given, to pick the array that fits where a file
 *   holds several
 */
export async function readResponses(
  sources: readonly FileSource[],
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<Opened> {
  for (const { name } of sources) if (/\.(pth|pt|ckpt|bin)$/i.test(name)) throw checkpoint(name);
  const formats = await Promise.all(sources.map((source) => detectFormat(source, signal)));
  const saved = sources.find((_, i) => formats[i] === 'pth');
  if (saved) throw checkpoint(saved.name);
  const images = sources.filter((_, i) => formats[i] === 'nifti');
  if (sources.length === 0) throw new F2iError('USAGE', 'no file was chosen');
  if (images.length > 0 && images.length === sources.length && images.length <= 2)
    return readImages(images, signal);
  if (sources.length > 1) {
    throw new F2iError(
      'USAGE',
      'one file of responses at a time, or a NIfTI image with its mask, or a study folder',
      {
        file: sources
          .map(({ name }) => name)
          .slice(0, 4)
          .join(', '),
        expected: 'one file, or two .nii files',
        found: `${sources.length} files`,
      },
    );
  }
  const source = sources[0]!;
  if (formats[0] === 'table') return readTable(source, signal);
  if (formats[0] === 'png') {
    throw new F2iError('FORMAT', 'a picture, not brain responses', {
      file: source.name,
      expected: 'npy, npz, HDF5, MATLAB, a table or NIfTI: [trials, voxels]',
      found: 'PNG',
    });
  }
  const format = formats[0]!;
  const array = SEVERAL.includes(format) ? await chooseArray(source, format, wanted, signal) : undefined;
  const values = await readOne(source, format, array, signal);
  const field = array;
  if (values.shape.length !== 2) {
    throw new F2iError('FORMAT', 'responses are a matrix', {
      file: source.name,
      field,
      expected: '[trials, voxels]',
      found: `[${values.shape.join(', ')}]`,
    });
  }
  const data = toFloat32(values, { file: source.name, field });
  const [rows, voxels] = values.shape as [number, number];
  const turned = !wanted.includes(voxels) && wanted.includes(rows);
  const betas = turned
    ? { data: transpose(data, rows, voxels), shape: [voxels, rows] }
    : { data, shape: values.shape };
  checkFinite(betas, source.name, field);
  const notes = turned ? [`read as [voxels, trials]: its first axis has the decoder’s ${rows} voxels`] : [];
  return { kind: 'matrix', name: source.name, betas, notes };
}

/** A model as PyTorch saves it: no responses, and no bundle yet. */
function checkpoint(file: string): F2iError {
  return new F2iError(
    'UNSUPPORTED',
    `a checkpoint; convert it first: fmri2image convert ${file} --model mindeye2 -o mindeye2.bundle`,
    { file, expected: 'a bundle, or responses', found: 'a file of torch.save' },
  );
}

function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  return data.map((_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** Formats whose files may hold several arrays. */
const SEVERAL: readonly FileFormat[] = ['npz', 'hdf5', 'matlab'];
/** Those that are read in a worker of their own. */
const IN_WORKER: readonly FileFormat[] = ['hdf5', 'matlab'];

function readOne(
  source: FileSource,
  format: FileFormat,
  array: string | undefined,
  signal: AbortSignal,
): Promise<NdArray> {
  if (source.blob && array !== undefined && IN_WORKER.includes(format)) {
    return readHdf5(source.blob, source.name, array, signal);
  }
  return readArray(source, { array, signal });
}

/** The only array of numbers of a file, or the only one whose rows or columns are as many as the decoder has voxels. */
async function chooseArray(
  source: FileSource,
  format: FileFormat,
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<string> {
  const listed =
    source.blob && IN_WORKER.includes(format)
      ? await listHdf5(source.blob, source.name, signal)
      : (await inspectFile(source, signal)).arrays;
  const arrays = listed.flatMap(({ name, dtype, shape }) =>
    name === undefined || /char|complex|sparse/.test(dtype) ? [] : [{ name, shape }],
  );
  if (arrays.length === 1) return arrays[0]!.name;
  const matrices = arrays.filter(({ shape }) => shape.length === 2);
  for (const axis of [1, 0]) {
    const fitting = matrices.filter(({ shape }) => wanted.includes(shape[axis]!));
    if (fitting.length === 1) return fitting[0]!.name;
    if (fitting.length > 1) break;
  }
  const shapes = arrays.slice(0, 40).map(({ name, shape }) => `${name} [${shape.join(', ')}]`);
  throw new F2iError('FORMAT', 'which of its arrays are the responses?', {
    file: source.name,
    expected:
      wanted.length > 0
        ? `one array [trials, ${wanted.join(' or ')}]`
        : 'one array, or a bundle opened before it',
    found: shapes.join(', ') || 'no array',
  });
}

async function readTable(source: Source, signal: AbortSignal): Promise<Opened> {
  const { data, columns, rowCount } = await readNumericTable(source, { signal });
  const kept = columns.flatMap((name, c) => (NOT_VOXELS.includes(name.toLowerCase()) ? [] : [c]));
  const left = columns.filter((_, c) => !kept.includes(c));
  const out = new Float32Array(rowCount * kept.length);
  for (let r = 0; r < rowCount; r++) {
    for (const [k, c] of kept.entries()) out[r * kept.length + k] = data[r * columns.length + c]!;
  }
  const betas = { data: out, shape: [rowCount, kept.length] };
  checkFinite(betas, source.name, undefined);
  const notes = left.length > 0 ? [`left out ${left.map((name) => `“${name}”`).join(', ')}: no voxels`] : [];
  return { kind: 'matrix', name: source.name, betas, notes };
}

/** An image [x, y, z, trials], and the voxels of it that lie in the mask (x fastest). */
async function readImages(sources: readonly Source[], signal: AbortSignal): Promise<Opened> {
  const images = await Promise.all(sources.map((source) => openNifti(source, signal)));
  const mask =
    images.length === 1
      ? undefined
      : (images.find(({ source }) => /mask|roi/i.test(source.name)) ??
        images.find(({ header }) => header.volumes === 1));
  const image = images.find((other) => other !== mask)!;
  const { header, source } = image;
  if (mask && (mask.header.space.join() !== header.space.join() || mask.header.volumes !== 1)) {
    throw new F2iError('FORMAT', 'the mask does not fit the image', {
      file: mask.source.name,
      field: 'dim',
      expected: `one volume of ${header.space.join(' x ')}, as ${source.name}`,
      found: `${mask.header.volumes} of ${mask.header.space.join(' x ')}`,
    });
  }
  if (images.length === 2 && !mask) {
    throw new F2iError('FORMAT', 'neither image is a mask', {
      file: sources.map(({ name }) => name).join(', '),
      expected: 'one of one volume',
      found: images.map((other) => `${other.header.volumes} volumes`).join(', '),
    });
  }
  const inMask = mask && scaleVolume(await mask.readVolume(0, signal), mask.header, mask.source.name);
  const size = header.space.reduce((product, extent) => product * extent, 1);
  const voxels = Int32Array.from({ length: size }, (_, v) => v).filter((v) => !inMask || inMask[v]! > 0);
  if (voxels.length === 0) {
    throw new F2iError('FORMAT', 'the mask is empty', {
      file: mask!.source.name,
      expected: 'values above 0',
    });
  }
  const data = new Float32Array(header.volumes * voxels.length);
  let row = 0;
  for await (const stored of image.eachVolume(signal)) {
    const values = scaleVolume(stored, header, source.name);
    for (let k = 0; k < voxels.length; k++) data[row * voxels.length + k] = values[voxels[k]!]!;
    row++;
  }
  const betas = { data, shape: [header.volumes, voxels.length] };
  checkFinite(betas, source.name, undefined);
  const notes = [
    ...header.warnings,
    mask
      ? `${voxels.length} voxels of ${mask.source.name}`
      : `all ${size} voxels of the image: no mask was given`,
  ];
  return { kind: 'matrix', name: source.name, betas, notes };
}

function checkFinite(
  { data, shape }: Rows & { readonly data: Float32Array },
  file: string,
  array: string | undefined,
) {
  const [rows, voxels] = shape as [number, number];
  if (rows === 0 || voxels === 0) {
    throw new F2iError('FORMAT', 'no responses', {
      file,
      field: array,
      found: `${rows} trials of ${voxels} voxels`,
    });
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const where = `trial ${Math.floor(bad / voxels) + 1}, voxel ${(bad % voxels) + 1}`;
  throw new F2iError('FORMAT', 'responses hold values that are not numbers', {
    file,
    field: array ? `${array}, ${where}` : where,
    expected: 'finite numbers',
    found: String(data[bad]),
  });
}
