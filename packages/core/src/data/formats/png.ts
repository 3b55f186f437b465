import { convertIndexedToRgb, type DecodedPng, decode, encode } from 'fast-png';
import { Unzlib } from 'fflate';
import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { joinBytes, readAll, type Source } from '../source.ts';
import { viewOf } from './bytes.ts';

/**
 * PNG (W3C Recommendation, third edition), by fast-png: reading of all colour types and depths, interlaced from 8 bits
 * on; writing of 8 and 16 bits. What fast-png takes on trust is checked before: the order and length of the chunks, and
 * that the pixels are as many as the header announces. Colours are taken as they are stored: gamma and profiles are not
 * applied.
 */
export interface PngImage {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha. A palette counts as colours. */
  readonly channels: 1 | 2 | 3 | 4;
  /** [height, width, channels], row-major, 0 to 1. */
  readonly data: Float32Array;
}

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colour: 'grey' | 'rgb' | 'palette' | 'grey and alpha' | 'rgb and alpha';
  readonly interlaced: boolean;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Per colour type: its name, samples a pixel, allowed depths. */
const colours: Record<number, [PngHeader['colour'], number, number[]]> = {
  0: ['grey', 1, [1, 2, 4, 8, 16]],
  2: ['rgb', 3, [8, 16]],
  3: ['palette', 1, [1, 2, 4, 8]],
  4: ['grey and alpha', 2, [8, 16]],
  6: ['rgb and alpha', 4, [8, 16]],
};
/** Adam7: first column, first row, step in x, step in y of each pass. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Whether the bytes begin as a PNG file does. */
export function isPng(start: Uint8Array): boolean {
  return signature.every((byte, i) => start[i] === byte);
}

/** Reads the header alone. Throws FORMAT. */
export async function readPngHeader(source: Source, signal?: AbortSignal): Promise<PngHeader> {
  const head = await source.read(0, Math.min(33, source.size), signal);
  if (!isPng(head)) throw new F2iError('FORMAT', 'not a PNG file', { file: source.name, field: 'signature' });
  if (head.length < 33)
    throw new F2iError('FORMAT', 'the file ends too early', { file: source.name, field: 'IHDR' });
  return headerOf(head, source.name);
}

/** Reads a picture. Throws FORMAT when anything is damaged. */
export async function readPng(source: Source, signal?: AbortSignal): Promise<PngImage> {
  return decodePng(await readAll(source, signal), source.name);
}

/** Decodes a picture. Throws FORMAT when anything is damaged, UNSUPPORTED for interlacing of less than 8 bits. */
export function decodePng(bytes: Uint8Array, file: string): PngImage {
  const { header, essential, compressed } = readChunks(bytes, file);
  if (header.interlaced && header.depth < 8) {
    throw new F2iError('UNSUPPORTED', 'interlaced pictures of less than 8 bits are not read', {
      file,
      field: 'IHDR',
      found: `${header.depth} bits`,
    });
  }
  checkAmount(header, compressed, file);
  try {
    return toPicture(decode(essential, { checkCrc: true }), header, file);
  } catch (error) {
    throw error instanceof F2iError ? error : damage(file, error);
  }
}

function damage(file: string, cause: unknown, field?: string): F2iError {
  const found = cause instanceof Error ? cause.message : String(cause);
  return new F2iError('FORMAT', 'a damaged picture', { file, field, found, cause });
}

function fail(file: string, field: string, message: string, expected?: string, found?: string): never {
  throw new F2iError('FORMAT', message, { file, field, expected, found });
}

function headerOf(bytes: Uint8Array, file: string): PngHeader {
  const view = viewOf(bytes);
  const [depth, type, compression, filter, interlace] = bytes.subarray(24, 29) as unknown as number[];
  const colour = Object.hasOwn(colours, type!) ? colours[type!]! : undefined;
  if (!colour?.[2].includes(depth!)) {
    fail(file, 'IHDR', 'no such colour type and depth', undefined, `type ${type}, ${depth} bits`);
  }
  if (compression !== 0 || filter !== 0 || interlace! > 1)
    fail(file, 'IHDR', 'unknown compression or filter');
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  if (width < 1 || height < 1 || width > 0x7fffffff || height > 0x7fffffff) {
    fail(file, 'IHDR', 'impossible size', 'at least 1 x 1', `${width} x ${height}`);
  }
  return { width, height, depth: depth!, colour: colour![0], interlaced: interlace === 1 };
}

interface Chunks {
  readonly header: PngHeader;
  /** The file without profiles and texts, which may be anything and are not needed. */
  readonly essential: Uint8Array;
  /** The pixels, in zlib's format. */
  readonly compressed: Uint8Array;
}

