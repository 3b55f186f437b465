import { F2iError } from '../../error.ts';
import { nextTurn, pacer } from '../pause.ts';
import { joinBytes, type Source } from '../source.ts';

/** Compressed bytes that go in at once: what comes out and waits is at most 1032 times as much, DEFLATE's most. */
const pieceBytes = 1 << 16;

/**
 * What a source holds, decompressed by the platform, in pieces. Checksums are verified as far as the format has them,
 * at its end. Of the source, no more is read than the pieces asked for need. Throws FORMAT, naming the file.
 */
export async function* decompress(
  source: Source,
  format: 'gzip' | 'deflate' | 'deflate-raw',
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = source.name;
  const breathe = pacer(signal, `reading ${file}`);
  const { readable, writable } = new DecompressionStream(format);
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

/** The first bytes that come, at least `length` of them, or all there are. */
export async function firstBytes(pieces: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const taken: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    taken.push(piece);
    size += piece.length;
    if (size >= length) break;
  }
  return joinBytes(taken);
}
