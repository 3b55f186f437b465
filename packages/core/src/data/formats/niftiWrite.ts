import { F2iError } from '../../error.ts';
import {
  allocate,
  type ElementArray,
  type ElementType,
  elementBytes,
  elementCount,
  encodeElements,
} from '../ndarray.ts';
import { joinBytes } from '../source.ts';
import { gzipPieces } from './compress.ts';
import { NIFTI_TYPES } from './niftiHeader.ts';

/** What a NIfTI file says of its voxels. */
export interface NiftiDescription {
  readonly dtype: ElementType;
  /** Extents, x first. */
  readonly shape: readonly number[];
  /** Voxel indices to millimetres, three or four rows of 4; default the identity. Written as sform. */
  readonly affine?: readonly (readonly number[])[] | undefined;
  /** What the millimetres are of: 1 the scanner, 2 another image (aligned), 3 Talairach, 4 MNI. Default 1. */
  readonly sformCode?: 1 | 2 | 3 | 4 | undefined;
  /** Repetition time in seconds. */
  readonly tr?: number | undefined;
  /** What the values are, by nifti1.h: 3 for t, 5 for z, 1001 for estimates, 1002 for labels. Default 0, none of these. */
  readonly intentCode?: number | undefined;
  /** Up to 15 letters. */
  readonly intentName?: string | undefined;
  /** Up to 79 letters. */
  readonly description?: string | undefined;
  /** 2 is taken by itself where an extent is beyond 32767. */
  readonly version?: 1 | 2 | undefined;
}

export interface NiftiContent extends NiftiDescription {
  /** x fastest, as in the file: the transpose of a row-major array of this shape. */
  readonly data: ElementArray;
}

const IDENTITY = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];
/** Largest extent of version 1, an int16. */
const LARGEST_1 = 32_767;
const MILLIMETRES = 2;
const SECONDS = 8;

/**
 * What stands before the voxels, little-endian and unscaled: for files that are written volume by volume.
 *
 * @throws UNSUPPORTED for extents that the version cannot hold and types that NIfTI lacks (bool, f16)
 */
export function niftiHeader(description: NiftiDescription): Uint8Array {
  const { dtype, shape, affine = IDENTITY, tr } = description;
  const datatype = Object.entries(NIFTI_TYPES).find(([, type]) => type === dtype)?.[0];
  if (datatype === undefined) throw new F2iError('UNSUPPORTED', `NIfTI has no type ${dtype}`);
  const version = description.version ?? (shape.some((extent) => extent > LARGEST_1) ? 2 : 1);
  const largest = version === 1 ? LARGEST_1 : Number.MAX_SAFE_INTEGER;
  const isExtent = (n: number) => Number.isSafeInteger(n) && n >= 1 && n <= largest;
  if (shape.length < 1 || shape.length > 7 || !shape.every(isExtent)) {
    throw new F2iError('UNSUPPORTED', `NIfTI-${version} holds 1 to 7 axes of 1 to ${largest}`, {
      found: `[${shape.join(', ')}]`,
    });
  }
  const rows = affine.slice(0, 3);
  if (rows.length !== 3 || !rows.every((row) => row.length === 4 && row.every(Number.isFinite))) {
    throw new F2iError('INVALID_ARGUMENT', 'not an affine', {
      field: 'affine',
      expected: 'three or four rows of 4 finite numbers',
      found: JSON.stringify(affine),
    });
  }
  const extents = Array.from({ length: 7 }, (_, k) => shape[k] ?? 1);
  // Spacings are the lengths of the affine's columns.
  const spacing = extents.map((_, k) =>
    k < 3 ? Math.hypot(...rows.map((row) => row[k]!)) : k === 3 ? (tr ?? 1) : 1,
  );
  const units = MILLIMETRES | (tr === undefined ? 0 : SECONDS);
  const { intentCode = 0, intentName = '', description: words = '', sformCode = 1 } = description;
  const bytes = new Uint8Array(version === 1 ? 352 : 544);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string, length: number) => bytes.set(utf8(value, length - 1), at);
  if (version === 1) {
    view.setInt32(0, 348, true);
    view.setInt16(40, shape.length, true);
    for (const [k, extent] of extents.entries()) view.setInt16(42 + 2 * k, extent, true);
    view.setInt16(68, intentCode, true);
    view.setInt16(70, Number(datatype), true);
    view.setInt16(72, 8 * elementBytes(dtype), true);
    for (const [k, step] of [1, ...spacing].entries()) view.setFloat32(76 + 4 * k, step, true);
    view.setFloat32(108, bytes.length, true);
    view.setFloat32(112, 1, true);
    bytes[123] = units;
    text(148, words, 80);
    view.setInt16(254, sformCode, true);
    for (const [k, value] of rows.flat().entries()) view.setFloat32(280 + 4 * k, value, true);
    text(328, intentName, 16);
    bytes.set([0x6e, 0x2b, 0x31, 0], 344);
    return bytes;
  }
  view.setInt32(0, 540, true);
  bytes.set([0x6e, 0x2b, 0x32, 0, 0x0d, 0x0a, 0x1a, 0x0a], 4);
  view.setInt16(12, Number(datatype), true);
  view.setInt16(14, 8 * elementBytes(dtype), true);
  for (const [k, extent] of [shape.length, ...extents].entries())
    view.setBigInt64(16 + 8 * k, BigInt(extent), true);
  for (const [k, step] of [1, ...spacing].entries()) view.setFloat64(104 + 8 * k, step, true);
  view.setBigInt64(168, BigInt(bytes.length), true);
  view.setFloat64(176, 1, true);
  text(240, words, 80);
  view.setInt32(348, sformCode, true);
  for (const [k, value] of rows.flat().entries()) view.setFloat64(400 + 8 * k, value, true);
  view.setInt32(500, units, true);
  view.setInt32(504, intentCode, true);
  text(508, intentName, 16);
  return bytes;
}

