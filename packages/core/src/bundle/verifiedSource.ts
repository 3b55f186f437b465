import { checkRange, joinBytes, type Source } from '../data/source.ts';
import type { LoadProgress } from '../decoders/loaded.ts';
import { F2iError } from '../error.ts';
import { CHUNK_BYTES, sha256 } from './hash.ts';

/** A file whose bytes are checked as they are read. */
export interface VerifiedSource extends Source {
  /** Checks the chunks of a range, and keeps none of them. */
  verify(offset: number, length: number, signal?: AbortSignal): Promise<void>;
  /** Checks what has not been read. */
  complete(signal?: AbortSignal): Promise<void>;
  /** Lets go of the chunk that was read last. */
  release(): void;
}

/** Bytes that are asked for at once: often enough to show that something happens. */
const PIECE_BYTES = 8 * 2 ** 20;

/** Ranges of fewer bytes are not worth a chunk in memory. */
const SMALL_BYTES = 2 ** 20;

/**
 * The file behind `source`, whose bytes are handed out only when the checksum of their chunk holds. The chunk that was read
 * last is kept, for files are read from front to back: what is used is what was checked, even if the file changes meanwhile.
 *
 * Of a file of several chunks, a small range that is in no kept chunk is read by itself after `source` has digested its
 * chunk, so that a model whose large matrices are mapped never takes 64 MiB for a bias. As with what is mapped, the file must
 * not change then: a source on disk notices a changed file by its identity (size and times), not by its bytes.
 *
 * @throws FORMAT, naming the chunk, unless the file has exactly the announced bytes
 */
export function verifiedSource(
  source: Source,
  declared: { bytes: number; sha256: readonly string[] },
  onProgress?: (progress: LoadProgress) => void,
): VerifiedSource {
  const { name, size, path } = source;
  if (size !== declared.bytes) {
    throw new F2iError('FORMAT', 'the file does not have the size that model.json states', {
      file: name,
      expected: `${declared.bytes} bytes`,
      found: `${size}`,
    });
  }
  const seen = new Set<number>();
  const done = { read: 0, verify: 0 };
  let kept: { index: number; bytes: Uint8Array } | undefined;

  const advance = (phase: 'read' | 'verify', bytes: number) => {
    done[phase] += bytes;
    onProgress?.({ phase, done: done[phase], total: size });
  };

  async function chunk(index: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (kept?.index === index) return kept.bytes;
    const start = index * CHUNK_BYTES;
    const end = Math.min(start + CHUNK_BYTES, size);
    const first = !seen.has(index);
    let bytes: Uint8Array = new Uint8Array(0);
    for (let at = start; at === start || at < end; at += PIECE_BYTES) {
      const piece = await source.read(at, Math.min(PIECE_BYTES, end - at), signal);
      if (first) advance('read', piece.length);
      if (at === start) bytes = piece.length === end - start ? piece : new Uint8Array(end - start);
      if (bytes !== piece) bytes.set(piece, at - start);
    }
    check(index, await sha256(bytes));
    kept = { index, bytes };
    return bytes;
  }

  /** Takes note of a chunk whose checksum holds. */
  function check(index: number, found: string): void {
    const start = index * CHUNK_BYTES;
    const end = Math.min(start + CHUNK_BYTES, size);
    if (found !== declared.sha256[index]) {
      throw new F2iError('FORMAT', 'the file is damaged: its checksum differs', {
        file: name,
        field: `bytes ${start} to ${end}`,
        expected: `SHA-256 ${declared.sha256[index]}`,
        found,
      });
    }
    if (!seen.has(index)) advance('verify', end - start);
    seen.add(index);
  }

  /** The same, without its bytes in memory where the source can do that. */
  async function verifyChunk(index: number, signal: AbortSignal | undefined): Promise<void> {
    if (seen.has(index)) return;
    const start = index * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, size - start);
    if (!source.digest) return void (await chunk(index, signal));
    const found = await source.digest(start, length, signal);
    advance('read', length);
    check(index, found);
  }

  /** A range within a chunk. */
  async function part(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const index = Math.floor(offset / CHUNK_BYTES);
    const isKept = kept?.index === index;
    if (!isKept && source.digest && length < SMALL_BYTES && size > CHUNK_BYTES) {
      await verifyChunk(index, signal);
      return source.read(offset, length, signal);
    }
    const within = offset - index * CHUNK_BYTES;
    return (await chunk(index, signal)).subarray(within, within + length);
  }

  return {
    name,
    size,
    path,
    async verify(offset, length, signal) {
      checkRange(source, offset, length);
      const last = Math.ceil((offset + length) / CHUNK_BYTES);
      for (let i = Math.floor(offset / CHUNK_BYTES); i < last; i++) await verifyChunk(i, signal);
    },
    async read(offset, length, signal) {
      checkRange(source, offset, length);
      if (length === 0) return new Uint8Array(0);
      const all: Uint8Array[] = [];
      for (let at = offset; at < offset + length; ) {
        const end = Math.min(offset + length, (Math.floor(at / CHUNK_BYTES) + 1) * CHUNK_BYTES);
        all.push(await part(at, end - at, signal));
        at = end;
      }
      return all.length === 1 ? all[0]! : joinBytes(all);
    },
    async complete(signal) {
      for (const index of declared.sha256.keys()) await verifyChunk(index, signal);
    },
    release() {
      kept = undefined;
    },
  };
}
