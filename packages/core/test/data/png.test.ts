import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource, createRandom, encodePng, type PngImage, readPng } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

function chunk(type: string, body: ArrayLike<number>): Buffer {
  const named = Buffer.concat([Buffer.from(type), Uint8Array.from(body)]);
  const out = Buffer.alloc(8);
  out.writeUInt32BE(body.length, 0);
  out.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([out.subarray(0, 4), named, out.subarray(4)]);
}
const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A file with the given filtered rows. */
function png(
  width: number,
  height: number,
  depth: number,
  type: number,
  raw: number[],
  { interlace = 0, extra = [] as Buffer[] } = {},
): Buffer {
  const header = [0, 0, 0, width, 0, 0, 0, height, depth, type, 0, 0, interlace];
  const data = deflateSync(Uint8Array.from(raw));
  return Buffer.concat([signature, chunk('IHDR', header), ...extra, chunk('IDAT', data), chunk('IEND', [])]);
}
const read = (bytes: Uint8Array) => readPng(bytesSource(bytes, 'p.png'));
const levels = async (bytes: Uint8Array, top: number) =>
  [...(await read(bytes)).data].map((x) => Math.round(x * top));

describe('PNG', () => {
  it.each([1, 2, 3, 4] as const)('round trip of %i channels, 8 and 16 bits', async (channels) => {
    const { uniform } = createRandom(3);
    for (const depth of [8, 16] as const) {
      const top = 2 ** depth - 1;
      const data = Float32Array.from({ length: 7 * 5 * channels }, () => Math.round(uniform() * top) / top);
      const picture: PngImage = { width: 7, height: 5, channels, data };
      expect(await read(encodePng(picture, { depth }))).toEqual(picture);
    }
  });

  it('clips, and refuses NaN', async () => {
    const picture: PngImage = { width: 3, height: 1, channels: 1, data: new Float32Array([-1, 0.5, 9]) };
    expect(await levels(encodePng(picture), 255)).toEqual([0, 128, 255]);
    picture.data[1] = Number.NaN;
    expect(() => encodePng(picture)).toThrow(/not a number/);
  });

  it('reads low depths', async () => {
    expect(await levels(png(10, 1, 1, 0, [0, 0b10110000, 0b01000000]), 1)).toEqual([
      1, 0, 1, 1, 0, 0, 0, 0, 0, 1,
    ]);
    expect(await levels(png(5, 1, 2, 0, [0, 0b00011011, 0b10000000]), 3)).toEqual([0, 1, 2, 3, 2]);
    expect(await levels(png(3, 1, 4, 0, [0, 0x0f, 0x70]), 15)).toEqual([0, 15, 7]);
    // Each row begins at a byte of its own.
    expect(await levels(png(3, 2, 1, 0, [0, 0b10100000, 0, 0b01000000]), 1)).toEqual([1, 0, 1, 0, 1, 0]);
  });

  it('undoes every filter', async () => {
    // The same rows, 10 20 40 and 11 22 44, filtered by hand; the second row by each filter.
    const first = [1, 10, 10, 20];
    const second = [
      [0, 11, 22, 44],
      [1, 11, 11, 22],
      [2, 1, 2, 4],
      [3, 6, 7, 13],
      [4, 1, 2, 4],
    ];
    for (const row of second) {
      expect(await levels(png(3, 2, 8, 0, [...first, ...row]), 255)).toEqual([10, 20, 40, 11, 22, 44]);
    }
  });

  it('reads palettes, and transparency as alpha', async () => {
    const palette = chunk('PLTE', [255, 0, 0, 0, 255, 0]);
    expect(await levels(png(2, 1, 1, 3, [0, 0b01000000], { extra: [palette] }), 255)).toEqual([
      255, 0, 0, 0, 255, 0,
    ]);
    const alpha = { extra: [palette, chunk('tRNS', [128])] };
    expect(await levels(png(2, 1, 8, 3, [0, 0, 1], alpha), 255)).toEqual([255, 0, 0, 128, 0, 255, 0, 255]);
    const key = { extra: [chunk('tRNS', [0, 7])] };
    expect(await levels(png(2, 1, 8, 0, [0, 7, 8], key), 255)).toEqual([7, 0, 8, 255]);
    const beyond = png(1, 1, 8, 3, [0, 2], { extra: [palette] });
    expect((await errorOf(read(beyond))).message).toMatch(/index of palette/);
  });

  it('reads interlaced pictures', async () => {
    // 3 x 3, Adam7: pass 1 has (0,0); pass 5 row 2 at even columns; pass 4 (2,0); 6 odd columns; 7 odd rows.
    const raw = [0, 1, 0, 3, 0, 7, 9, 0, 2, 0, 8, 0, 4, 5, 6];
    expect(await levels(png(3, 3, 8, 0, raw, { interlace: 1 }), 255)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('reads interlaced pictures of 16 bits, and says that it does not read those of fewer than 8', async () => {
    // 1 x 2: pass 1 has the first row, pass 7 the second.
    const raw = [0, 1, 2, 0, 3, 4];
    expect(await levels(png(1, 2, 16, 0, raw, { interlace: 1 }), 65535)).toEqual([258, 772]);
    const low = png(1, 2, 4, 0, [0, 0x10, 0, 0x20], { interlace: 1 });
    expect((await errorOf(read(low))).code).toBe('UNSUPPORTED');
  });

  it('does not unpack what it does not need', async () => {
    const profile = chunk('iCCP', [97, 0, 0, ...deflateSync(new Uint8Array(1_000_000)), 1, 2]);
    const text = chunk('tEXt', [0]);
    expect(await levels(png(2, 1, 8, 0, [0, 1, 2], { extra: [profile, text] }), 255)).toEqual([1, 2]);
  });

  it('stops at more pixels than announced', async () => {
    const bomb = png(1, 1, 8, 0, []);
    const many = chunk('IDAT', deflateSync(new Uint8Array(300_000_000)));
    const bytes = Buffer.concat([bomb.subarray(0, 33), many, chunk('IEND', [])]);
    expect((await errorOf(read(bytes))).message).toMatch(/more pixels/);
  });

  const whole = png(2, 1, 8, 0, [0, 1, 2]);
  const malformed: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /not a PNG/],
    [
      'a huge size',
      Buffer.concat([
        signature,
        chunk('IHDR', [127, 0, 0, 0, 127, 0, 0, 0, 8, 6, 0, 0, 0]),
        whole.subarray(33),
      ]),
      /more than the data can hold/,
    ],
    [
      'no pixels',
      Buffer.concat([signature, chunk('IHDR', [0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0]), whole.subarray(33)]),
      /impossible size/,
    ],
    ['an impossible depth', png(2, 1, 4, 2, [0, 1, 2]), /depth/],
    ['too few pixels', png(3, 1, 8, 0, [0, 1, 2]), /fewer pixels/],
    ['too many pixels', png(1, 1, 8, 0, [0, 1, 2]), /more pixels/],
    ['an unknown filter', png(2, 1, 8, 0, [5, 1, 2]), /filter/],
    ['no palette', png(2, 1, 8, 3, [0, 1, 2]), /without palette/],
    ['an unknown critical chunk', png(2, 1, 8, 0, [0, 1, 2], { extra: [chunk('XXXX', [])] }), /critical/],
    ['bytes after the end', Buffer.concat([whole, Buffer.from('x')]), /after the end/],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, message) => {
    expect(await errorOf(read(bytes))).toMatchObject({
      code: 'FORMAT',
      file: 'p.png',
      message: expect.stringMatching(message),
    });
  });

  it('notices every truncation and every flipped bit', async () => {
    const truth = (await read(whole)).data;
    for (let length = 0; length < whole.length; length++) {
      expect((await errorOf(read(whole.subarray(0, length)))).code).toBe('FORMAT');
    }
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = new Uint8Array(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const outcome = await read(flipped).catch((error) => error);
      if (outcome.data) expect(outcome.data).toEqual(truth);
      else expect(outcome.code).toBe('FORMAT');
    }
  });

  for (const [name, shape, mean] of [
    ['camera.png', [512, 512, 1], 129.0607],
    ['astronaut.png', [512, 512, 3], 114.599],
    ['coffee.png', [400, 600, 3], 98.61595],
    ['chelsea.png', [300, 451, 3], 115.3051],
  ] as const) {
    itWith('data')(`reads ${name}`, async () => {
      const picture = await readPng(await sharedSource(`images/${name}`));
      expect([picture.height, picture.width, picture.channels]).toEqual(shape);
      const total = picture.data.reduce((sum, x) => sum + x, 0);
      expect((255 * total) / picture.data.length).toBeCloseTo(mean, 3);
    });
  }
});
