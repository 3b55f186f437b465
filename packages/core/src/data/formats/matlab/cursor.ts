import { F2iError } from '../../../error.ts';
import { joinBytes, type Source } from '../../source.ts';
import { decompress } from '../decompress.ts';

/** Bytes in turn. Positions count from the beginning of the content: of a file, or of what was compressed in it. */
export interface Cursor {
  readonly at: number;
  /** The next bytes; valid until the next call. Throws FORMAT where the content ends before. */
  take(length: number): Promise<Uint8Array>;
  skip(length: number): Promise<void>;
  /** Reads on to the end, where checksums are; throws FORMAT where that is not at `size`. */
  finish(size: number): Promise<void>;
  /** Lets go of what it holds; always to be called. */
  close(): Promise<void>;
}

/** Small parts lie close together: one read brings this many bytes. */
const WINDOW = 1 << 14;

/** A cursor over a source: what is skipped is not read. */
export function sourceCursor(source: Source, start: number, signal?: AbortSignal): Cursor {
  let held: Uint8Array = new Uint8Array(0);
  let heldAt = start;
  const cursor = {
    at: start,
    async take(length: number) {
      const inHeld = cursor.at - heldAt;
      if (inHeld < 0 || inHeld + length > held.length) {
        const size = Math.max(length, Math.min(WINDOW, source.size - cursor.at));
        held = await source.read(cursor.at, size, signal);
        heldAt = cursor.at;
      }
      const from = cursor.at - heldAt;
      cursor.at += length;
      return held.subarray(from, from + length);
    },
    async skip(length: number) {
      cursor.at += length;
    },
    async finish() {},
    async close() {},
  };
  return cursor;
}

/** A cursor over what a source holds compressed by zlib (RFC 1950); what is skipped is unpacked and dropped. */
export function inflatedCursor(source: Source, signal?: AbortSignal): Cursor {
  const pieces = decompress(source, 'deflate', signal);
  let piece: Uint8Array = new Uint8Array(0);
  /** Passes the next bytes on, piece by piece. */
  const pass = async (length: number, take: (bytes: Uint8Array) => void): Promise<void> => {
    for (let missing = length; missing > 0; ) {
      if (piece.length === 0) {
        const next = await pieces.next();
        if (next.done) {
          throw new F2iError('FORMAT', 'the compressed data end too early', {
            file: source.name,
            field: 'compressed data',
            expected: `${missing} bytes more after byte ${cursor.at}`,
          });
        }
        piece = next.value;
      }
      const part = piece.subarray(0, missing);
      take(part);
      piece = piece.subarray(part.length);
      missing -= part.length;
      cursor.at += part.length;
    }
  };
  const cursor = {
    at: 0,
    async take(length: number) {
      if (length <= piece.length) {
        const bytes = piece.subarray(0, length);
        piece = piece.subarray(length);
        cursor.at += length;
        return bytes;
      }
      const parts: Uint8Array[] = [];
      await pass(length, (part) => parts.push(part));
      return joinBytes(parts);
    },
    skip: (length: number) => pass(length, () => {}),
    async finish(size: number) {
      await cursor.skip(size - cursor.at);
      const rest = piece.length > 0 ? piece : (await pieces.next()).value;
      if (rest === undefined || rest.length === 0) return;
      throw new F2iError('FORMAT', 'more was compressed than the variable states', {
        file: source.name,
        field: 'compressed data',
        expected: `${size} bytes`,
      });
    },
    async close() {
      await pieces.return(undefined);
    },
  };
  return cursor;
}
