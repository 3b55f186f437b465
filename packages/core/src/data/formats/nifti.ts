import { F2iError } from '../../error.ts';
import {
  allocate,
  decodeElements,
  type ElementArray,
  type ElementType,
  elementBytes,
  elementCount,
  type NdArray,
  toFloat64,
} from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Source } from '../source.ts';
import { gunzipHead, gunzipPieces, isGzipFile } from './gzip.ts';
import { toRowMajor } from './npy.ts';

/**
 * NIfTI-1 and NIfTI-2 images in one file (`.nii`, `.nii.gz`). Fields and their offsets: nifti1.h and nifti2.h of the
 * NIfTI Data Format Working Group (https://nifti.nimh.nih.gov). Voxels lie with x fastest; a volume is the run of
 * voxels of the first three axes, and the fourth axis is time.
 */
export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  readonly compressed: boolean;
  /** Extents of the axes that the header declares (1 to 7), x first. */
  readonly shape: readonly number[];
  /** Extents of x, y, z; missing axes count as 1. */
  readonly space: readonly [number, number, number];
  /** Number of volumes: the product of all further extents. */
  readonly volumes: number;
  /** Type of the stored values, before scaling. */
  readonly dtype: ElementType;
  /** Value = slope x stored + intercept; 1 and 0 where the header asks for no scaling. */
  readonly slope: number;
  readonly intercept: number;
  /** First byte of the voxels in the (decompressed) file. */
  readonly voxelOffset: number;
  /** Grid spacings along the axes of `shape`, as stored. */
  readonly spacing: readonly number[];
  readonly spaceUnit: 'm' | 'mm' | 'um' | 'unknown';
  readonly timeUnit: 's' | 'ms' | 'us' | 'Hz' | 'ppm' | 'rad/s' | 'unknown';
  /** Repetition time in seconds; undefined when there is no time axis or its unit is not a unit of time. */
  readonly tr: number | undefined;
  /** Voxel indices (i, j, k, 1) to millimetres (or `spaceUnit`), rows of 4: sform, else qform, else spacings. */
  readonly affine: readonly (readonly number[])[];
  readonly affineFrom: 'sform' | 'qform' | 'spacing';
  readonly sformCode: number;
  readonly qformCode: number;
  readonly intentCode: number;
  readonly intentName: string;
  readonly description: string;
  readonly extensions: readonly { code: number; bytes: number }[];
  /** What is odd about the header, in words. */
  readonly warnings: readonly string[];
}

export interface Nifti {
  readonly source: Source;
  readonly header: NiftiHeader;
  /** Stored values of one volume, unscaled, x fastest. Uncompressed files are read only where needed. */
  readVolume(index: number, signal?: AbortSignal): Promise<ElementArray>;
  /** Stored values of all volumes in turn; the way to read a compressed file, which has no random access. */
  eachVolume(signal?: AbortSignal): AsyncGenerator<ElementArray>;
  /**
   * The whole image, row-major with the axes of `shape` (as nibabel's arrays), scaled: stored type when the header
   * asks for no scaling, else f64.
   */
  readAll(signal?: AbortSignal): Promise<NdArray>;
}

/** Types of voxels by the numbers that headers have for them. */
export const NIFTI_TYPES: Readonly<Record<number, ElementType>> = {
  2: 'u8',
  4: 'i16',
  8: 'i32',
  16: 'f32',
  64: 'f64',
  256: 'i8',
  512: 'u16',
  768: 'u32',
  1024: 'i64',
  1280: 'u64',
};
const unsupportedTypes: Record<number, string> = {
  1: 'single bits',
  32: 'complex64',
  128: 'RGB24',
  1536: 'float128',
  1792: 'complex128',
  2048: 'complex256',
  2304: 'RGBA32',
};
const spaceUnits = { 0: 'unknown', 1: 'm', 2: 'mm', 3: 'um' } as const;
const timeUnits = { 0: 'unknown', 8: 's', 16: 'ms', 24: 'us', 32: 'Hz', 40: 'ppm', 48: 'rad/s' } as const;
const secondsPer: Partial<Record<NiftiHeader['timeUnit'], number>> = { s: 1, ms: 1e-3, us: 1e-6 };

