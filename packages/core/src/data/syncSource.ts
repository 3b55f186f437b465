import { F2iError } from '../error.ts';
import { checkRange, type Source } from './source.ts';

/**
 * Bytes at random access that are there at once: for libraries that cannot wait (HDF5). On pages such sources exist in
 * workers alone (`FileReaderSync`); in Node also in the main thread, where reads should stay small.
 */
export interface SyncSource {
  /** Name as the user gave it. */
  readonly name: string;
  /** Bytes in total. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`. Throws as `Source.read` does. */
  readSync(offset: number, length: number): Uint8Array;
  /** The same into memory of the caller, where the platform can: for many small reads. Fills all of `target`. */
  readIntoSync?(offset: number, target: Uint8Array): void;
  /** Frees what it holds: a file handle. */
  close?(): void;
}

/** A source over bytes in memory. */
export function bytesSyncSource(bytes: Uint8Array, name: string): SyncSource {
  const source = {
    name,
    size: bytes.byteLength,
    readSync(offset: number, length: number) {
      checkRange(source, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/**
 * A source as libraries need it that cannot wait.
 *
 * @throws UNSUPPORTED where the platform has none: on the main thread of a page, or for ranges of an address
 */
export function syncOf(source: Source): SyncSource {
  if (source.openSync) return source.openSync();
  throw new F2iError(
    'UNSUPPORTED',
    'HDF5 needs a file that can be read at once: open it in a worker, or in Node',
    {
      file: source.name,
    },
  );
}
