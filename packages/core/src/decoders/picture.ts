import { encodePng, type PngImage } from '../data/formats/png.ts';
import { F2iError, throwIfAborted } from '../error.ts';

/** The platform's `ImageData` where the types of a program know it, else an object of the same form. */
export type PictureImageData = typeof globalThis extends { ImageData: { prototype: infer Native } }
  ? Native
  : {
      readonly width: number;
      readonly height: number;
      /** RGBA, 8 bits each, the top row first. */
      readonly data: Uint8ClampedArray<ArrayBuffer>;
      readonly colorSpace: 'srgb';
    };

export interface PngOptions {
  /** Bits of a sample: 8 (default) or 16. */
  depth?: 8 | 16 | undefined;
}

export interface WritePngOptions extends PngOptions {
  /** Replace a file that is there; without it, USAGE. Paths only. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Where a browser saves: what `showSaveFilePicker()` and the private file system give. */
export interface FileHandleLike {
  createWritable(): Promise<WritableLike>;
}

/** The part of a WritableStream that is needed. */
export interface WritableLike {
  getWriter(): {
    write(chunk: Uint8Array): Promise<unknown>;
    close(): Promise<unknown>;
    abort(reason?: unknown): Promise<unknown>;
  };
}

/** A path or file: URL (in Node), a file handle or a stream. */
export type PngTarget = string | URL | FileHandleLike | WritableLike;

/** Writes a whole file under its name or nothing; what knows the file system hands it to pictures. */
export type WritePictureFile = (
  path: string | URL,
  bytes: Uint8Array,
  options: Pick<WritePngOptions, 'force' | 'signal'>,
) => Promise<void>;

/**
 * A picture of height x width x channels (1 grey, 3 RGB), row-major, the top row first, channels last. Values lie in
 * `range`, black to white.
 */
export class Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly data: Float32Array;
  readonly range: readonly [black: number, white: number];
  readonly #writeFile: WritePictureFile | undefined;

  /** @param writeFile what `writePng(path)` uses; pictures of a loaded decoder in Node have one */
  constructor(
    data: Float32Array,
    shape: readonly number[],
    range: readonly [number, number],
    writeFile?: WritePictureFile,
  ) {
    const [height = 0, width = 0, channels = 1] = shape;
    if (height * width * channels !== data.length || (channels !== 1 && channels !== 3)) {
      throw new F2iError('INVALID_ARGUMENT', 'values do not fill the picture', {
        field: 'shape',
        expected: `[height, width] or [height, width, 1 or 3] with ${data.length} values`,
        found: `[${shape.join(', ')}]`,
      });
    }
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.data = data;
    this.range = range;
    this.#writeFile = writeFile;
  }

  /** The same picture, the values not copied, that can be written to files. */
  withFiles(writeFile: WritePictureFile | undefined): Picture {
    return new Picture(this.data, [this.height, this.width, this.channels], this.range, writeFile);
  }

  /** Scaled so that black is 0 and white 1: what the PNG writer takes. */
  toPngImage(): PngImage {
    const [black, white] = this.range;
    const data = this.data.map((value) => (value - black) / (white - black));
    return { width: this.width, height: this.height, channels: this.channels, data };
  }

  /** Bytes of a PNG file. */
  toPng({ depth = 8 }: PngOptions = {}): Uint8Array {
    return encodePng(this.toPngImage(), { depth });
  }

  /**
   * Writes a PNG file. In Node to a path, which never shows a part of the file; in browsers to a file handle, or
   * a WritableStream, which is closed; without a target it is made a Blob.
   *
   * @example
   * await image.writePng('trial-3.png'); // Node
   * await image.writePng(await showSaveFilePicker()); // a browser
   * link.href = URL.createObjectURL(await image.writePng()); // a browser, for download
   * @throws IO if it cannot be written; USAGE for a file that is there, or for a path where there are no files
   */
  writePng(target?: undefined, options?: WritePngOptions): Promise<Blob>;
  writePng(target: PngTarget, options?: WritePngOptions): Promise<undefined>;
  async writePng(target?: PngTarget, options: WritePngOptions = {}): Promise<Blob | undefined> {
    throwIfAborted(options.signal, 'writing a picture');
    const bytes = this.toPng(options);
    if (target === undefined) return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'image/png' });
    if (typeof target === 'string' || target instanceof URL) {
      if (this.#writeFile) {
        await this.#writeFile(target, bytes, options);
        return undefined;
      }
      throw new F2iError('USAGE', 'this picture knows no file system', {
        field: 'target',
        expected: 'a file handle, a stream, or nothing for a Blob; in Node, a picture of a loaded decoder',
        found: `the path ${target}`,
      });
    }
    await writeTo(target, bytes, options.signal);
    return undefined;
  }

  /** For canvases: `context.putImageData(image.toImageData(), 0, 0)`. */
  toImageData(): PictureImageData {
    const { width, height } = this;
    const data = this.toRgba();
    const { ImageData } = globalThis as unknown as { ImageData?: ImageDataConstructor };
    const made = ImageData ? new ImageData(data, width, height) : { width, height, data, colorSpace: 'srgb' };
    return made as PictureImageData;
  }

  /** Eight-bit RGBA, opaque: what canvases and PNG encoders take. */
  toRgba(): Uint8ClampedArray<ArrayBuffer> {
    const { channels } = this;
    const { data } = this.toPngImage();
    const rgba = new Uint8ClampedArray(this.height * this.width * 4);
    for (let pixel = 0; pixel < this.height * this.width; pixel++) {
      for (let c = 0; c < 3; c++) {
        rgba[pixel * 4 + c] = 255 * data[pixel * channels + (channels === 3 ? c : 0)]!;
      }
      rgba[pixel * 4 + 3] = 255;
    }
    return rgba;
  }
}

type ImageDataConstructor = new (
  data: Uint8ClampedArray<ArrayBuffer>,
  width: number,
  height: number,
) => PictureImageData;

/** A stream that fails, or is aborted, keeps nothing: file handles then leave the file as it was. */
async function writeTo(
  target: FileHandleLike | WritableLike,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = target as Partial<FileHandleLike> & Partial<WritableLike>;
  if (typeof handle?.createWritable !== 'function' && typeof handle?.getWriter !== 'function') {
    throw new F2iError('INVALID_ARGUMENT', 'a picture cannot be written to this', {
      field: 'target',
      expected: 'a path (in Node), a file handle, a WritableStream, or nothing for a Blob',
      found: target === null ? 'null' : typeof target,
    });
  }
  try {
    const stream = handle.createWritable ? await handle.createWritable() : (target as WritableLike);
    const writer = stream.getWriter();
    try {
      await writer.write(bytes);
      throwIfAborted(signal, 'writing a picture');
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
      throw error;
    }
  } catch (cause) {
    if (cause instanceof F2iError) throw cause;
    throw new F2iError('IO', `the picture could not be written: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
