import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Source } from '../source.ts';
import { crc32 } from './crc32.ts';
import { InflateError, Inflater } from './inflate.ts';

/**
 * Reading of zip archives (PKWARE APPNOTE 6.3), as far as `.npz` needs it: stored and deflated files, zip64. What the
 * central directory says is checked against the local headers, and nothing is allocated on a size alone: DEFLATE
 * cannot expand more than 1032 times, and a file that inflates to another size than stated is an error.
 */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly compressedSize: number;
  readonly size: number;
  readonly crc: number;
  /** Offset of the local header. */
  readonly offset: number;
}

export interface Zip {
  readonly entries: readonly ZipEntry[];
  /** The content of a file, its size and CRC-32 checked. */
  read(entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array>;
  /** The first bytes (64 KiB or more, where there are as many) of a file, unchecked: for inspection. */
  peek(entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array>;
}

const endSignature = 0x06054b50;
const zip64EndSignature = 0x06064b50;
const zip64LocatorSignature = 0x07064b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
/** DEFLATE's largest expansion: a match of 258 bytes in two bits. */
const maximumExpansion = 1032;
/** As many compressed bytes as the first piece of output can need. */
const peekSize = 1 << 18;

/** Whether the bytes begin as a zip archive does (an empty one is nothing but its end). */
export function isZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

/** Reads and checks the directory. Throws FORMAT; UNSUPPORTED for encryption, other methods, split archives. */
export async function openZip(source: Source, signal?: AbortSignal): Promise<Zip> {
  const entries = await readDirectory(source, signal);
  return {
    entries,
    async read(entry, readSignal) {
      const { at, file } = await dataStart(source, entry, readSignal);
      const data = await source.read(at, entry.compressedSize, readSignal);
      const out = entry.method === 'stored' ? data : await inflateExactly(data, entry, file, readSignal);
      const crc = crc32(out);
      if (crc !== entry.crc) {
        throw new F2iError('FORMAT', 'the data are damaged', {
          file,
          field: 'CRC-32',
          expected: entry.crc.toString(16),
          found: crc.toString(16),
        });
      }
      return out;
    },
    async peek(entry, readSignal) {
      const { at, file } = await dataStart(source, entry, readSignal);
      const data = await source.read(at, Math.min(entry.compressedSize, peekSize), readSignal);
      if (entry.method === 'stored') return data;
      try {
        return new Inflater(data).next() ?? new Uint8Array(0);
      } catch (error) {
        throw asFormatError(error, file);
      }
    },
  };
}

async function inflateExactly(data: Uint8Array, entry: ZipEntry, file: string, signal?: AbortSignal) {
  const wrongSize = (found: string) =>
    new F2iError('FORMAT', 'the file inflates to another size than stated', {
      file,
      field: 'size',
      expected: `${entry.size} bytes`,
      found,
    });
  if (entry.size > entry.compressedSize * maximumExpansion) {
    throw wrongSize(`${entry.compressedSize} compressed bytes, which cannot expand so far`);
  }
  const out = allocate('u8', entry.size, file);
  const breathe = pacer(signal, `reading ${file}`);
  const inflater = new Inflater(data);
  let size = 0;
  try {
    for (let piece = inflater.next(); piece; piece = inflater.next()) {
      if (size + piece.length > out.length) throw wrongSize('more');
      out.set(piece, size);
      size += piece.length;
      await breathe();
    }
  } catch (error) {
    throw asFormatError(error, file);
  }
  if (size !== out.length) throw wrongSize(`${size}`);
  if (inflater.end !== data.length) {
    throw new F2iError('FORMAT', 'bytes after the end of the compressed data', {
      file,
      field: 'compressed size',
      expected: `${inflater.end}`,
      found: `${data.length}`,
    });
  }
  return out;
}

function asFormatError(error: unknown, file: string): unknown {
  if (!(error instanceof InflateError)) return error;
  return new F2iError('FORMAT', error.message, { file, field: 'compressed data' });
}

/** Checks the local header against the directory; returns where the data begin. */
async function dataStart(source: Source, entry: ZipEntry, signal?: AbortSignal) {
  const file = `${source.name}/${entry.name}`;
  const fail = (field: string, expected: string, found: string): never => {
    throw new F2iError('FORMAT', 'the local header contradicts the directory', {
      file,
      field,
      expected,
      found,
    });
  };
  const header = viewOf(await source.read(entry.offset, 30, signal));
  if (header.getUint32(0, true) !== localSignature) {
    fail('signature', localSignature.toString(16), header.getUint32(0, true).toString(16));
  }
  const method = header.getUint16(8, true);
  const wanted = entry.method === 'stored' ? 0 : 8;
  if (method !== wanted) fail('method', `${wanted}`, `${method}`);
  const nameLength = header.getUint16(26, true);
  const extraLength = header.getUint16(28, true);
  const name = decodeName(await source.read(entry.offset + 30, nameLength, signal));
  if (name !== entry.name) fail('name', entry.name, name);
  // Bit 3: sizes and CRC follow the data, and are zero here.
  if (!(header.getUint16(6, true) & 8)) {
    const crc = header.getUint32(14, true);
    if (crc !== entry.crc) fail('CRC-32', entry.crc.toString(16), crc.toString(16));
  }
  return { at: entry.offset + 30 + nameLength + extraLength, file };
}

async function readDirectory(source: Source, signal?: AbortSignal): Promise<ZipEntry[]> {
  const file = source.name;
  const { count, offset, size, limit } = await findDirectory(source, signal);
  if (offset + size > limit || count * 46 > size) {
    throw new F2iError('FORMAT', 'the directory lies outside the file', {
      file,
      field: 'central directory',
      expected: `${count} entries within ${limit} bytes`,
      found: `${size} bytes at ${offset}`,
    });
  }
  const directory = await source.read(offset, size, signal);
  const view = viewOf(directory);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    const field = `central directory, entry ${index}`;
    const fail = (message: string, found?: string): never => {
      throw new F2iError('FORMAT', message, { file, field, found });
    };
    if (at + 46 > size || view.getUint32(at, true) !== centralSignature) fail('malformed entry');
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const end = at + 46 + nameLength + extraLength + commentLength;
    if (end > size) fail('the entry is longer than the directory');
    const name = decodeName(directory.subarray(at + 46, at + 46 + nameLength));
    if (names.has(name)) fail('a name occurs twice', JSON.stringify(name));
    names.add(name);
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    if (flags & 1)
      throw new F2iError('UNSUPPORTED', 'encrypted archives are not read', { file, field: name });
    if (method !== 0 && method !== 8) {
      throw new F2iError('UNSUPPORTED', 'this compression is not read', {
        file,
        field: name,
        expected: 'stored (0) or deflated (8)',
        found: `${method}`,
      });
    }
    const extra = viewOf(directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    const [entrySize, compressedSize, entryOffset] = zip64Values(
      extra,
      [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
      fail,
    );
    if (view.getUint16(at + 34, true) !== 0) fail('part of a split archive');
    if (method === 0 && entrySize !== compressedSize) fail('a stored file of two sizes');
    if (entryOffset + 30 + compressedSize > offset) fail('the file lies outside the archive');
    entries.push({
      name,
      method: method === 0 ? 'stored' : 'deflated',
      compressedSize,
      size: entrySize,
      crc: view.getUint32(at + 16, true),
      offset: entryOffset,
    });
    at = end;
  }
  if (at !== size) {
    throw new F2iError('FORMAT', 'the directory has another length than stated', {
      file,
      field: 'central directory',
      expected: `${size} bytes`,
      found: `${at}`,
    });
  }
  refuseOverlaps(entries, file);
  return entries;
}

/** Files that share bytes make bombs that each check alone would miss. */
function refuseOverlaps(entries: ZipEntry[], file: string): void {
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < end) {
      throw new F2iError('FORMAT', 'files of the archive overlap', { file, field: entry.name });
    }
    end = entry.offset + 30 + entry.compressedSize;
  }
}

/** Sizes and offset that are all ones stand in the zip64 extra field instead, in this order. */
function zip64Values(
  extra: DataView,
  values: [number, number, number],
  fail: (message: string) => never,
): [number, number, number] {
  if (!values.includes(0xffffffff)) return values;
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const id = extra.getUint16(at, true);
    const end = at + 4 + extra.getUint16(at + 2, true);
    if (end > extra.byteLength) fail('malformed extra field');
    if (id === 1) {
      let place = at + 4;
      const wide = values.map((value) => {
        if (value !== 0xffffffff) return value;
        if (place + 8 > end) fail('malformed zip64 field');
        place += 8;
        return safeNumber(extra.getBigUint64(place - 8, true), fail);
      });
      return wide as [number, number, number];
    }
    at = end;
  }
  // Without a zip64 field, the value is what it is: 4 GiB less one.
  return values;
}

