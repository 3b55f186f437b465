import {
  type EntryGetDataOptions,
  ERR_BAD_FORMAT,
  ERR_CENTRAL_DIRECTORY_NOT_FOUND,
  ERR_ENCRYPTED_CENTRAL_DIRECTORY,
  ERR_ENTRY_DATA_OUT_OF_BOUNDS,
  ERR_EOCDR_NOT_FOUND,
  ERR_INVALID_COMPRESSED_DATA,
  ERR_INVALID_CRC32,
  ERR_INVALID_UNCOMPRESSED_SIZE,
  ERR_SPLIT_ZIP_FILE,
  type FileEntry,
  Reader,
  ZipReader,
} from '@zip.js/zip.js/lib/zip-core-custom.js';
import { F2iError, throwIfAborted } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { type Source, sliceSource } from '../source.ts';
import { decompress, firstBytes } from './decompress.ts';
import { announceZip64 } from './zip64.ts';

/**
 * Reading of zip archives (PKWARE APPNOTE 6.3), as far as `.npz` needs it: stored and deflated files, zip64. zip.js does
 * it, in its build without workers and without code to fetch, and as strict as it can be: what the directory says is
 * checked against the local headers, sizes and CRC-32 against the data. Names are names, never paths. Nothing is
 * allocated on a size alone: DEFLATE cannot expand more than 1032 times.
 */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly compressedSize: number;
  readonly size: number;
  /** Of the content, as the directory states it. */
  readonly crc32: number;
}

