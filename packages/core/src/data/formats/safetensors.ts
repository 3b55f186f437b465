import { F2iError } from '../../error.ts';
import { parseJson } from '../json.ts';
import {
  decodeElements,
  type ElementType,
  elementBytes,
  elementCount,
  encodeElements,
  type NdArray,
} from '../ndarray.ts';
import { decodeUtf8, type Source } from '../source.ts';

/**
 * safetensors: 8 bytes with the length of a JSON header, the header, and the tensors one behind another, little
 * endian. Format and its security rules: https://github.com/huggingface/safetensors#format. The header must describe
 * every byte of the data exactly once: no holes, no overlaps, no duplicate names.
 */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** First byte of the tensor, counted from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface Safetensors {
  readonly source: Source;
  /** By name, in the order of the header. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** Free text of the writer. */
  readonly metadata: ReadonlyMap<string, string>;
  /** First byte after the header. */
  readonly dataOffset: number;
  /** One tensor; only its bytes are read. Throws FORMAT when there is none of that name. */
  read(name: string, signal?: AbortSignal): Promise<NdArray>;
  /** The rows [start, end) of a tensor's first axis; only their bytes are read. */
  readRows(name: string, start: number, end: number, signal?: AbortSignal): Promise<NdArray>;
  /** Elements [start, end) of a tensor, counted row-major over its shape; only their bytes are read. */
  readElements(name: string, start: number, end: number, signal?: AbortSignal): Promise<NdArray['data']>;
}

const typesInFile: Record<string, ElementType> = {
  BOOL: 'bool',
  U8: 'u8',
  I8: 'i8',
  U16: 'u16',
  I16: 'i16',
  U32: 'u32',
  I32: 'i32',
  U64: 'u64',
  I64: 'i64',
  F16: 'f16',
  BF16: 'bf16',
  F32: 'f32',
  F64: 'f64',
};
const namesOfTypes = Object.fromEntries(
  Object.entries(typesInFile).map(([name, type]) => [type, name]),
) as Record<ElementType, string>;

/** As the format's reference implementation. */
const maximumHeader = 100_000_000;

/** Opens a file and checks the whole header; no tensor is read yet. Throws FORMAT or UNSUPPORTED (other types). */
export async function openSafetensors(source: Source, signal?: AbortSignal): Promise<Safetensors> {
  const file = source.name;
  if (source.size < 10) {
    const found = `${source.size} bytes`;
    throw new F2iError('FORMAT', 'too short for safetensors', { file, expected: 'at least 10 bytes', found });
  }
  const start = await source.read(0, 8, signal);
  const declared = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  const room = Math.min(maximumHeader, source.size - 8);
  if (declared > BigInt(room) || declared < 2n) {
    throw new F2iError('FORMAT', 'impossible length of the header', {
      file,
      field: 'header length',
      expected: `2 to ${room} bytes`,
      found: `${declared}`,
    });
  }
  const headerLength = Number(declared);
  const json = await source.read(8, headerLength, signal);
  if (json[0] !== 0x7b) {
    const found = `byte ${json[0]}`;
    throw new F2iError('FORMAT', 'not a safetensors header', { file, field: 'header', expected: '{', found });
  }
  const text = decodeUtf8(json, file);
  const header = parseJson(text, file) as Record<string, unknown>;
  const dataOffset = 8 + headerLength;
  const metadata = new Map<string, string>();
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') readMetadata(value, metadata, file);
    else entries.set(name, checkEntry(name, value, dataOffset, file));
  }
  checkCoverage([...entries.values()], dataOffset, source);

  const entryOf = (name: string): SafetensorsEntry => {
    const entry = entries.get(name);
    if (entry) return entry;
    const names = [...entries.keys()];
    throw new F2iError('FORMAT', 'no such tensor', {
      file,
      field: name,
      expected: `one of ${names.slice(0, 12).join(', ')}${names.length > 12 ? ` (${names.length} in all)` : ''}`,
    });
  };
  return {
    source,
    entries,
    metadata,
    dataOffset,
    async read(name, readSignal) {
      const { dtype, shape, offset, byteLength } = entryOf(name);
      const bytes = await source.read(offset, byteLength, readSignal);
      return { dtype, shape, data: decodeElements(bytes, dtype, file) };
    },
    async readRows(name, from, to, readSignal) {
      const entry = entryOf(name);
      const [count = 0, ...rest] = entry.shape;
      if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= count)) {
        throw new F2iError('INVALID_ARGUMENT', 'row range out of bounds', {
          file,
          field: name,
          expected: `0 <= start <= end <= ${count}`,
          found: `[${from}, ${to})`,
        });
      }
      const rowBytes = count === 0 ? 0 : entry.byteLength / count;
      const bytes = await source.read(entry.offset + from * rowBytes, (to - from) * rowBytes, readSignal);
      const data = decodeElements(bytes, entry.dtype, file);
      return { dtype: entry.dtype, shape: [to - from, ...rest], data };
    },
    async readElements(name, from, to, readSignal) {
      const { dtype, offset, byteLength } = entryOf(name);
      const size = elementBytes(dtype);
      if (!(0 <= from && from <= to && to * size <= byteLength)) {
        throw new F2iError('INVALID_ARGUMENT', 'elements out of bounds', {
          file,
          field: name,
          expected: `0 <= start <= end <= ${byteLength / size}`,
          found: `[${from}, ${to})`,
        });
      }
      const bytes = await source.read(offset + from * size, (to - from) * size, readSignal);
      return decodeElements(bytes, dtype, file);
    },
  };
}

