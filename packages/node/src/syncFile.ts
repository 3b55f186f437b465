import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { checkRange, F2iError, type SyncSource, shortRead } from '@fmri2image/core';
import { ioError } from './files.ts';

/**
 * A file for a library that reads synchronously (HDF5). It stays open until `close()`. Reads hold up this thread: keep them
 * small, or work in a worker.
 *
 * @param path as the user gave it
 * @param name what errors call it
 * @throws IO for a file that is missing or no regular one
 */
export function fileSyncSource(path: string, name = path): SyncSource {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw ioError(error, name, 'read');
    }
  };
  const { handle, size } = guarded(() => {
    // Opening a pipe for reading would wait for a writer: look first.
    if (!statSync(path).isFile())
      throw new F2iError('IO', 'not a file', { file: name, expected: 'a regular file' });
    const opened = openSync(path, 'r');
    return { handle: opened, size: fstatSync(opened).size };
  });
  let open = true;
  const source = {
    name,
    size,
    readSync(offset: number, length: number) {
      checkRange(source, offset, length);
      const bytes = new Uint8Array(length);
      source.readIntoSync(offset, bytes);
      return bytes;
    },
    readIntoSync(offset: number, target: Uint8Array) {
      const { length } = target;
      checkRange(source, offset, length);
      for (let at = 0; at < length; ) {
        const read = guarded(() => readSync(handle, target, at, length - at, offset + at));
        if (read === 0) throw shortRead(name, offset, length, at);
        at += read;
      }
    },
    close() {
      if (open) closeSync(handle);
      open = false;
    },
  };
  return source;
}
