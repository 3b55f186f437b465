import { F2iError } from '../../error.ts';
import {
  allocate,
  decodeElements,
  type ElementArray,
  type ElementArrays,
  type ElementType,
  elementBytes,
  elementCount,
  encodeElements,
  type NdArray,
} from '../ndarray.ts';
import { joinBytes, type Source } from '../source.ts';
import { viewOf } from './bytes.ts';

/**
 * NumPy's `.npy`, versions 1 to 3: a magic number, a version, the length of a header, and a header that is the
 * text of a Python dictionary. Format: numpy.lib.format (NEP 1). The dictionary is parsed, never evaluated, and
 * object arrays (pickles) are refused unread.
 */
export interface NpyHeader {
  version: number;
  dtype: ElementType;
  littleEndian: boolean;
  /** Column-major data; `readNpy` transposes it to row-major. */
  fortranOrder: boolean;
  shape: number[];
  /** First byte of the data. */
  dataOffset: number;
  byteLength: number;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Real headers have about 120 bytes. */
const maximumHeader = 1 << 16;
const maximumRank = 64;

/** Whether the bytes begin as an npy file does. */
export function isNpy(start: Uint8Array): boolean {
  return magic.every((byte, i) => start[i] === byte);
}

/**
 * Reads and checks the header. Throws FORMAT for a malformed one, or when the file's size is not exactly what the
 * header announces; UNSUPPORTED for object, structured, text, complex and date types.
 */
export async function readNpyHeader(source: Source, signal?: AbortSignal): Promise<NpyHeader> {
  const file = source.name;
  const start = await source.read(0, Math.min(12, source.size), signal);
  if (!isNpy(start)) {
    const found = [...start.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new F2iError('FORMAT', 'not an npy file', {
      file,
      field: 'magic',
      expected: '93 4e 55 4d 50 59',
      found,
    });
  }
  if (start.length < 12)
    throw new F2iError('FORMAT', 'the file is cut short: it ends in its header', { file, field: 'header' });
  const version = start[6]!;
  if (version < 1 || version > 3 || start[7] !== 0) {
    const found = `${version}.${start[7]}`;
    throw new F2iError('FORMAT', 'unknown version of the npy format', {
      file,
      field: 'version',
      expected: '1.0, 2.0 or 3.0',
      found,
    });
  }
  const view = viewOf(start);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const headerOffset = version === 1 ? 10 : 12;
  if (length > maximumHeader) {
    throw new F2iError('FORMAT', 'the header is longer than any sensible header', {
      file,
      field: 'header length',
      expected: `at most ${maximumHeader} bytes`,
      found: `${length}`,
    });
  }
  if (headerOffset + length > source.size) {
    throw new F2iError('FORMAT', 'the file is cut short: it ends in its header', {
      file,
      field: 'header',
      expected: `${headerOffset + length} bytes or more`,
      found: `${source.size}`,
    });
  }
  const text = new TextDecoder('utf-8').decode(await source.read(headerOffset, length, signal));
  const { descr, fortranOrder, shape } = parseDictionary(text, file);
  const { dtype, littleEndian } = elementTypeOf(descr, file);

  const count = elementCount(shape);
  const byteLength = (count ?? Number.POSITIVE_INFINITY) * elementBytes(dtype);
  const dataOffset = headerOffset + length;
  if (dataOffset + byteLength !== source.size) {
    throw new F2iError('FORMAT', 'the amount of data is not what the header announces', {
      file,
      field: 'shape',
      expected: `${byteLength} bytes for ${descr} (${shape.join(', ')})`,
      found: `${source.size - dataOffset} bytes after the header`,
    });
  }
  return { version, dtype, littleEndian, fortranOrder, shape, dataOffset, byteLength };
}

/** Reads an array, in row-major order whatever the order in the file. */
export async function readNpy(source: Source, signal?: AbortSignal): Promise<NdArray> {
  const header = await readNpyHeader(source, signal);
  const bytes = await source.read(header.dataOffset, header.byteLength, signal);
  let data: ElementArray = decodeElements(bytes, header.dtype, source.name, header.littleEndian);
  if (header.fortranOrder && header.shape.length > 1) {
    data = toRowMajor(data, header.dtype, header.shape, source.name);
  }
  return { dtype: header.dtype, shape: header.shape, data };
}

/** Edge of the tiles of a transposition: two of them lie in the first-level cache. */
const tile = 32;

/**
 * Column-major to row-major. For each place along the middle axes, the first and the last axis are a matrix to
 * transpose; it goes tile by tile, so that each line of cache is used as a whole.
 */
export function toRowMajor<D extends ElementType>(
  columns: ElementArrays[D],
  dtype: D,
  shape: readonly number[],
  file?: string,
): ElementArrays[D] {
  if (shape.length < 2) return columns;
  const rows = allocate(dtype, columns.length, file);
  const first = shape[0]!;
  const last = shape.at(-1)!;
  const middle = shape.slice(1, -1);
  const places = middle.reduce((product, n) => product * n, 1);
  const index = new Array<number>(middle.length).fill(0);
  for (let place = 0; place < places; place++) {
    // Place among the middle axes in either order: `place` counts with their last axis fastest.
    const inColumns = index.reduceRight((sum, at, axis) => sum * middle[axis]! + at, 0);
    for (let j0 = 0; j0 < last; j0 += tile) {
      const j1 = Math.min(last, j0 + tile);
      for (let i0 = 0; i0 < first; i0 += tile) {
        const i1 = Math.min(first, i0 + tile);
        for (let i = i0; i < i1; i++) {
          const to = (i * places + place) * last;
          for (let j = j0; j < j1; j++) rows[to + j] = columns[i + first * (inColumns + places * j)]!;
        }
      }
    }
    for (let axis = middle.length - 1; axis >= 0 && ++index[axis]! === middle[axis]; axis--) index[axis] = 0;
  }
  return rows;
}

/** Reads the Python dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parseDictionary(text: string, file: string) {
  let rest = text.trim();
  const fail = (field: string, expected: string): never => {
    const found = JSON.stringify(rest.slice(0, 40));
    throw new F2iError('FORMAT', 'malformed npy header', { file, field, expected, found });
  };
  const take = (pattern: RegExp): string | undefined => {
    const match = pattern.exec(rest);
    if (match?.index !== 0) return undefined;
    rest = rest.slice(match[0].length).trimStart();
    return match[1] ?? match[0];
  };

  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  if (take(/^\{/) === undefined) fail('header', 'a Python dictionary');
  while (take(/^\}/) === undefined) {
    const key = take(/^'(\w+)'/) ?? take(/^"(\w+)"/) ?? fail('header', 'a key');
    if (take(/^:/) === undefined) fail(key, 'a colon after the key');
    if (key === 'descr' && descr === undefined) {
      if (rest.startsWith('[')) {
        const hint = 'save each field as an array of its own';
        throw new F2iError('UNSUPPORTED', `structured arrays are not read; ${hint}`, {
          file,
          field: 'descr',
        });
      }
      descr = take(/^'([^']*)'/) ?? take(/^"([^"]*)"/) ?? fail(key, 'a type such as "<f4"');
    } else if (key === 'fortran_order' && fortranOrder === undefined) {
      fortranOrder = (take(/^(?:True|False)\b/) ?? fail(key, 'True or False')) === 'True';
    } else if (key === 'shape' && shape === undefined) {
      // Python 2 wrote long integers with an L.
      const tuple = take(/^\(((?:\s*\d+L?\s*,)*\s*(?:\d+L?)?\s*)\)/) ?? fail(key, 'a tuple of whole numbers');
      const extents = tuple.split(',').map((part) => part.trim().replace(/L$/, ''));
      if (extents.at(-1) === '') extents.pop();
      shape = extents.map(Number);
      if (!shape.every(Number.isSafeInteger)) fail(key, 'extents below 2^53');
      if (shape.length > maximumRank) fail(key, `at most ${maximumRank} axes`);
      if (shape.length === 1 && !tuple.includes(',')) fail(key, 'a tuple: (n,) for one axis');
    } else {
      fail(key, 'descr, fortran_order and shape, each once');
    }
    if (take(/^,/) === undefined && !rest.startsWith('}')) fail(key, 'a comma or } after the value');
  }
  if (rest !== '') fail('header', 'nothing after the dictionary');
  if (descr === undefined || fortranOrder === undefined || shape === undefined) {
    return fail('header', 'descr, fortran_order and shape');
  }
  return { descr, fortranOrder, shape };
}

const elementTypes: Record<string, ElementType> = {
  b1: 'bool',
  u1: 'u8',
  i1: 'i8',
  u2: 'u16',
  i2: 'i16',
  u4: 'u32',
  i4: 'i32',
  u8: 'u64',
  i8: 'i64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
};

function elementTypeOf(descr: string, file: string): { dtype: ElementType; littleEndian: boolean } {
  const order = descr[0];
  const type = descr.slice(1);
  const dtype = elementTypes[type];
  const ordered = order === '<' || order === '>' || (order === '|' && type.endsWith('1'));
  if (dtype && ordered) return { dtype, littleEndian: order !== '>' };
  const kind = type[0];
  const why =
    kind === 'O'
      ? 'object arrays are pickles, which may run code: they are refused; save plain numbers'
      : 'this element type is not read; save plain numbers';
  const known = !dtype && /^[<>|=][OSUVcfgmM]/.test(descr);
  throw new F2iError(known ? 'UNSUPPORTED' : 'FORMAT', why, {
    file,
    field: 'descr',
    expected: 'bool, integers or floats of 8 to 64 bits, with a byte order',
    found: JSON.stringify(descr),
  });
}

/** The bytes of an npy file, version 1.0, row-major. bf16, which NumPy lacks, is UNSUPPORTED. */
export function encodeNpy(array: NdArray): Uint8Array {
  const { dtype, shape, data } = array;
  if (elementCount(shape) !== data.length) {
    throw new F2iError('INVALID_ARGUMENT', 'shape and data disagree', {
      expected: `${elementCount(shape)} elements for [${shape.join(', ')}]`,
      found: `${data.length}`,
    });
  }
  return joinBytes([npyHeader(dtype, shape), encodeElements(data)]);
}

/** What stands before the numbers, little-endian and row-major: for files that are written piece by piece. */
export function npyHeader(dtype: ElementType, shape: readonly number[]): Uint8Array {
  const type = Object.entries(elementTypes).find(([, known]) => known === dtype)?.[0];
  if (!type) throw new F2iError('UNSUPPORTED', `npy has no type ${dtype}`);
  const descr = (type.endsWith('1') ? '|' : '<') + type;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The data begins at a multiple of 64 bytes, as NumPy does for memory maps; a newline ends the header.
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length);
  bytes.set(magic);
  bytes.set([1, 0, length & 255, length >> 8], 6);
  bytes.set(new TextEncoder().encode(`${dictionary.padEnd(length - 1)}\n`), 10);
  return bytes;
}
