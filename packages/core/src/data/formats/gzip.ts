import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import type { Source } from '../source.ts';
import { decompress, firstBytes } from './decompress.ts';

/** Whether the bytes begin as a gzip file does. */
function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Whether a file is compressed, by its content. FORMAT when its name promises gzip and its content is not. */
export async function isGzipFile(source: Source, signal?: AbortSignal): Promise<boolean> {
  const start = await source.read(0, Math.min(2, source.size), signal);
  if (isGzip(start)) return true;
  if (!/\.gz$/i.test(source.name)) return false;
  const found = [...start].map((byte) => byte.toString(16).padStart(2, '0')).join(' ') || 'nothing';
  throw new F2iError('FORMAT', 'not a gzip file, which its name promises', {
    file: source.name,
    field: 'magic',
    expected: '1f 8b',
    found,
  });
}

/**
 * The content of a gzip file (RFC 1952) in pieces. CRC-32 and size are checked before the stream counts as read: take
 * what came before with care until the iteration has ended. Several members, one after another, are read by Node and
 * refused by browsers; bytes that are none are refused by both, but Node ends at a zero byte between members, for tapes
 * pad with zeros. Throws FORMAT, naming the file.
 */
export function gunzipPieces(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  return decompress(source, 'gzip', signal);
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

/** The first bytes of the content: at least `length`, or all there are. Unchecked, unless they are all. */
export function gunzipHead(source: Source, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  return firstBytes(gunzipPieces(source, signal), length);
}
