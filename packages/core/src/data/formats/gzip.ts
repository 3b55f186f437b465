import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import { readAll, type Source, sliceSource } from '../source.ts';
import { crc32 } from './crc32.ts';
import { InflateError, Inflater } from './inflate.ts';

/** Whether the bytes begin as a gzip file does. */
export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Whether a file is compressed, by its content. FORMAT when its name promises gzip and its content is not. */
export async function isGzipFile(source: Source, signal?: AbortSignal): Promise<boolean> {
  const start = await source.read(0, Math.min(2, source.size), signal);
  if (isGzip(start)) return true;
  if (!/\.gz$/i.test(source.name)) return false;
  const found = [...start].map((byte) => hex(byte, 2)).join(' ') || 'nothing';
  throw new F2iError('FORMAT', 'not a gzip file, which its name promises', {
    file: source.name,
    field: 'magic',
    expected: '1f 8b',
    found,
  });
}

/**
 * The content of a gzip file (RFC 1952) in pieces; each is valid until the next is asked for. Members may follow one
 * another, as `bgzip` and `cat` make them, and zeros may pad the end, as tapes do. Each member's CRC-32 and size are
 * checked before the stream counts as read: take what came before with care until the iteration has ended. Throws
 * FORMAT for anything else, naming the file.
 */
export async function* gunzipPieces(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = source.name;
  const input = await readAll(source, signal);
  const breathe = pacer(signal, `reading ${file}`);
  const fail = (field: string, message: string, expected?: string, found?: string): never => {
    throw new F2iError('FORMAT', message, { file, field, expected, found });
  };
  let at = 0;
  for (let member = 1; at < input.length || member === 1; member++) {
    if (member > 1 && input.subarray(at).every((byte) => byte === 0)) return;
    at = memberStart(input, at, member, fail);
    const inflater = new Inflater(input, at);
    let crc = 0;
    let size = 0;
    try {
      for (let piece = inflater.next(); piece; piece = inflater.next()) {
        crc = crc32(piece, crc);
        size += piece.length;
        yield piece;
        await breathe();
      }
    } catch (error) {
      if (error instanceof InflateError) fail('compressed data', error.message);
      throw error;
    }
    at = inflater.end;
    if (at + 8 > input.length) fail('trailer', 'the file ends too early', '8 bytes', `${input.length - at}`);
    const trailer = new DataView(input.buffer, input.byteOffset + at, 8);
    const storedCrc = trailer.getUint32(0, true);
    if (storedCrc !== crc) fail('CRC-32', 'the data are damaged', hex(storedCrc), hex(crc));
    const storedSize = trailer.getUint32(4, true);
    if (storedSize !== size % 2 ** 32) fail('size', 'the data are damaged', `${storedSize} bytes`, `${size}`);
    at += 8;
  }
}

type Fail = (field: string, message: string, expected?: string, found?: string) => never;

/** Checks a member's header; returns the first byte of its compressed data. */
function memberStart(input: Uint8Array, start: number, member: number, fail: Fail): number {
  let at = start;
  const need = (count: number): number => {
    if (at + count > input.length) fail('header', 'the file ends too early');
    at += count;
    return at - count;
  };
  const header = need(10);
  if (!isGzip(input.subarray(header))) {
    const found = `${hex(input[header]!, 2)} ${hex(input[header + 1]!, 2)}`;
    fail('magic', member === 1 ? 'not a gzip file' : 'garbage after the compressed data', '1f 8b', found);
  }
  if (input[header + 2] !== 8) fail('method', 'unknown compression', '8 (deflate)', `${input[header + 2]}`);
  const flags = input[header + 3]!;
  if (flags & 0xe0) fail('flags', 'reserved flags are set', '0', hex(flags, 2));
  if (flags & 4) {
    const length = need(2);
    need(input[length]! | (input[length + 1]! << 8));
  }
  // A name, then a comment, each ended by a zero byte.
  for (const flag of [8, 16]) {
    if (flags & flag) {
      const end = input.indexOf(0, at);
      if (end < 0) fail('header', 'the file ends too early');
      at = end + 1;
    }
  }
  if (flags & 2) {
    const found = crc32(input.subarray(header, at)) & 0xffff;
    const place = need(2);
    const stored = input[place]! | (input[place + 1]! << 8);
    if (stored !== found) fail('header CRC', 'the header is damaged', hex(stored, 4), hex(found, 4));
  }
  return at;
}

function hex(value: number, digits = 8): string {
  return value.toString(16).padStart(digits, '0');
}

/**
 * Everything that a gzip file holds, checked.
 *
 * @param limit most bytes that the content may have; FORMAT beyond it, before it is allocated
 */
export async function gunzip(
  source: Source,
  { limit = 2 ** 32 - 1, signal }: { limit?: number; signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  // Grown as data arrive: the size that the trailer states may lie.
  let out = allocate('u8', Math.min(limit, 8 * source.size + 64), source.name);
  let size = 0;
  for await (const piece of gunzipPieces(source, signal)) {
    if (size + piece.length > limit) {
      throw new F2iError('FORMAT', 'the file inflates to more than it may hold', {
        file: source.name,
        field: 'compressed data',
        expected: `at most ${limit} bytes`,
      });
    }
    if (size + piece.length > out.length) {
      const grown = allocate('u8', Math.min(limit, 2 * (size + piece.length)), source.name);
      grown.set(out.subarray(0, size));
      out = grown;
    }
    out.set(piece, size);
    size += piece.length;
  }
  return out.subarray(0, size);
}

/** Enough compressed bytes for the first piece of output. */
const headBytes = 1 << 18;

/**
 * The first bytes of the content: at least `length`, or all there are; unchecked, but where the whole file is small.
 * Of a large file, only the beginning is read, unless `length` needs more.
 */
export async function gunzipHead(source: Source, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  if (source.size > headBytes) {
    // The slice is cut off, so that only its first piece may be asked for.
    for await (const piece of gunzipPieces(sliceSource(source, 0, headBytes), signal)) {
      head = piece.slice();
      break;
    }
    if (head.length >= length) return head;
    head = new Uint8Array(0);
  }
  for await (const piece of gunzipPieces(source, signal)) {
    const grown = new Uint8Array(head.length + piece.length);
    grown.set(head);
    grown.set(piece, head.length);
    head = grown;
    if (head.length >= length) break;
  }
  return head;
}
