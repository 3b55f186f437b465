import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { InflateError, Inflater } from '../../src/data/formats/inflate.ts';
import { bytesSource, crc32, createRandom, gunzip } from '../../src/index.ts';
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

describe('inflate', () => {
  it('inverts zlib at every level and strategy', () => {
    for (const data of contents()) {
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [
          constants.Z_DEFAULT_STRATEGY,
          constants.Z_FIXED,
          constants.Z_HUFFMAN_ONLY,
          constants.Z_RLE,
        ]) {
          const packed = deflateRawSync(data, { level, strategy });
          const inflater = new Inflater(new Uint8Array([1, 2, 3, ...packed, 9, 9]), 3);
          const pieces: Uint8Array[] = [];
          for (let piece = inflater.next(); piece; piece = inflater.next()) pieces.push(piece.slice());
          expect(Buffer.concat(pieces).equals(data)).toBe(true);
          expect(inflater.end).toBe(3 + packed.length);
        }
      }
    }
  });

  it('rejects codes that zlib rejects', () => {
    const drain = (bytes: number[]) => () => {
      const inflater = new Inflater(new Uint8Array(bytes));
      while (inflater.next());
    };
    // The damaged streams of zlib's own test (test/infcover.c), by what they violate.
    expect(drain([0, 0, 0, 0, 0])).toThrow(/stored/);
    expect(drain([6])).toThrow(/unknown type/);
    expect(drain([0xfc, 0, 0])).toThrow(/too many codes/);
    expect(drain([4, 0, 0xfe, 0xff])).toThrow(InflateError);
    expect(drain([4, 0, 0x24, 0x49, 0])).toThrow(/repeat/);
    expect(drain([4, 0, 0x24, 0xe9, 0xff, 0xff])).toThrow(InflateError);
    expect(drain([4, 0, 0x24, 0xe9, 0xff, 0x6d])).toThrow(/without an end/);
    expect(drain([2, 0x7e, 0xff, 0xff])).toThrow(InflateError);
    expect(drain([0x0c, 0xc0, 0x81, 0, 0, 0, 0, 0, 0x90, 0xff, 0x6b, 0x4, 0])).toThrow(/distance beyond/);
  });
});

describe('gzip', () => {
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
    const crc = new Uint8Array(packed);
    crc[crc.length - 8]! ^= 1;
    expect((await errorOf(read(crc))).field).toBe('CRC-32');
    const garbage = Buffer.concat([packed, Buffer.from('garbage after it')]);
    expect((await errorOf(read(garbage))).message).toMatch(/garbage after/);
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

describe('crc32', () => {
  it('has the check value of its definition, in any pieces', () => {
    const bytes = new TextEncoder().encode('123456789123456789');
    expect(crc32(bytes.subarray(0, 9))).toBe(0xcbf43926);
    expect(crc32(bytes.subarray(11), crc32(bytes.subarray(0, 11)))).toBe(crc32(bytes));
  });
});
