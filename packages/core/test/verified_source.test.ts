import { expect, it } from 'vitest';
import { CHUNK_BYTES } from '../src/bundle/hash.ts';
import { verifiedSource } from '../src/bundle/verifiedSource.ts';
import type { Source } from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';

const SIZE = 2 * CHUNK_BYTES + 1000;
const sha256 = ['first', 'second', 'third'];

/** A large file that is never in memory, and what was asked of it. */
function large(digests: readonly string[] = sha256) {
  const asked = { digested: [] as number[], read: 0 };
  const source: Source = {
    name: 'weights',
    size: SIZE,
    async read(offset, length) {
      asked.read += length;
      return new Uint8Array(length).map((_, i) => (offset + i) % 251);
    },
    async digest(offset) {
      asked.digested.push(offset / CHUNK_BYTES);
      return digests[offset / CHUNK_BYTES]!;
    },
  };
  return { asked, verified: verifiedSource(source, { bytes: SIZE, sha256 }) };
}

it('small ranges of a large file are read alone, once their chunks were checked', async () => {
  const { asked, verified } = large();
  const start = CHUNK_BYTES - 3;
  const bytes = await verified.read(start, 8);
  expect([...bytes]).toEqual(Array.from({ length: 8 }, (_, i) => (start + i) % 251));
  await verified.read(CHUNK_BYTES + 100, 50);
  expect(asked).toEqual({ digested: [0, 1], read: 58 });
  await verified.complete();
  expect(asked).toEqual({ digested: [0, 1, 2], read: 58 });
});

it('nothing of a damaged chunk is handed out', async () => {
  const { asked, verified } = large(['first', 'another', 'third']);
  await verified.read(0, 8);
  const error = await errorOf(verified.read(CHUNK_BYTES - 4, 8));
  expect(error).toMatchObject({
    code: 'FORMAT',
    field: `bytes ${CHUNK_BYTES} to ${2 * CHUNK_BYTES}`,
    expected: 'SHA-256 second',
    found: 'another',
  });
  expect(asked.read).toBe(8 + 4);
});
