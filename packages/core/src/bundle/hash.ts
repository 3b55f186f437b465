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