const longestHeader = 540;

/** Whether the (decompressed) bytes begin as a NIfTI header, of one file or of a pair. */
export function isNifti(start: Uint8Array): boolean {
  const at = (offset: number) => String.fromCharCode(...start.subarray(offset, offset + 3));
  return /^n[i+]1$/.test(at(344)) || /^n[i+]2$/.test(at(4));
}

/** Opens an image and checks its header against the file's size. Throws FORMAT, UNSUPPORTED. */
export async function openNifti(source: Source, signal?: AbortSignal): Promise<Nifti> {
  const file = source.name;
  const compressed = await isGzipFile(source, signal);
  let head = await headOf(source, compressed, longestHeader + 4, signal);
  const layout = layoutOf(head, file);
  const voxelOffset = layout.voxelOffset;
  if (head.length < voxelOffset) head = await headOf(source, compressed, voxelOffset, signal);
  const header = parseHeader(head, layout, compressed, file);

  const count = elementCount(header.shape);
  const bytes = (count ?? Number.POSITIVE_INFINITY) * elementBytes(header.dtype);
  const total = voxelOffset + bytes;
  // DEFLATE cannot expand more than 1032 times: a header that announces more lies.
  if (compressed ? total > source.size * 1032 : total !== source.size) {
    throw wrongAmount(
      file,
      header,
      bytes,
      compressed ? `${source.size} compressed` : `${source.size - voxelOffset}`,
    );
  }
  // A single gzip member states its size. Where it disagrees, count before anything is allocated on the header's word.
  if (compressed && (await statedSize(source, signal)) !== total % 2 ** 32) {
    let found = -voxelOffset;
    for await (const piece of gunzipPieces(source, signal)) {
      found += piece.length;
      if (found > bytes) throw wrongAmount(file, header, bytes, `${found} or more`);
    }
    if (found !== bytes) throw wrongAmount(file, header, bytes, `${Math.max(0, found)}`);
  }
  const perVolume = bytes / header.volumes;

  async function* eachVolume(volumeSignal?: AbortSignal): AsyncGenerator<ElementArray> {
    if (!compressed) {
      const breathe = pacer(volumeSignal, `reading ${file}`);
      for (let index = 0; index < header.volumes; index++) {
        yield await readVolume(index, volumeSignal);
        await breathe();
      }
      return;
    }
    let position = -voxelOffset;
    const volume = allocate('u8', perVolume, file);
    for await (const piece of gunzipPieces(source, volumeSignal)) {
      for (let from = Math.max(0, Math.min(piece.length, -position)); from < piece.length; ) {
        const at = position + from;
        if (at >= bytes) throw wrongAmount(file, header, bytes, 'more');
        const inVolume = at % perVolume;
        const length = Math.min(piece.length - from, perVolume - inVolume);
        volume.set(piece.subarray(from, from + length), inVolume);
        from += length;
        if (inVolume + length === perVolume) {
          yield decodeElements(volume, header.dtype, file, header.littleEndian);
        }
      }
      position += piece.length;
    }
    if (position !== bytes) throw wrongAmount(file, header, bytes, `${Math.max(0, position)}`);
  }

  async function readVolume(index: number, volumeSignal?: AbortSignal): Promise<ElementArray> {
    if (!Number.isInteger(index) || index < 0 || index >= header.volumes) {
      const expected = `0 to ${header.volumes - 1}`;
      throw new F2iError('INVALID_ARGUMENT', 'no such volume', { file, expected, found: `${index}` });
    }
    if (compressed) {
      let at = 0;
      for await (const volume of eachVolume(volumeSignal)) if (at++ === index) return volume;
    }
    const range = await source.read(voxelOffset + index * perVolume, perVolume, volumeSignal);
    return decodeElements(range, header.dtype, file, header.littleEndian);
  }

  async function readWhole(wholeSignal?: AbortSignal): Promise<NdArray> {
    const { shape, dtype, slope, intercept } = header;
    const scaled = slope !== 1 || intercept !== 0;
    const all = allocate(scaled ? 'f64' : dtype, count!, file) as Float64Array;
    const size = all.length / header.volumes;
    const breathe = pacer(wholeSignal, `reading ${file}`);
    let index = 0;
    for await (const stored of eachVolume(wholeSignal)) {
      const values = scaled ? scaleVolume(stored, header, file) : (stored as unknown as Float64Array);
      all.set(values, index++ * size);
      await breathe();
    }
    const type = scaled ? 'f64' : dtype;
    return { dtype: type, shape, data: shape.length > 1 ? toRowMajor(all, type as 'f64', shape, file) : all };
  }

  return { source, header, readVolume, eachVolume, readAll: readWhole };
}

