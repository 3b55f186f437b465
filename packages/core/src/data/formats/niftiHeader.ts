import { F2iError } from '../../error.ts';
import { type ElementType, elementBytes, elementCount } from '../ndarray.ts';
import { viewOf } from './bytes.ts';
import { type NiftiAffine, niftiAffine } from './niftiAffine.ts';
import { type HeaderLayout, NiftiFields } from './niftiFields.ts';

/**
 * NIfTI-1 and NIfTI-2 images in one file (`.nii`, `.nii.gz`). Fields and their offsets: nifti1.h and nifti2.h of the
 * NIfTI Data Format Working Group (https://nifti.nimh.nih.gov). Voxels lie with x fastest; a volume is the run of
 * voxels of the first three axes, and the fourth axis is time.
 */
export interface NiftiHeader extends NiftiAffine {
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
  readonly intentCode: number;
  readonly intentName: string;
  readonly description: string;
  readonly extensions: readonly { code: number; bytes: number }[];
  /** What is odd about the header, in words. */
  readonly warnings: readonly string[];
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

/** Bytes of a header of version 2. */
export const LONGEST_HEADER = 540;

/** Whether a warning is of the time between volumes, which says nothing where volumes are trials. */
export const isOfTime = (warning: string) => warning.includes('repetition time');

/** Version, byte order and the start of the voxels: what must be known to read the rest. */
export function layoutOf(head: Uint8Array, file: string): HeaderLayout {
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
  let voxelOffset =
    version === 1 ? view.getFloat32(108, littleEndian) : Number(view.getBigInt64(168, littleEndian));
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

/**
 * The header of an image.
 *
 * @param head the beginning of the file, up to the voxels
 * @throws FORMAT and UNSUPPORTED naming file and field
 */
export function parseHeader(
  head: Uint8Array,
  layout: HeaderLayout,
  compressed: boolean,
  file: string,
): NiftiHeader {
  const { version, littleEndian, voxelOffset } = layout;
  const fields = new NiftiFields(head, layout, file);
  if (head.length < voxelOffset) {
    const expected = `at most ${head.length}`;
    fields.fail('vox_offset', 'the voxels begin after the end of the file', expected, `${voxelOffset}`);
  }
  const warnings = [...layout.warnings];
  const { shape, space, volumes } = extentsOf(fields);
  const dtype = typeOf(fields, file);
  const scaling = scalingOf(fields, warnings);
  const spacing = shape.map((_, k) => fields.real(76, 104, k + 1));
  const time = unitsOf(fields, spacing, volumes, warnings);
  return {
    version,
    littleEndian,
    compressed,
    shape,
    space,
    volumes,
    dtype,
    ...scaling,
    voxelOffset,
    spacing,
    ...time,
    ...niftiAffine(fields, warnings),
    intentCode: fields.code(68, 504),
    intentName: fields.text(328, 508, 16),
    description: fields.text(148, 240, 80),
    extensions: extensionsOf(head, layout, fields),
    warnings,
  };
}

function extentsOf(fields: NiftiFields): Pick<NiftiHeader, 'shape' | 'space' | 'volumes'> {
  const rank = fields.extent(0);
  if (!(rank >= 1 && rank <= 7)) fields.fail('dim[0]', 'impossible number of axes', '1 to 7', `${rank}`);
  const shape = Array.from({ length: rank }, (_, k) => fields.extent(k + 1));
  for (const [k, n] of shape.entries()) {
    if (Number.isSafeInteger(n) && n >= 1) continue;
    fields.fail(`dim[${k + 1}]`, 'impossible extent', 'at least 1', `${n}`);
  }
  const volumes = elementCount(shape.slice(3)) ?? fields.fail('dim', 'too many volumes');
  return { shape, space: [shape[0]!, shape[1] ?? 1, shape[2] ?? 1], volumes };
}

function typeOf(fields: NiftiFields, file: string): ElementType {
  const datatype = fields.int16(70, 12);
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
  const bits = fields.int16(72, 14);
  const expected = 8 * elementBytes(dtype);
  if (bits !== expected) {
    fields.fail('bitpix', 'the size of a voxel contradicts its type', `${expected}`, `${bits}`);
  }
  return dtype;
}

function scalingOf(fields: NiftiFields, warnings: string[]): Pick<NiftiHeader, 'slope' | 'intercept'> {
  const slope = fields.real(112, 176);
  const intercept = fields.real(116, 184);
  if (slope === 0 || !Number.isFinite(slope)) {
    // The standard: slope 0 means no scaling. Some writers leave NaN.
    if (slope !== 0) warnings.push(`scl_slope is ${slope}: taken as no scaling`);
    return { slope: 1, intercept: 0 };
  }
  if (!Number.isFinite(intercept)) {
    fields.fail('scl_inter', 'a slope without a usable intercept', 'a finite number', `${intercept}`);
  }
  return { slope, intercept };
}

function unitsOf(
  fields: NiftiFields,
  spacing: readonly number[],
  volumes: number,
  warnings: string[],
): Pick<NiftiHeader, 'spaceUnit' | 'timeUnit' | 'tr'> {
  const units = fields.units();
  const spaceUnit = spaceUnits[(units & 7) as 0] ?? 'unknown';
  const timeUnit = timeUnits[(units & 56) as 0] ?? 'unknown';
  if (spacing.length < 4) return { spaceUnit, timeUnit, tr: undefined };
  const perSecond = secondsPer[timeUnit];
  const step = spacing[3]!;
  if (perSecond === undefined || !Number.isFinite(step) || step <= 0) {
    if (volumes > 1) warnings.push(`no usable repetition time: pixdim[4] = ${step}, unit ${timeUnit}`);
    return { spaceUnit, timeUnit, tr: undefined };
  }
  // The float32 of version 1 has seven digits: what was written as 1.317025 shall not read 1.3170249462.
  const tr = fields.isFirst ? Number((step * perSecond).toPrecision(7)) : step * perSecond;
  if (tr > 60) warnings.push(`the repetition time is ${tr} s: was it written in milliseconds?`);
  return { spaceUnit, timeUnit, tr };
}

/** Extensions lie between the header and the voxels: size (which counts itself), code, content. */
function extensionsOf(
  head: Uint8Array,
  { version, littleEndian, voxelOffset }: HeaderLayout,
  fields: NiftiFields,
): NiftiHeader['extensions'] {
  const view = viewOf(head);
  const flagAt = version === 1 ? 348 : 540;
  const extensions: { code: number; bytes: number }[] = [];
  if (head[flagAt] === 0) return extensions;
  for (let at = flagAt + 4; at + 8 <= voxelOffset; ) {
    const bytes = view.getInt32(at, littleEndian);
    if (bytes < 8 || at + bytes > voxelOffset) {
      fields.fail('extension', 'impossible size', `8 to ${voxelOffset - at} bytes`, `${bytes}`);
    }
    extensions.push({ code: view.getInt32(at + 4, littleEndian), bytes });
    at += bytes;
  }
  return extensions;
}
