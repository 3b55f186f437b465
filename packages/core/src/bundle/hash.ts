import type { Source } from '../data/source.ts';
import { F2iError } from '../error.ts';

/** Large files are hashed in pieces of this size, so that a part can be checked as it is read. */
export const CHUNK_BYTES = 64 * 2 ** 20;

/** The part of the platform's cryptography that is needed; Node and every browser (on https) have it. */
const platform = globalThis as unknown as {
  crypto?: { subtle?: { digest(name: string, data: Uint8Array): Promise<ArrayBuffer> } };
};

/** SHA-256 as 64 lower-case hex digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const subtle = platform.crypto?.subtle;
  if (!subtle) {
    throw new F2iError('UNSUPPORTED', 'this page has no crypto.subtle: browsers give it to https pages only');
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Hashes of the successive chunks of a file. */
export async function chunkHashes(bytes: Uint8Array): Promise<string[]> {
  const hashes: string[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += CHUNK_BYTES) {
    hashes.push(await sha256(bytes.subarray(start, start + CHUNK_BYTES)));
  }
  return hashes;
}

/** Throws FORMAT, naming the chunk, unless the file has exactly the announced bytes. */
export async function verifyFile(
  source: Source,
  declared: { bytes: number; sha256: readonly string[] },
  signal?: AbortSignal,
): Promise<void> {
  if (source.size !== declared.bytes) {
    throw new F2iError('FORMAT', 'the file does not have the size that model.json states', {
      file: source.name,
      expected: `${declared.bytes} bytes`,
      found: `${source.size}`,
    });
  }
  for (const [index, expected] of declared.sha256.entries()) {
    const start = index * CHUNK_BYTES;
    const piece = await source.read(start, Math.min(CHUNK_BYTES, source.size - start), signal);
    const found = await sha256(piece);
    if (found !== expected) {
      throw new F2iError('FORMAT', 'the file is damaged: its checksum differs', {
        file: source.name,
        field: `bytes ${start} to ${start + piece.length}`,
        expected: `SHA-256 ${expected}`,
        found,
      });
    }
  }
}
