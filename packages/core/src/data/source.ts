import { F2iError, throwIfAborted } from '../error.ts';
import { bytesSyncSource, type SyncSource } from './syncSource.ts';

/**
 * Bytes at random access: a file, a Blob, a buffer, a range of a URL. Readers ask for the ranges they need, so
 * a reader of one array in a large file never holds the whole of it.
 */
export interface Source {
  /** Name as the user gave it; every error about the content carries it. */
  readonly name: string;
  /** Bytes in total. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`. The result belongs to the caller only for reading: it may be a view of
   * memory that the source keeps. Throws FORMAT when the range lies outside the source, IO when the medium gives
   * less than it promised, CANCELLED when the signal was aborted.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Where the file is on disk, if it is one: devices may map it. */
  readonly path?: string | undefined;
  /** The same bytes, readable at once, where the platform can; the caller closes it. `syncOf` calls it. */
  openSync?(): SyncSource;
  /** SHA-256 of a range (64 lower-case hex digits) that is never whole in memory; throws as `read` does. */
  digest?(offset: number, length: number, signal?: AbortSignal): Promise<string>;
}

/**
 * A folder of sources. Paths are relative, use `/`, and never leave the folder: `open` rejects absolute paths and
 * `..`; implementations on a real file system must reject symbolic links that lead outside, too.
 */
export interface Folder {
  /** Name as the user gave it. */
  readonly name: string;
  /** Relative paths of all files below the folder, sorted by code unit. */
  list(): Promise<string[]>;
  /** Opens a file. Throws IO when it is missing, USAGE when the path leaves the folder. */
  open(path: string): Promise<Source>;
}

/** Content of a file that is to be written; an iterable is written piece by piece. */
export type FileContent = Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes one file of an output folder. What writes bundles and reports takes such a function, and knows nothing of
 * file systems; the folder appears under its name only when everything has been written. Each path once.
 */
export type WriteFile = (path: string, content: FileContent) => Promise<void>;

/** Checks a range against the size; what every `Source.read` does first. */
export function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || offset + length > source.size) {
    throw new F2iError('FORMAT', 'the file ends too early', {
      file: source.name,
      expected: `bytes ${offset} to ${offset + length}`,
      found: `${source.size} bytes in total`,
    });
  }
}

/** A source over bytes in memory. `read` returns views, not copies. */
export function bytesSource(bytes: Uint8Array | ArrayBuffer, name: string): Source {
  const all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const source = {
    name,
    size: all.byteLength,
    async read(offset: number, length: number, signal?: AbortSignal) {
      throwIfAborted(signal, `reading ${name}`);
      checkRange(source, offset, length);
      return all.subarray(offset, offset + length);
    },
    openSync: () => bytesSyncSource(all, name),
  };
  return source;
}

/** The part of the Blob interface that is needed; `File` and `Blob` of browsers and of Node have it. */
export interface BlobLike {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** What workers of browsers have to read a Blob at once. */
type SyncReader = new () => { readAsArrayBuffer(blob: unknown): ArrayBuffer };

function blobSyncSource(blob: BlobLike, name: string, Reader: SyncReader): SyncSource {
  const source = {
    name,
    size: blob.size,
    readSync(offset: number, length: number) {
      checkRange(source, offset, length);
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(new Reader().readAsArrayBuffer(blob.slice(offset, offset + length)));
      } catch (cause) {
        throw new F2iError('IO', 'the file could not be read', { file: name, cause });
      }
      if (bytes.byteLength !== length) throw shortRead(name, offset, length, bytes.byteLength);
      return bytes;
    },
  };
  return source;
}

/** A source over a Blob or File; ranges are read when asked for. */
export function blobSource(blob: BlobLike, name: string): Source {
  const { FileReaderSync: Reader } = globalThis as { FileReaderSync?: SyncReader };
  const source = {
    name,
    size: blob.size,
    async read(offset: number, length: number, signal?: AbortSignal) {
      throwIfAborted(signal, `reading ${name}`);
      checkRange(source, offset, length);
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        throw new F2iError('IO', 'the file could not be read', { file: name, cause });
      }
      throwIfAborted(signal, `reading ${name}`);
      if (bytes.byteLength !== length) throw shortRead(name, offset, length, bytes.byteLength);
      return bytes;
    },
    ...(Reader ? { openSync: () => blobSyncSource(blob, name, Reader) } : {}),
  };
  return source;
}

/** A window of another source, under its own name (for example `arrays.npz/arr_0`). */
export function sliceSource(outer: Source, offset: number, size: number, name = outer.name): Source {
  checkRange(outer, offset, size);
  const source = {
    name,
    size,
    async read(start: number, length: number, signal?: AbortSignal) {
      checkRange(source, start, length);
      return outer.read(offset + start, length, signal);
    },
  };
  return source;
}

/** The medium gave fewer bytes than its size promised: it changed, or is failing, while it was read. */
export function shortRead(file: string, offset: number, expected: number, found: number): F2iError {
  return new F2iError('IO', `short read at byte ${offset}: did the file change meanwhile?`, {
    file,
    expected: `${expected} bytes`,
    found: `${found}`,
  });
}

/** Pieces as one array. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** All bytes of a source. */
export function readAll(source: Source, signal?: AbortSignal): Promise<Uint8Array> {
  return source.read(0, source.size, signal);
}

/** The whole source as UTF-8 text, a byte order mark removed. Throws FORMAT where the bytes are not UTF-8. */
export async function readText(source: Source, signal?: AbortSignal): Promise<string> {
  return decodeUtf8(await readAll(source, signal), source.name);
}

export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new F2iError('FORMAT', 'not UTF-8 text', { file, cause });
  }
}

/**
 * Normalises a path inside a folder (`./a//b` becomes `a/b`), or throws USAGE when it is empty, absolute, has a
 * drive letter, a backslash or NUL, or climbs out with `..`.
 */
export function relativePath(path: string, file?: string, field?: string): string {
  const refuse = (why: string) =>
    new F2iError('USAGE', `the path ${JSON.stringify(path)} ${why}`, {
      file,
      field,
      expected: 'a path inside the folder, with / between its parts',
    });
  if (path.includes('\0')) throw refuse('contains a NUL character');
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) throw refuse('is absolute');
  if (path.includes('\\')) throw refuse('contains a backslash');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') throw refuse('leaves the folder');
    parts.push(part);
  }
  if (parts.length === 0) throw refuse('names no file');
  return parts.join('/');
}

/** A folder over sources that are at hand: a list of `File`s, test data, an unpacked archive. */
export function memoryFolder(files: Iterable<readonly [string, Source | Uint8Array]>, name: string): Folder {
  const sources = new Map<string, Source>();
  for (const [path, file] of files) {
    const key = relativePath(path, name);
    sources.set(key, file instanceof Uint8Array ? bytesSource(file, `${name}/${key}`) : file);
  }
  return {
    name,
    async list() {
      return [...sources.keys()].sort();
    },
    async open(path) {
      const source = sources.get(relativePath(path, name));
      if (!source) throw new F2iError('IO', 'no such file', { file: `${name}/${path}` });
      return source;
    },
  };
}
