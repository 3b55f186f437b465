import { closeSync, fstatSync, fsync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { checkWritten, F2iError, type MatrixSink, npyHeader, pacer } from '@fmri2image/core';
import { ioError } from './files.ts';

const flushed = promisify(fsync);
/** One write() of the operating system takes at most 2 GiB. */
const LARGEST_WRITE = 2 ** 30;

export interface NpySinkOptions {
  readonly rows: number;
  /** Axes of one row: [257, 768]; all of them multiplied are the columns. */
  readonly shape: readonly number[];
  /** `f32` by default; what is written is converted to it. */
  readonly dtype?: 'f32' | 'f64' | undefined;
  /** Go on with a file of the same type and shape that an earlier run left. Without it, an existing file is an error. */
  readonly resume?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface NpyFileSink extends MatrixSink {
  /** Waits until what was written is on the disk: before a checkpoint says that it is. */
  flush(): Promise<void>;
  /** Twice is fine. */
  close(): Promise<void>;
}

/**
 * An npy file [rows, ...shape] that is written by blocks of columns, each at its place. The file has its full size from the
 * beginning; places not yet written are zeros. It is a working file: give it its final name when it is complete.
 *
 * @throws IO naming the file: it exists, it is another array than the one to go on with, the disk is full
 */
export async function npyFileSink(path: string, options: NpySinkOptions): Promise<NpyFileSink> {
  const { rows, shape, dtype = 'f32', resume = false, signal } = options;
  const columns = shape.reduce((product, extent) => product * extent, 1);
  const size = dtype === 'f64' ? 8 : 4;
  const header = npyHeader(dtype, [rows, ...shape]);
  const total = header.length + rows * columns * size;
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw ioError(error, path, 'write');
    }
  };
  let handle = guarded(() => openSync(path, resume ? 'r+' : 'wx+'));
  try {
    guarded(() => (resume ? checkSame(handle) : begin(handle)));
  } catch (error) {
    closeSync(handle);
    throw error;
  }

  return {
    async write(from, to, values) {
      checkWritten({ name: path, rows, columns }, from, to, values);
      const same = values.BYTES_PER_ELEMENT === size;
      const block = same ? values : dtype === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
      const width = (to - from) * size;
      const breathe = pacer(signal, `writing ${path}`);
      // A block of all columns lies together in the file.
      const [pieces, bytes] = to - from === columns ? [1, rows * width] : [rows, width];
      for (let piece = 0; piece < pieces; piece++) {
        const all = new Uint8Array(block.buffer, block.byteOffset + piece * bytes, bytes);
        writeAll(all, header.length + (piece * columns + from) * size);
        await breathe();
      }
    },
    async flush() {
      await flushed(handle).catch((error) => {
        throw ioError(error, path, 'write');
      });
    },
    async close() {
      if (handle >= 0) guarded(() => closeSync(handle));
      handle = -1;
    },
  };

  function writeAll(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length; ) {
      at += guarded(() =>
        writeSync(handle, bytes, at, Math.min(LARGEST_WRITE, bytes.length - at), position + at),
      );
    }
  }

  function begin(file: number): void {
    writeSync(file, header, 0, header.length, 0);
    ftruncateSync(file, total);
  }

  function checkSame(file: number): void {
    const found = new Uint8Array(header.length);
    readSync(file, found, 0, found.length, 0);
    if (fstatSync(file).size === total && found.every((byte, i) => byte === header[i])) return;
    throw new F2iError('IO', 'not the file that an earlier run left: remove it to begin again', {
      file: path,
      expected: `an npy array of ${dtype} [${[rows, ...shape].join(', ')}]`,
      found: 'another array',
    });
  }
}
