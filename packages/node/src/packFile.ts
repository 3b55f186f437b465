import { type FileHandle, open } from 'node:fs/promises';
import { checkRange, F2iError, type PackStore, throwIfAborted } from '@fmri2image/core';
import { ioError } from './files.ts';

/**
 * A file that packed responses are written to and read from (`packRecording`). It is made where it is missing, and stays
 * open until `close()`.
 *
 * @throws IO
 */
export async function packFile(path: string): Promise<PackStore> {
  const guarded = async <T>(doing: 'read' | 'write', work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw ioError(error, path, doing);
    }
  };
  // Opening for reading and writing alone fails where there is no file; 'a+' makes it, but would write at the end only.
  const handle: FileHandle = await guarded('write', async () => {
    await (await open(path, 'a')).close();
    return open(path, 'r+');
  });
  let isOpen = true;
  const size = async () => (await handle.stat()).size;
  return {
    name: path,
    size: () => guarded('read', size),
    read: (offset, length, signal) =>
      guarded('read', async () => {
        throwIfAborted(signal, `reading ${path}`);
        checkRange({ name: path, size: await size() }, offset, length);
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length; ) {
          const { bytesRead } = await handle.read(bytes, at, Math.min(2 ** 30, length - at), offset + at);
          if (bytesRead === 0)
            throw new F2iError('IO', 'the file was cut short while it was read', { file: path });
          at += bytesRead;
        }
        return bytes;
      }),
    write: (offset, bytes) =>
      guarded('write', async () => {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await handle.write(
            bytes,
            at,
            Math.min(2 ** 30, bytes.length - at),
            offset + at,
          );
          at += bytesWritten;
        }
      }),
    sync: () => guarded('write', () => handle.datasync()),
    close() {
      if (isOpen) handle.close().catch(() => undefined);
      isOpen = false;
    },
  };
}