/** At most so many bytes, no letter cut in two. */
function utf8(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return bytes.subarray(0, written);
}

/** The bytes of a NIfTI file; throws as `niftiHeader` does. */
export function encodeNifti({ data, ...description }: NiftiContent): Uint8Array {
  const { shape } = description;
  const header = niftiHeader(description);
  if (elementCount(shape) !== data.length) {
    throw new F2iError('INVALID_ARGUMENT', 'shape and data disagree', {
      expected: `${elementCount(shape)} elements for [${shape.join(', ')}]`,
      found: `${data.length}`,
    });
  }
  return joinBytes([header, encodeElements(data)]);
}

/** Where the columns of a voxel matrix lie: what a study says of its voxels, if they come from an image. */
export interface VoxelPlaces {
  /** Voxel of the grid of each column, x fastest. */
  readonly indices: Int32Array;
  readonly space?:
    | {
        readonly kind: 'image';
        readonly grid: readonly [number, number, number];
        readonly affine: readonly (readonly number[])[];
      }
    | { readonly kind: string }
    | undefined;
}

export interface VoxelMapsOptions
  extends Pick<NiftiDescription, 'intentCode' | 'intentName' | 'description' | 'tr'> {
  /** What voxels have that were not selected. Default 0, as masks are applied; NaN tells them from zeros. */
  readonly outside?: number | undefined;
  /** Whether it is a `.nii.gz`. Default true. */
  readonly gzip?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Maps of the selected voxels as an image in the study's space, piece by piece: f32, one volume a map. One map makes an
 * image of three axes, several one of four.
 *
 * @param maps in turn, each with a value for every selected voxel
 * @param count how many maps there are: headers come first
 * @throws UNSUPPORTED where the voxels come from no image; INVALID_ARGUMENT for maps of another length or number
 */
export function niftiOfVoxels(
  maps: Iterable<Float32Array> | AsyncIterable<Float32Array>,
  count: number,
  { indices, space }: VoxelPlaces,
  { outside = 0, gzip = true, signal, ...description }: VoxelMapsOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  if (space?.kind !== 'image' || !('grid' in space)) {
    throw new F2iError('UNSUPPORTED', 'maps are images only where the voxels come from one', {
      expected: 'voxels of a NIfTI image',
      found: space?.kind ?? 'no space',
    });
  }
  const { grid, affine } = space;
  const size = elementCount(grid)!;
  const wrong = indices.find((voxel) => voxel < 0 || voxel >= size);
  if (wrong !== undefined) {
    throw new F2iError('INVALID_ARGUMENT', 'a voxel outside of the grid', {
      expected: `0 to ${size - 1}`,
      found: `${wrong}`,
    });
  }
  const shape = count === 1 ? grid : [...grid, count];
  const header = niftiHeader({ ...description, dtype: 'f32', shape, affine });
  const pieces = volumes(maps, count, indices, size, outside, header);
  return gzip ? gzipPieces(pieces, signal) : pieces;
}

async function* volumes(
  maps: Iterable<Float32Array> | AsyncIterable<Float32Array>,
  count: number,
  indices: Int32Array,
  size: number,
  outside: number,
  header: Uint8Array,
): AsyncGenerator<Uint8Array, void, void> {
  const wrong = (expected: string, found: string) =>
    new F2iError('INVALID_ARGUMENT', 'not the maps that were announced', { expected, found });
  yield header;
  let made = 0;
  for await (const map of maps) {
    if (map.length !== indices.length) throw wrong(`${indices.length} voxels`, `${map.length}`);
    if (++made > count) throw wrong(`${count} maps`, 'more');
    // Each its own: what was given may wait to be written.
    const volume = allocate('f32', size).fill(outside);
    for (let k = 0; k < indices.length; k++) volume[indices[k]!] = map[k]!;
    yield encodeElements(volume);
  }
  if (made < count) throw wrong(`${count} maps`, `${made}`);
}