function readMetadata(value: unknown, metadata: Map<string, string>, file: string): void {
  const expected = 'an object of strings';
  const field = '__metadata__';
  if (!isRecord(value)) throw new F2iError('FORMAT', 'malformed metadata', { file, field, expected });
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') {
      throw new F2iError('FORMAT', 'malformed metadata', { file, field: `${field}.${key}`, expected });
    }
    metadata.set(key, entry);
  }
}

function checkEntry(name: string, value: unknown, dataOffset: number, file: string): SafetensorsEntry {
  const fail = (part: string, expected: string, found: unknown): never => {
    throw new F2iError('FORMAT', 'malformed entry of the header', {
      file,
      field: part ? `${name}.${part}` : name,
      expected,
      found: JSON.stringify(found) ?? 'nothing',
    });
  };
  if (!isRecord(value)) return fail('', 'an object', value);
  const unknown = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (unknown !== undefined) fail(unknown, 'only dtype, shape and data_offsets', unknown);
  const { dtype: typeName, shape, data_offsets: range } = value;
  if (typeof typeName !== 'string') return fail('dtype', 'a type', typeName);
  const dtype = Object.hasOwn(typesInFile, typeName) ? typesInFile[typeName] : undefined;
  if (!dtype) {
    throw new F2iError('UNSUPPORTED', 'this element type is not read', {
      file,
      field: `${name}.dtype`,
      expected: Object.keys(typesInFile).join(', '),
      found: JSON.stringify(typeName),
    });
  }
  if (!isExtents(shape)) return fail('shape', 'a list of whole numbers', shape);
  if (!isExtents(range) || range.length !== 2) return fail('data_offsets', '[begin, end]', range);
  const [begin, end] = range as [number, number];
  const count = elementCount(shape);
  const byteLength = (count ?? Number.POSITIVE_INFINITY) * elementBytes(dtype);
  if (end - begin !== byteLength) {
    fail('data_offsets', `a range of ${byteLength} bytes for ${typeName} [${shape.join(', ')}]`, range);
  }
  return { name, dtype, shape, offset: dataOffset + begin, byteLength };
}

/** Every byte of the data belongs to exactly one tensor. */
function checkCoverage(entries: SafetensorsEntry[], dataOffset: number, source: Source): void {
  const file = source.name;
  let end = dataOffset;
  // Empty tensors share their offset with a neighbour: they come first.
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (entry.offset !== end) {
      throw new F2iError('FORMAT', entry.offset < end ? 'tensors overlap' : 'a hole between tensors', {
        file,
        field: `${entry.name}.data_offsets`,
        expected: `begin ${end - dataOffset}`,
        found: `${entry.offset - dataOffset}`,
      });
    }
    end += entry.byteLength;
  }
  if (end !== source.size) {
    throw new F2iError('FORMAT', 'the amount of data is not what the header announces', {
      file,
      field: 'data_offsets',
      expected: `${end} bytes in total`,
      found: `${source.size}`,
    });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isExtents(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** What a tensor's entry in the header says. */
export interface SafetensorsSpec {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
}

/**
 * The head of a file (length and header), for writers that stream tensors after it, in this order and without gaps.
 * Padded with spaces so that the data begins at a multiple of 64 bytes.
 */
export function safetensorsHeader(
  tensors: readonly SafetensorsSpec[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  const seen = new Set<string>();
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const count = elementCount(shape);
    if (name === '__metadata__' || seen.has(name) || count === undefined || !isExtents(shape)) {
      throw new F2iError('INVALID_ARGUMENT', 'not a tensor that safetensors can hold', {
        field: name,
        expected: 'a name used once, and whole extents',
        found: `[${shape.join(', ')}]`,
      });
    }
    seen.add(name);
    const end = offset + count * elementBytes(dtype);
    header.push([name, { dtype: namesOfTypes[dtype], shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Joined by hand: an object would move names that look like numbers to the front.
  const text = `{${header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text);
  const padded = Math.ceil((8 + json.length) / 64) * 64;
  const bytes = new Uint8Array(padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded - 8), true);
  bytes.set(json, 8);
  return bytes;
}

/** The bytes of a whole file. */
export function encodeSafetensors(
  tensors: readonly (NdArray & { name: string })[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  for (const { name, shape, data } of tensors) {
    if (elementCount(shape) !== data.length) {
      throw new F2iError('INVALID_ARGUMENT', 'shape and data disagree', {
        field: name,
        expected: `${elementCount(shape)} elements for [${shape.join(', ')}]`,
        found: `${data.length}`,
      });
    }
  }
  const head = safetensorsHeader(tensors, metadata);
  const payload = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  const bytes = new Uint8Array(head.length + payload);
  bytes.set(head);
  let offset = head.length;
  for (const { data } of tensors) {
    bytes.set(encodeElements(data), offset);
    offset += data.byteLength;
  }
  return bytes;
}