/** Checks that the chunks fill the file, and which there are; their CRC-32 is for fast-png to check. */
function readChunks(bytes: Uint8Array, file: string): Chunks {
  if (!isPng(bytes)) fail(file, 'signature', 'not a PNG file');
  const view = viewOf(bytes);
  const essential = [bytes.subarray(0, 8)];
  const compressed: Uint8Array[] = [];
  const seen = new Set<string>();
  let header: PngHeader | undefined;
  for (let at = 8; !seen.has('IEND'); ) {
    if (at + 12 > bytes.length) fail(file, 'chunk', 'the file ends too early');
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) fail(file, 'chunk', `not a chunk at byte ${at}`);
    if (at + 12 + length > bytes.length) {
      fail(file, type, 'the chunk is longer than the file', `at most ${bytes.length - at - 12}`, `${length}`);
    }
    if (!header && (type !== 'IHDR' || length !== 13)) {
      fail(file, type, 'the first chunk must be an IHDR of 13 bytes');
    }
    header ??= headerOf(bytes, file);
    if (/^[A-Z]/.test(type) && !['IHDR', 'PLTE', 'IDAT', 'IEND'].includes(type)) {
      fail(file, type, 'unknown critical chunk');
    }
    if (seen.has(type) && ['IHDR', 'PLTE', 'tRNS'].includes(type)) fail(file, type, 'the chunk occurs twice');
    if (type === 'PLTE' && (length === 0 || length > 768)) fail(file, type, 'malformed palette');
    seen.add(type);
    if (type === 'IDAT') compressed.push(bytes.subarray(at + 8, at + 8 + length));
    if (type !== 'iCCP' && type !== 'tEXt') essential.push(bytes.subarray(at, at + 12 + length));
    at += 12 + length;
    if (type === 'IEND' && at !== bytes.length) fail(file, type, 'bytes after the end of the picture');
  }
  if (header!.colour === 'palette' && !seen.has('PLTE')) {
    fail(file, 'PLTE', 'a palette picture without palette');
  }
  return { header: header!, essential: joinBytes(essential), compressed: joinBytes(compressed) };
}

/** Bytes of the pixels before compression: each row of each pass, with its filter. */
function rawSize({ width, height, depth, colour, interlaced }: PngHeader): number {
  const [, samples] = Object.values(colours).find(([name]) => name === colour)!;
  let size = 0;
  for (const [x, y, dx, dy] of interlaced ? passes : [[0, 0, 1, 1]]) {
    const columns = Math.max(0, Math.ceil((width - x!) / dx!));
    const rows = Math.max(0, Math.ceil((height - y!) / dy!));
    if (columns > 0) size += rows * (1 + Math.ceil((columns * samples * depth) / 8));
  }
  return size;
}

/** Compressed bytes that are inflated at once: at most 1032 times as many come out. */
const pieceBytes = 1 << 14;

/** Inflates the pixels to count them, and stops at one too many: fast-png would take them all. */
function checkAmount(header: PngHeader, compressed: Uint8Array, file: string): void {
  const size = rawSize(header);
  if (size > compressed.length * 1032) {
    const found = `${header.width} x ${header.height}`;
    fail(file, 'IHDR', 'the size is more than the data can hold', undefined, found);
  }
  let count = 0;
  const inflater = new Unzlib((piece) => {
    count += piece.length;
    if (count > size) fail(file, 'IDAT', 'more pixels than the header announces', `${size} bytes`);
  });
  try {
    for (let at = 0; at < compressed.length; at += pieceBytes) {
      inflater.push(compressed.subarray(at, at + pieceBytes), at + pieceBytes >= compressed.length);
    }
  } catch (error) {
    throw error instanceof F2iError ? error : damage(file, error, 'IDAT');
  }
  if (count < size) {
    fail(file, 'IDAT', 'fewer pixels than the header announces', `${size} bytes`, `${count}`);
  }
}

/** What fast-png decoded, as colours and alpha from 0 to 1. */
function toPicture(decoded: DecodedPng, { width, height, colour, depth }: PngHeader, file: string): PngImage {
  const { palette, transparency } = decoded;
  let { data, channels } = decoded;
  let top = 2 ** depth - 1;
  if (colour === 'palette') {
    data = convertIndexedToRgb(decoded);
    channels = palette![0]!.length;
    top = 255;
  } else if (depth < 8) {
    // fast-png leaves the samples packed. Each stands for itself, as in a palette of all of them.
    data = convertIndexedToRgb({ ...decoded, palette: Array.from({ length: top + 1 }, (_, grey) => [grey]) });
  }
  const pixels = width * height;
  if (data.length !== pixels * channels || (transparency && transparency.length !== channels)) {
    fail(file, transparency ? 'tRNS' : 'IDAT', 'malformed transparency or pixels');
  }
  // The one colour that counts as transparent, if any, becomes an alpha channel.
  const outChannels = transparency ? channels + 1 : channels;
  const values = allocate('f32', pixels * outChannels, file);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let isKey = true;
    for (let k = 0; k < channels; k++) {
      const value = data[pixel * channels + k]!;
      values[pixel * outChannels + k] = value / top;
      if (value !== transparency?.[k]) isKey = false;
    }
    if (transparency) values[pixel * outChannels + channels] = isKey ? 0 : 1;
  }
  return { width, height, channels: outChannels as PngImage['channels'], data: values };
}

/**
 * The bytes of a PNG file. Values are clipped to 0..1 and rounded; NaN is INVALID_ARGUMENT.
 *
 * @param depth bits a sample
 */
export function encodePng(picture: PngImage, { depth = 8 }: { depth?: 8 | 16 } = {}): Uint8Array {
  const { width, height, channels, data } = picture;
  if (
    !(width >= 1 && height >= 1) ||
    data.length !== width * height * channels ||
    ![1, 2, 3, 4].includes(channels)
  ) {
    throw new F2iError('INVALID_ARGUMENT', 'not a picture', {
      expected: 'data of height x width x 1 to 4 channels',
      found: `${data.length} values for ${height} x ${width} x ${channels}`,
    });
  }
  const top = 2 ** depth - 1;
  const levels = allocate(depth === 8 ? 'u8' : 'u16', data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (Number.isNaN(value)) {
      const samples = width * channels;
      const field = `row ${Math.floor(i / samples)}, sample ${i % samples}`;
      throw new F2iError('INVALID_ARGUMENT', 'a pixel is not a number', { field });
    }
    levels[i] = Math.round(Math.min(1, Math.max(0, value)) * top);
  }
  return encode({ width, height, channels, depth, data: levels }, { zlib: { level: 6 } });
}
