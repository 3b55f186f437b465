import { checkRange } from './source.ts';

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
