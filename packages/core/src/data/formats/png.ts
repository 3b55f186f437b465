import { zlibSync } from 'fflate';
import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { readAll, type Source } from '../source.ts';
import { crc32 } from './crc32.ts';
import { InflateError, Inflater } from './inflate.ts';

/**
 * PNG (W3C Recommendation, third edition): reading of all colour types, depths and interlacing; writing of 8 and 16
 * bits. Every chunk's CRC-32 and the Adler-32 of the pixels are checked. Colours are taken as they are stored: gamma
 * and profiles are not applied.
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

interface Content extends PngHeader {
  compressed: Uint8Array;
  palette: Uint8Array | undefined;
  transparency: Uint8Array | undefined;
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
const samplesOf: Record<PngHeader['colour'], number> = {
  grey: 1,
  rgb: 3,
  palette: 1,
  'grey and alpha': 2,
  'rgb and alpha': 4,
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

export function decodePng(bytes: Uint8Array, file: string): PngImage {
  const content = readChunks(bytes, file);
  const raw = inflatePixels(content, file);
  return toPicture(content, raw, file);
}

function fail(file: string, field: string, message: string, expected?: string, found?: string): never {
  throw new F2iError('FORMAT', message, { file, field, expected, found });
}

function headerOf(bytes: Uint8Array, file: string): PngHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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

function readChunks(bytes: Uint8Array, file: string): Content {
  if (!isPng(bytes)) fail(file, 'signature', 'not a PNG file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: PngHeader | undefined;
  let palette: Uint8Array | undefined;
  let transparency: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) fail(file, 'chunk', 'the file ends too early');
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) fail(file, 'chunk', `not a chunk at byte ${at}`);
    if (at + 12 + length > bytes.length) {
      fail(file, type, 'the chunk is longer than the file', `at most ${bytes.length - at - 12}`, `${length}`);
    }
    const crc = crc32(bytes.subarray(at + 4, at + 8 + length));
    if (crc !== view.getUint32(at + 8 + length))
      fail(file, type, 'the chunk is damaged: its CRC-32 is wrong');
    const body = bytes.subarray(at + 8, at + 8 + length);
    at += 12 + length;
    if ((header === undefined) !== (type === 'IHDR') || (type === 'IHDR' && length !== 13)) {
      fail(file, type, 'the first chunk, and only that, must be an IHDR of 13 bytes');
    }
    if (type === 'IHDR') header = headerOf(bytes, file);
    else if (type === 'PLTE') {
      if (palette || length % 3 !== 0 || length === 0 || length > 768) fail(file, type, 'malformed palette');
      palette = body;
    } else if (type === 'tRNS') transparency = body;
    else if (type === 'IDAT') data.push(body);
    else if (type === 'IEND') {
      if (at !== bytes.length) fail(file, type, 'bytes after the end of the picture');
      break;
    } else if (type[0] === type[0]!.toUpperCase()) fail(file, type, 'unknown critical chunk');
  }
  if (header!.colour === 'palette' && !palette) fail(file, 'PLTE', 'a palette picture without palette');
  const compressed = new Uint8Array(data.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of data) {
    compressed.set(part, end);
    end += part.length;
  }
  return { ...header!, compressed, palette, transparency };
}

function passesOf({ width, height, interlaced }: PngHeader) {
  if (!interlaced) return [{ x: 0, y: 0, dx: 1, dy: 1, width, height }];
  return passes
    .map(([x, y, dx, dy]) => ({
      x,
      y,
      dx,
      dy,
      width: Math.max(0, Math.ceil((width - x) / dx)),
      height: Math.max(0, Math.ceil((height - y) / dy)),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

const rowBytes = (width: number, bitsAPixel: number) => Math.ceil((width * bitsAPixel) / 8);

/** Undoes the zlib wrapper (RFC 1950): exactly as many bytes as the size of the picture asks for. */
function inflatePixels(content: Content, file: string): Uint8Array {
  const { compressed } = content;
  const bits = samplesOf[content.colour] * content.depth;
  const size = passesOf(content).reduce(
    (sum, pass) => sum + pass.height * (1 + rowBytes(pass.width, bits)),
    0,
  );
  // DEFLATE cannot expand more than 1032 times.
  if (size > compressed.length * 1032) {
    fail(
      file,
      'IHDR',
      'the size is more than the data can hold',
      undefined,
      `${content.width} x ${content.height}`,
    );
  }
  const [method = 0, flags = 0] = compressed;
  if ((method & 15) !== 8 || method >> 4 > 7 || (method * 256 + flags) % 31 !== 0 || flags & 32) {
    fail(file, 'IDAT', 'malformed zlib header');
  }
  const raw = allocate('u8', size, file);
  const inflater = new Inflater(compressed, 2);
  let at = 0;
  try {
    for (let piece = inflater.next(); piece; piece = inflater.next()) {
      if (at + piece.length > size) fail(file, 'IDAT', 'more pixels than the header announces');
      raw.set(piece, at);
      at += piece.length;
    }
  } catch (error) {
    if (error instanceof InflateError) fail(file, 'IDAT', error.message);
    throw error;
  }
  if (at !== size) fail(file, 'IDAT', 'fewer pixels than the header announces', `${size} bytes`, `${at}`);
  const end = inflater.end;
  if (end + 4 !== compressed.length) fail(file, 'IDAT', 'the checksum is missing, or bytes follow it');
  const stored = new DataView(compressed.buffer, compressed.byteOffset + end, 4).getUint32(0);
  if (stored !== adler32(raw)) fail(file, 'IDAT', 'the pixels are damaged: their Adler-32 is wrong');
  return raw;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length; ) {
    // 5552 bytes are the most before b could overflow 32 bits (RFC 1950).
    for (const end = Math.min(i + 5552, bytes.length); i < end; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

function toPicture(content: Content, raw: Uint8Array, file: string): PngImage {
  const { width, height, depth, colour, palette, transparency } = content;
  const samples = samplesOf[colour];
  const bits = samples * depth;
  const stride = Math.max(1, bits >> 3);
  const key = transparency && colour !== 'palette' ? transparentKey(transparency, colour, file) : undefined;
  const alpha = key !== undefined || (colour === 'palette' && transparency !== undefined);
  const channels = (colour === 'palette' ? 3 : samples) + (alpha ? 1 : 0);
  const data = allocate('f32', width * height * channels, file);
  const top = 2 ** depth - 1;
  let at = 0;
  const sample = (row: Uint8Array, index: number): number => {
    if (depth === 8) return row[index]!;
    if (depth === 16) return row[2 * index]! * 256 + row[2 * index + 1]!;
    const bit = index * depth;
    return (row[bit >> 3]! >> (8 - depth - (bit & 7))) & top;
  };
  for (const pass of passesOf(content)) {
    const length = rowBytes(pass.width, bits);
    let above: Uint8Array = new Uint8Array(length);
    for (let y = 0; y < pass.height; y++) {
      const row = raw.subarray(at + 1, at + 1 + length);
      unfilter(raw[at]!, row, above, stride, file);
      at += 1 + length;
      above = row;
      for (let x = 0; x < pass.width; x++) {
        let out = ((pass.y + y * pass.dy) * width + pass.x + x * pass.dx) * channels;
        if (colour === 'palette') {
          const index = sample(row, x);
          if (index * 3 >= palette!.length)
            fail(file, 'IDAT', 'a pixel beyond the palette', undefined, `${index}`);
          for (let k = 0; k < 3; k++) data[out++] = palette![3 * index + k]! / 255;
          if (alpha) data[out] = (transparency![index] ?? 255) / 255;
          continue;
        }
        let isKey = true;
        for (let k = 0; k < samples; k++) {
          const value = sample(row, x * samples + k);
          if (value !== key?.[k]) isKey = false;
          data[out++] = value / top;
        }
        if (key) data[out] = isKey ? 0 : 1;
      }
    }
  }
  return { width, height, channels: channels as PngImage['channels'], data };
}

/** The one colour that counts as transparent. */
function transparentKey(transparency: Uint8Array, colour: PngHeader['colour'], file: string): number[] {
  const samples = samplesOf[colour];
  if (colour.endsWith('alpha') || transparency.length !== 2 * samples)
    fail(file, 'tRNS', 'malformed transparency');
  return Array.from({ length: samples }, (_, k) => transparency[2 * k]! * 256 + transparency[2 * k + 1]!);
}

/** Undoes a row's filter in place (PNG, section 9). */
function unfilter(type: number, row: Uint8Array, above: Uint8Array, stride: number, file: string): void {
  if (type === 0) return;
  if (type > 4) fail(file, 'IDAT', 'unknown filter of a row', '0 to 4', `${type}`);
  for (let i = 0; i < row.length; i++) {
    const left = i >= stride ? row[i - stride]! : 0;
    const up = above[i]!;
    let prediction: number;
    if (type === 1) prediction = left;
    else if (type === 2) prediction = up;
    else if (type === 3) prediction = (left + up) >> 1;
    else {
      const corner = i >= stride ? above[i - stride]! : 0;
      const estimate = left + up - corner;
      const toLeft = Math.abs(estimate - left);
      const toUp = Math.abs(estimate - up);
      const toCorner = Math.abs(estimate - corner);
      prediction = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }
    row[i] = row[i]! + prediction;
  }
}

const colourTypes = { 1: 0, 2: 4, 3: 2, 4: 6 } as const;

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
    !(channels in colourTypes)
  ) {
    throw new F2iError('INVALID_ARGUMENT', 'not a picture', {
      expected: 'data of height x width x 1 to 4 channels',
      found: `${data.length} values for ${height} x ${width} x ${channels}`,
    });
  }
  const top = 2 ** depth - 1;
  const samples = width * channels;
  const length = (samples * depth) / 8;
  const raw = new Uint8Array(height * (1 + length));
  for (let y = 0; y < height; y++) {
    const row = raw.subarray(y * (1 + length) + 1, (y + 1) * (1 + length));
    for (let i = 0; i < samples; i++) {
      const value = data[y * samples + i]!;
      if (Number.isNaN(value)) {
        throw new F2iError('INVALID_ARGUMENT', 'a pixel is not a number', { field: `row ${y}, sample ${i}` });
      }
      const level = Math.round(Math.min(1, Math.max(0, value)) * top);
      if (depth === 8) row[i] = level;
      else row.set([level >> 8, level & 255], 2 * i);
    }
    // Each row's differences to its left neighbour: smooth pictures become about half as large.
    const stride = (channels * depth) / 8;
    for (let i = length - 1; i >= stride; i--) row[i] = row[i]! - row[i - stride]!;
    raw[y * (1 + length)] = 1;
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, colourTypes[channels], 0, 0, 0], 8);
  const chunks = [chunk('IHDR', header), chunk('IDAT', zlibSync(raw)), chunk('IEND', new Uint8Array(0))];
  const bytes = new Uint8Array(8 + chunks.reduce((sum, part) => sum + part.length, 0));
  bytes.set(signature);
  let at = 8;
  for (const part of chunks) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let k = 0; k < 4; k++) bytes[4 + k] = type.charCodeAt(k);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}