function safeNumber(value: bigint, fail: (message: string) => never): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : fail('an impossible size');
}

async function findDirectory(source: Source, signal?: AbortSignal) {
  const file = source.name;
  const fail = (message: string): never => {
    throw new F2iError('FORMAT', message, { file, field: 'end of central directory' });
  };
  // The end record is followed by a comment of at most 65535 bytes.
  const tailLength = Math.min(source.size, 22 + 65535);
  const tailStart = source.size - tailLength;
  const view = viewOf(await source.read(tailStart, tailLength, signal));
  let at = tailLength - 22;
  while (
    at >= 0 &&
    !(view.getUint32(at, true) === endSignature && at + 22 + view.getUint16(at + 20, true) === tailLength)
  ) {
    at--;
  }
  if (at < 0) fail('not a complete zip archive: its directory is missing');
  const count = view.getUint16(at + 10, true);
  const size = view.getUint32(at + 12, true);
  const offset = view.getUint32(at + 16, true);
  if (view.getUint16(at + 4, true) !== 0 && view.getUint16(at + 4, true) !== 0xffff) {
    throw new F2iError('UNSUPPORTED', 'split archives are not read', { file });
  }
  const end = tailStart + at;
  if (at < 20 || view.getUint32(at - 20, true) !== zip64LocatorSignature) {
    if (view.getUint16(at + 8, true) !== count) fail('the directory is split');
    return { count, size, offset, limit: end };
  }
  const recordOffset = safeNumber(view.getBigUint64(at - 12, true), fail);
  if (recordOffset + 56 > end - 20) fail('the zip64 record lies outside the file');
  const record = viewOf(await source.read(recordOffset, 56, signal));
  if (record.getUint32(0, true) !== zip64EndSignature) fail('the zip64 record is missing');
  return {
    count: safeNumber(record.getBigUint64(32, true), fail),
    size: safeNumber(record.getBigUint64(40, true), fail),
    offset: safeNumber(record.getBigUint64(48, true), fail),
    limit: recordOffset,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeName(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes);
}