/** Stored values to the header's units, in float64. */
export function scaleVolume(stored: ElementArray, header: NiftiHeader, file: string): Float64Array {
  const { dtype, slope, intercept } = header;
  const values = toFloat64({ dtype, shape: [stored.length], data: stored }, { file, field: 'voxels' });
  if (slope === 1 && intercept === 0) return values;
  return values.map((value) => slope * value + intercept);
}

function wrongAmount(file: string, header: NiftiHeader, bytes: number, found: string): F2iError {
  return new F2iError('FORMAT', 'the amount of data is not what the header announces', {
    file,
    field: 'dim',
    expected: `${bytes} bytes of voxels for ${header.dtype} [${header.shape.join(', ')}]`,
    found,
  });
}

/** The first bytes of the decompressed file: at least `length`, or all there are. */
function headOf(
  source: Source,
  compressed: boolean,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (compressed) return gunzipHead(source, length, signal);
  return source.read(0, Math.min(length, source.size), signal);
}

async function statedSize(source: Source, signal?: AbortSignal): Promise<number> {
  if (source.size < 18) return 0;
  return viewOf(await source.read(source.size - 4, 4, signal)).getUint32(0, true);
}

interface Layout {
  version: 1 | 2;
  littleEndian: boolean;
  voxelOffset: number;
  warnings: string[];
}

/** Whether a warning is of the time between volumes, which says nothing where volumes are trials. */
export const isOfTime = (warning: string) => warning.includes('repetition time');

/** Version, byte order and the start of the voxels: what must be known to read the rest. */
function layoutOf(head: Uint8Array, file: string): Layout {
  const fail = (field: string, message: string, expected?: string, found?: string): never => {
    throw new F2iError('FORMAT', message, { file, field, expected, found });
  };
  if (head.length < 348)
    fail('header', 'too short for a NIfTI image', 'at least 348 bytes', `${head.length}`);
  const view = viewOf(head);
  const size = view.getInt32(0, true);
  const swapped = view.getInt32(0, false);
  const headerSize = [348, 540].find((known) => known === size || known === swapped);
  if (headerSize === undefined) return fail('sizeof_hdr', 'not a NIfTI image', '348 or 540', `${size}`);
  const littleEndian = size === headerSize;
  const version = headerSize === 348 ? 1 : 2;
  if (head.length < headerSize + 4) fail('header', 'the file ends in its header', `${headerSize + 4} bytes`);

  const magicAt = version === 1 ? 344 : 4;
  const magic = [...head.subarray(magicAt, magicAt + (version === 1 ? 4 : 8))];
  const spelled = (name: string) => [...`${name}${version}\0`].map((c) => c.charCodeAt(0));
  // NIfTI-2 adds characters that a transfer as text would damage.
  const ending = version === 1 ? [] : [0x0d, 0x0a, 0x1a, 0x0a];
  const is = (name: string) => [...spelled(name), ...ending].every((byte, i) => magic[i] === byte);
  if (is('ni')) {
    throw new F2iError('UNSUPPORTED', 'the voxels lie in a separate .img file; convert the pair to .nii', {
      file,
      field: 'magic',
    });
  }
  if (!is('n+')) {
    const found = JSON.stringify(String.fromCharCode(...magic));
    const hint = magic.every((byte) => byte === 0)
      ? 'an Analyze 7.5 header? convert it to NIfTI'
      : 'wrong magic';
    fail('magic', hint, `n+${version}`, found);
  }
  const warnings: string[] = [];
  let voxelOffset = version === 1 ? view.getFloat32(108, littleEndian) : int64(view, 168, littleEndian);
  const least = headerSize + 4;
  if (voxelOffset === 0) {
    voxelOffset = least;
    warnings.push(`vox_offset is 0: taken as ${least}`);
  }
  if (!Number.isSafeInteger(voxelOffset) || voxelOffset < least) {
    fail('vox_offset', 'the voxels cannot begin there', `a whole number from ${least}`, `${voxelOffset}`);
  }
  return { version, littleEndian, voxelOffset, warnings };
}