export interface Zip {
  readonly entries: readonly ZipEntry[];
  /** The content of a file, its size and CRC-32 checked. */
  read(entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array>;
  /** The first bytes (128 KiB or more, where there are as many) of a file, unchecked, for inspection. */
  peek(entry: ZipEntry, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * The bytes of a file as they lie in the archive, compressed if it is: for reading a stored file in place. Its local
   * header is checked; its CRC-32 is the caller's to check.
   */
  locate(entry: ZipEntry, signal?: AbortSignal): Promise<Source>;
}

/** DEFLATE's largest expansion: a match of 258 bytes in two bits. */
const maximumExpansion = 1032;
const peekSize = 1 << 17;

/** Whether the bytes begin as a zip archive does (an empty one is nothing but its end). */
export function isZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

/** Reads and checks the directory. Throws FORMAT; UNSUPPORTED for encryption, other methods, split archives. */
export async function openZip(source: Source, signal?: AbortSignal): Promise<Zip> {
  const found = await listFiles(source, signal);

  /** Lets zip.js read a file, or its local header alone, which it checks. */
  async function getData(
    entry: ZipEntry,
    writable: WritableStream<Uint8Array>,
    options: EntryGetDataOptions,
    readSignal?: AbortSignal,
  ): Promise<FileEntry> {
    const file = `${source.name}/${entry.name}`;
    const described = found.get(entry)!;
    throwIfAborted(readSignal, `reading ${file}`);
    try {
      await described.getData(writable, { ...options, ...(readSignal ? { signal: readSignal } : {}) });
    } catch (error) {
      throwIfAborted(readSignal, `reading ${file}`);
      throw asF2iError(error, file, 'local header');
    }
    return described;
  }

  async function locate(entry: ZipEntry, readSignal?: AbortSignal): Promise<Source> {
    // zip.js reads far ahead of what is taken, so here it finds the place alone.
    const nowhere = new WritableStream<Uint8Array>();
    const { localDirectory } = await getData(entry, nowhere, { checkOverlappingEntryOnly: true }, readSignal);
    const file = `${source.name}/${entry.name}`;
    return sliceSource(source, localDirectory!.dataOffset, entry.compressedSize, file);
  }

  return {
    entries: [...found.keys()],
    async read(entry, readSignal) {
      const file = `${source.name}/${entry.name}`;
      if (entry.size > entry.compressedSize * maximumExpansion) {
        throw new F2iError('FORMAT', 'the file cannot be as large as stated', {
          file,
          field: 'size',
          expected: `at most ${maximumExpansion} times its ${entry.compressedSize} compressed bytes`,
          found: `${entry.size} bytes`,
        });
      }
      const out = allocate('u8', entry.size, file);
      let size = 0;
      const into = new WritableStream<Uint8Array>({
        write(piece) {
          // zip.js stops before more comes than stated; were it not to, this would throw.
          out.set(piece, size);
          size += piece.length;
        },
      });
      await getData(entry, into, { checkCrc32: true, checkOverlappingEntry: true }, readSignal);
      return out;
    },
    locate,
    async peek(entry, readSignal) {
      const data = await locate(entry, readSignal);
      if (entry.method === 'stored') return data.read(0, Math.min(peekSize, data.size), readSignal);
      return firstBytes(decompress(data, 'deflate-raw', readSignal), peekSize);
    },
  };
}

/** Reads the directory: each file as this module describes it, and as zip.js does. */
async function listFiles(source: Source, signal?: AbortSignal): Promise<Map<ZipEntry, FileEntry>> {
  const file = source.name;
  const reader = new SourceReader(await announceZip64(source, signal), signal);
  const zip = new ZipReader(reader, {
    strictness: 'strict',
    filenameValidation: 'tolerant',
    useWebWorkers: false,
  });
  const files = new Map<ZipEntry, FileEntry>();
  try {
    for await (const entry of zip.getEntriesGenerator()) {
      if (!entry.directory) files.set(describe(entry, source), entry);
    }
  } catch (error) {
    throw asF2iError(error, file, 'central directory');
  }
  // From here on, each call brings its own signal.
  reader.signal = undefined;
  return files;
}

function describe(entry: FileEntry, source: Source): ZipEntry {
  const { filename: name, compressedSize, uncompressedSize: size, compressionMethod: method } = entry;
  const place = { file: source.name, field: name };
  if (entry.encrypted) throw new F2iError('UNSUPPORTED', 'encrypted archives are not read', place);
  if (method !== 0 && method !== 8) {
    throw new F2iError('UNSUPPORTED', 'this compression is not read', {
      ...place,
      expected: 'stored (0) or deflated (8)',
      found: `${method}`,
    });
  }
  if (method === 0 && size !== compressedSize) {
    throw new F2iError('FORMAT', 'a stored file of two sizes', {
      ...place,
      expected: `${compressedSize} bytes`,
      found: `${size}`,
    });
  }
  if (entry.offset + compressedSize > source.size) {
    throw new F2iError('FORMAT', 'the file lies outside the archive', {
      ...place,
      expected: `at most ${source.size} bytes in total`,
      found: `${compressedSize} bytes at ${entry.offset}`,
    });
  }
  return {
    name,
    method: method === 0 ? 'stored' : 'deflated',
    compressedSize,
    size,
    crc32: entry.crc32 ?? 0,
  };
}

/** Lets zip.js read the ranges it needs. It asks beyond the end, and expects what there is. */
class SourceReader extends Reader<Source> {
  readonly #source: Source;
  signal: AbortSignal | undefined;

  constructor(source: Source, signal: AbortSignal | undefined) {
    super(source);
    this.#source = source;
    this.size = source.size;
    this.signal = signal;
  }

  override async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    const start = Math.min(offset, this.size);
    return this.#source.read(start, Math.min(length, this.size - start), this.signal);
  }
}

/** Where each finding of zip.js lies in the file; all others are about headers. */
const fields: Record<string, string> = {
  [ERR_BAD_FORMAT]: 'end of central directory',
  [ERR_EOCDR_NOT_FOUND]: 'end of central directory',
  [ERR_CENTRAL_DIRECTORY_NOT_FOUND]: 'central directory',
  [ERR_ENTRY_DATA_OUT_OF_BOUNDS]: 'compressed size',
  [ERR_INVALID_COMPRESSED_DATA]: 'compressed data',
  [ERR_INVALID_CRC32]: 'CRC-32',
  [ERR_INVALID_UNCOMPRESSED_SIZE]: 'size',
};

function asF2iError(error: unknown, file: string, field: string): unknown {
  if (error instanceof F2iError || !(error instanceof Error)) return error;
  const { message, reason } = error as Error & { reason?: string };
  if (message === ERR_SPLIT_ZIP_FILE || message === ERR_ENCRYPTED_CENTRAL_DIRECTORY) {
    return new F2iError('UNSUPPORTED', 'split and encrypted archives are not read', { file, found: message });
  }
  return new F2iError('FORMAT', 'a damaged zip archive', {
    file,
    field: fields[message] ?? field,
    found: reason ? `${message}: ${reason}` : message,
    cause: error,
  });
}
