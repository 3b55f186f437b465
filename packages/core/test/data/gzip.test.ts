import { constants, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource, createRandom, F2iError, gunzip, gunzipHead, type Source } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

const read = (bytes: Uint8Array, limit?: number) =>
  gunzip(bytesSource(bytes, 'x.gz'), limit === undefined ? {} : { limit });

/** Contents that exercise every kind of block: noise, text, long runs, far and near matches. */
function contents(): Uint8Array[] {
  const next = createRandom(11).uniform;
  const noise = Uint8Array.from({ length: 100_000 }, () => next() * 256);
  const letters = Uint8Array.from({ length: 300_000 }, () => 97 + next() * next() * 26);
  const far = new Uint8Array(200_000);
  far.set(noise.subarray(0, 32_768));
  for (let i = 32_768; i < far.length; i++) far[i] = far[i - 32_768]!;
  return [new Uint8Array(0), new Uint8Array([42]), noise, letters, new Uint8Array(1_000_000), far];
}

describe('gzip', () => {
  it('inverts zlib at every level and strategy', async () => {
    for (const data of contents()) {
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [
          constants.Z_DEFAULT_STRATEGY,
          constants.Z_FIXED,
          constants.Z_HUFFMAN_ONLY,
          constants.Z_RLE,
        ]) {
          const unpacked = await read(gzipSync(data, { level, strategy }));
          expect(Buffer.from(unpacked).equals(data)).toBe(true);
        }
      }
    }
  });

  it('reads members, names, padding', async () => {
    const hello = Buffer.from('hello ');
    const world = Buffer.from('world');
    const two = Buffer.concat([gzipSync(hello), gzipSync(world), new Uint8Array(20)]);
    expect(Buffer.from(await read(two)).toString()).toBe('hello world');
    // FNAME and FEXTRA, by hand.
    const plain = gzipSync(hello);
    const named = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 4 | 8, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7, 97, 0]),
      plain.subarray(10),
    ]);
    expect(Buffer.from(await read(named)).toString()).toBe('hello ');
  });

  it('rejects every truncation, and every flipped bit that changes the content', async () => {
    const data = Buffer.from('some text that repeats, some text that repeats, and then some more');
    const packed = gzipSync(data);
    for (let length = 0; length < packed.length; length++) {
      expect((await errorOf(read(packed.subarray(0, length)))).code).toBe('FORMAT');
    }
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const flipped = new Uint8Array(packed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const outcome = await read(flipped).catch((error) => error);
      if (outcome instanceof Uint8Array) {
        // Time and level of the header, and the bits that pad the last byte, are not protected.
        expect(Buffer.from(outcome).equals(data)).toBe(true);
      } else {
        expect(outcome.code).toBe('FORMAT');
        expect(outcome.file).toBe('x.gz');
      }
    }
  });

  it('names damage', async () => {
    const packed = gzipSync(Buffer.from('abc'));
    const place = { code: 'FORMAT', file: 'x.gz', field: 'compressed data' };
    // The last eight bytes: CRC-32, then size.
    for (const offset of [8, 4]) {
      const wrong = new Uint8Array(packed);
      wrong[wrong.length - offset]! ^= 1;
      expect(await errorOf(read(wrong))).toMatchObject({
        ...place,
        message: expect.stringMatching(/damaged/),
      });
    }
    const cut = await errorOf(read(packed.subarray(0, -3)));
    expect(cut).toMatchObject({ ...place, message: expect.stringMatching(/ends too early/) });
    const garbage = Buffer.concat([packed, Buffer.from('garbage after it')]);
    expect(await errorOf(read(garbage))).toMatchObject({
      ...place,
      message: expect.stringMatching(/other bytes follow/),
    });
  });

  /** A source that counts what is read of it, and fails from a place on. */
  function watched(bytes: Uint8Array, failsAt = Number.POSITIVE_INFINITY) {
    const inner = bytesSource(bytes, 'x.gz');
    const source: Source & { end: number } = {
      name: inner.name,
      size: inner.size,
      end: 0,
      async read(offset, length, signal) {
        if (offset + length > failsAt) throw new F2iError('IO', 'short read', { file: inner.name });
        source.end = Math.max(source.end, offset + length);
        return inner.read(offset, length, signal);
      },
    };
    return source;
  }

  it('reads no more of a large file than its head needs', async () => {
    const noise = contents()[2]!;
    const large = gzipSync(Buffer.concat(Array.from({ length: 80 }, () => noise)), { level: 0 });
    const source = watched(large);
    expect((await gunzipHead(source, 1024)).subarray(0, 1024)).toEqual(noise.subarray(0, 1024));
    expect(source.end).toBeLessThan(large.length / 4);
  });

  it('passes on what the medium says', async () => {
    const source = watched(gzipSync(Buffer.from(contents()[2]!)), 1);
    expect((await errorOf(gunzip(source))).code).toBe('IO');
  });

  it('stops at the limit', async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    const error = await errorOf(read(bomb, 1000));
    expect(error.message).toMatch(/at most 1000 bytes/);
  });

  it('is cancelled', async () => {
    const controller = new AbortController();
    const pending = gunzip(bytesSource(gzipSync(new Uint8Array(80_000_000)), 'x.gz'), {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 10);
    expect((await errorOf(pending)).code).toBe('CANCELLED');
  });
});