function parseHeader(head: Uint8Array, layout: Layout, compressed: boolean, file: string): NiftiHeader {
  const { version, littleEndian, voxelOffset } = layout;
  const warnings = [...layout.warnings];
  const view = viewOf(head);
  const first = version === 1;
  const fail = (field: string, message: string, expected?: string, found?: string): never => {
    throw new F2iError('FORMAT', message, { file, field, expected, found });
  };
  if (head.length < voxelOffset) {
    fail(
      'vox_offset',
      'the voxels begin after the end of the file',
      `at most ${head.length}`,
      `${voxelOffset}`,
    );
  }
  const int16 = (at: number) => view.getInt16(at, littleEndian);
  const int32 = (at: number) => view.getInt32(at, littleEndian);
  /** The k-th of consecutive real numbers: float32 in version 1, float64 in version 2. */
  const real = (at1: number, at2: number, k = 0) =>
    first ? view.getFloat32(at1 + 4 * k, littleEndian) : view.getFloat64(at2 + 8 * k, littleEndian);
  const text = (at: number, length: number) => {
    const bytes = head.subarray(at, at + length);
    const end = bytes.indexOf(0);
    return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
  };

  const extent = (k: number) => (first ? int16(40 + 2 * k) : int64(view, 16 + 8 * k, littleEndian));
  const rank = extent(0);
  if (!(rank >= 1 && rank <= 7)) fail('dim[0]', 'impossible number of axes', '1 to 7', `${rank}`);
  const shape = Array.from({ length: rank }, (_, k) => extent(k + 1));
  shape.forEach((n, k) => {
    if (!Number.isSafeInteger(n) || n < 1) fail(`dim[${k + 1}]`, 'impossible extent', 'at least 1', `${n}`);
  });
  const space: [number, number, number] = [shape[0]!, shape[1] ?? 1, shape[2] ?? 1];
  const volumes = elementCount(shape.slice(3)) ?? fail('dim', 'too many volumes');

  const datatype = int16(first ? 70 : 12);
  const dtype = Object.hasOwn(NIFTI_TYPES, datatype) ? NIFTI_TYPES[datatype]! : undefined;
  if (!dtype) {
    const name = Object.hasOwn(unsupportedTypes, datatype) ? unsupportedTypes[datatype] : undefined;
    throw new F2iError(name ? 'UNSUPPORTED' : 'FORMAT', 'this type of voxel is not read', {
      file,
      field: 'datatype',
      expected: 'integers of 8 to 64 bits, float32, float64',
      found: name ? `${name} (${datatype})` : `${datatype}`,
    });
  }
  const bits = int16(first ? 72 : 14);
  if (bits !== 8 * elementBytes(dtype)) {
    fail('bitpix', 'the size of a voxel contradicts its type', `${8 * elementBytes(dtype)}`, `${bits}`);
  }

  let slope = real(112, 176);
  let intercept = real(116, 184);
  if (slope === 0 || !Number.isFinite(slope)) {
    // The standard: slope 0 means no scaling. Some writers leave NaN.
    if (slope !== 0) warnings.push(`scl_slope is ${slope}: taken as no scaling`);
    slope = 1;
    intercept = 0;
  } else if (!Number.isFinite(intercept)) {
    fail('scl_inter', 'a slope without a usable intercept', 'a finite number', `${intercept}`);
  }

  const spacing = shape.map((_, k) => real(76, 104, k + 1));
  const units = first ? head[123]! : int32(500);
  const spaceUnit = spaceUnits[(units & 7) as 0] ?? 'unknown';
  const timeUnit = timeUnits[(units & 56) as 0] ?? 'unknown';
  let tr: number | undefined;
  if (rank >= 4) {
    const perSecond = secondsPer[timeUnit];
    const step = spacing[3]!;
    if (perSecond !== undefined && Number.isFinite(step) && step > 0) {
      // The float32 of version 1 has seven digits: what was written as 1.317025 shall not read 1.3170249462.
      tr = first ? Number((step * perSecond).toPrecision(7)) : step * perSecond;
      if (tr > 60) warnings.push(`the repetition time is ${tr} s: was it written in milliseconds?`);
    } else if (volumes > 1) {
      warnings.push(`no usable repetition time: pixdim[4] = ${step}, unit ${timeUnit}`);
    }
  }

  const sformCode = first ? int16(254) : int32(348);
  const qformCode = first ? int16(252) : int32(344);
  const lastRow = [0, 0, 0, 1];
  const sform = [0, 1, 2].map((row) => [0, 1, 2, 3].map((k) => real(280 + 16 * row, 400 + 32 * row, k)));
  const spacings = [0, 1, 2].map((k) => real(76, 104, k + 1));
  let affine: number[][];
  let affineFrom: NiftiHeader['affineFrom'];
  if (sformCode > 0) {
    affine = [...sform, lastRow];
    affineFrom = 'sform';
  } else if (qformCode > 0) {
    const [b, c, d] = [0, 1, 2].map((k) => real(256, 352, k)) as [number, number, number];
    const handedness = real(76, 104, 0) < 0 ? -1 : 1;
    const offsets = [0, 1, 2].map((k) => real(268, 376, k));
    affine = [...quaternionRows(b, c, d, spacings, handedness, offsets), lastRow];
    affineFrom = 'qform';
  } else {
    affine = [0, 1, 2].map((row) => [0, 1, 2, 3].map((k) => (k === row ? spacings[row]! : 0)));
    affine.push(lastRow);
    affineFrom = 'spacing';
  }
  if (!affine.flat().every(Number.isFinite))
    warnings.push(`the ${affineFrom} holds values that are not numbers`);

  return {
    version,
    littleEndian,
    compressed,
    shape,
    space,
    volumes,
    dtype,
    slope,
    intercept,
    voxelOffset,
    spacing,
    spaceUnit,
    timeUnit,
    tr,
    affine,
    affineFrom,
    sformCode,
    qformCode,
    intentCode: first ? int16(68) : int32(504),
    intentName: text(first ? 328 : 508, 16),
    description: text(first ? 148 : 240, 80),
    extensions: readExtensions(head, view, first ? 348 : 540, layout, fail),
    warnings,
  };
}

