import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { nextTurn, pacer } from '../pause.ts';
import type { Source } from '../source.ts';

/** Whether the bytes begin as a gzip file does. */
export function isGzip(start: Uint8Array): boolean {
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

/** Compressed bytes that go in at once: what comes out and waits is at most 1032 times as much, DEFLATE's most. */
const pieceBytes = 1 << 16;

/**
 * The content of a gzip file (RFC 1952) in pieces, by the platform's decompressor. It checks CRC-32 and size before the
 * stream counts as read: take what came before with care until the iteration has ended. Of the file, no more is read
 * than the pieces asked for need. Several members, one after another, are read by Node and refused by browsers; bytes
 * that are none are refused by both, but Node ends at a zero byte between members, for tapes pad with zeros. Throws
 * FORMAT, naming the file.
 */
export async function* gunzipPieces(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = source.name;
  const breathe = pacer(signal, `reading ${file}`);
  const { readable, writable } = new DecompressionStream('gzip');
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let at = 0;
  let isClosed = false;
  /** Puts the next piece of the file in. What the platform thinks of it shows where the content is read. */
  const feed = async (): Promise<void> => {
    const piece = await source.read(at, Math.min(pieceBytes, source.size - at), signal);
    at += piece.length;
    isClosed = piece.length === 0;
    await (isClosed ? writer.close() : writer.write(piece as Uint8Array<ArrayBuffer>)).catch(() => {});
  };
  let feeding: Promise<void> | undefined;
  try {
    for (;;) {
      let came = false;
      const next = reader.read();
      const settle = () => {
        came = true;
      };
      const coming = next.then(settle, settle);
      // Not every platform's stream holds its writer back: nothing goes in while something may still come out.
      while (!came) {
        await Promise.race([coming, feeding ?? nextTurn()]);
        if (came) break;
        if (feeding) feeding = undefined;
        else if (isClosed) await coming;
        else feeding = feed();
      }
      const { done, value } = await next.catch((error) => {
        throw damage(file, error);
      });
      if (done) return;
      yield value;
      await breathe();
    }
  } finally {
    await Promise.allSettled([feeding, reader.cancel(), writer.abort()]);
  }
}

/** What the platform found wrong. No two word it alike, so only a file that was cut short is told from the rest. */
function damage(file: string, cause: unknown): F2iError {
  const found = cause instanceof Error ? cause.message : String(cause);
  const isCut = /unexpected end|truncated/i.test(found);
  const message = isCut ? 'the file ends too early' : 'the data are damaged, or other bytes follow them';
  return new F2iError('FORMAT', message, { file, field: 'compressed data', found, cause });
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
export async function gunzipHead(source: Source, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  for await (const piece of gunzipPieces(source, signal)) {
    const grown = new Uint8Array(head.length + piece.length);
    grown.set(head);
    grown.set(piece, head.length);
    head = grown;
    if (head.length >= length) break;
  }
  return head;
}