/** Extensions lie between the header and the voxels: size (which counts itself), code, content. */
function readExtensions(
  head: Uint8Array,
  view: DataView,
  flagAt: number,
  { littleEndian, voxelOffset }: Layout,
  fail: (field: string, message: string, expected?: string, found?: string) => never,
) {
  const extensions: { code: number; bytes: number }[] = [];
  if (head[flagAt] === 0) return extensions;
  for (let at = flagAt + 4; at + 8 <= voxelOffset; ) {
    const bytes = view.getInt32(at, littleEndian);
    if (bytes < 8 || at + bytes > voxelOffset) {
      fail('extension', 'impossible size', `8 to ${voxelOffset - at} bytes`, `${bytes}`);
    }
    extensions.push({ code: view.getInt32(at + 4, littleEndian), bytes });
    at += bytes;
  }
  return extensions;
}

/** Rotation of a unit quaternion whose real part is implied, columns scaled by the spacings (nifti1.h, method 2). */
function quaternionRows(
  b0: number,
  c0: number,
  d0: number,
  spacings: number[],
  handedness: number,
  offsets: number[],
): number[][] {
  let [b, c, d] = [b0, c0, d0];
  const rest = 1 - (b * b + c * c + d * d);
  let a = 0;
  if (rest < 1e-7) {
    // A rotation by 180 degrees; rounding may have made the vector longer than 1.
    const length = Math.hypot(b, c, d);
    [b, c, d] = [b / length, c / length, d / length];
  } else {
    a = Math.sqrt(rest);
  }
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const scales = [spacings[0]!, spacings[1]!, spacings[2]! * handedness];
  return rotation.map((row, i) => [...row.map((value, k) => value * scales[k]!), offsets[i]!]);
}

function int64(view: DataView, at: number, littleEndian: boolean): number {
  return Number(view.getBigInt64(at, littleEndian));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
