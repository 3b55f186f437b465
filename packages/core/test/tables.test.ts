import { describe, expect, it } from 'vitest';
import {
  createRandom,
  distanceBucket,
  relativePositionBuckets,
  resizePillow,
  resizeTaps,
  rotaryFrequencies,
  rotaryTables,
  timestepEmbedding,
} from '../src/index.ts';

describe('timestep embeddings', () => {
  it('hold unit vectors of each frequency, from 1 down to one over the period', () => {
    const dim = 12;
    for (const order of ['cos-sin', 'sin-cos'] as const) {
      const table = timestepEmbedding([0, 3.5], { dim, order });
      const half = dim / 2;
      for (let i = 0; i < dim; i++) expect(table[i]).toBe(Number(i < half === (order === 'cos-sin')));
      for (let i = 0; i < half; i++) {
        const frequency = 10000 ** (-i / (order === 'cos-sin' ? half : half - 1));
        const [first, second] = [table[dim + i]!, table[dim + half + i]!];
        const [cos, sin] = order === 'cos-sin' ? [first, second] : [second, first];
        expect(Math.cos(3.5 * frequency)).toBeCloseTo(cos, 12);
        expect(Math.sin(3.5 * frequency)).toBeCloseTo(sin, 12);
      }
    }
  });

  it('refuse a length without two halves', () => {
    expect(() => timestepEmbedding([1], { dim: 7, order: 'cos-sin' })).toThrow(/dim: not a length.*found 7/);
    expect(() => timestepEmbedding([1], { dim: 2, order: 'sin-cos' })).toThrow(/dim: not a length/);
  });
});

describe('rotary tables', () => {
  it('turn by position times frequency, from any position on', () => {
    const frequencies = rotaryFrequencies(10, 100);
    expect(frequencies[0]).toBe(1);
    expect(frequencies[4]).toBe(Math.fround(100 ** -0.8));
    const whole = rotaryTables(9, frequencies);
    const end = rotaryTables([6, 7, 8], frequencies);
    expect(end.cos).toEqual(whole.cos.slice(6 * 5));
    expect(end.sin).toEqual(whole.sin.slice(6 * 5));
    expect(whole.sin[7 * 5 + 2]).toBe(Math.sin(7 * frequencies[2]!));
    expect(() => rotaryFrequencies(7)).toThrow(/even/);
  });
});

describe('buckets of distances', () => {
  it('are exact near by, logarithmic further out, and 0 for all keys behind the query', () => {
    const bucket = (distance: number) => distanceBucket(distance);
    expect([-40, -1, 0, 1, 15].map(bucket)).toEqual([0, 0, 0, 1, 15]);
    // 16 of the 32 buckets for the three doublings from 16 to 128.
    expect([16, 18, 19, 32, 64, 127, 128, 5000].map(bucket)).toEqual([16, 16, 17, 21, 26, 31, 31, 31]);
    for (let d = 1; d < 300; d++) expect(bucket(d)).toBeGreaterThanOrEqual(bucket(d - 1));
  });

  it('give each direction half of them when both count', () => {
    const both = { bidirectional: true };
    expect([-1, 0, 1, 7, -7].map((d) => distanceBucket(d, both))).toEqual([17, 0, 1, 7, 23]);
    for (let d = 1; d < 300; d++) expect(distanceBucket(-d, both)).toBe(16 + distanceBucket(d, both));
    expect(distanceBucket(1000, both)).toBe(15);
  });

  it('lie as attention adds them, and later queries alone are the later rows', () => {
    const whole = relativePositionBuckets(7, 8);
    const rows = relativePositionBuckets(3, 8, { firstQuery: 4 });
    expect(Array.from(whole.buckets.slice(4 * 8))).toEqual(Array.from(rows.buckets));
    // Query 5 and key 2: with a null key before the keys, key 2 is the second real one.
    expect(whole.buckets[5 * 8 + 2]).toBe(3);
  });

  it('refuse a division that is none', () => {
    expect(() => distanceBucket(3, { buckets: 1 })).toThrow(/not a division into buckets/);
    expect(() => distanceBucket(3, { buckets: 32, maxDistance: 16 })).toThrow(/found 32 buckets/);
  });
});

describe('taps of resizing', () => {
  const modes = [
    ['nearest', false],
    ['bilinear', false],
    ['bilinear', true],
    ['bicubic', false],
    ['bicubic', true],
    ['lanczos', true],
  ] as const;

  it.each(modes)('%s, antialias %s: stay inside and sum to 1', (mode, antialias) => {
    for (const [from, to] of [
      [1, 1],
      [1, 9],
      [2, 7],
      [9, 1],
      [31, 12],
      [12, 31],
      [256, 425],
    ] as const) {
      const { count, first, weights } = resizeTaps(from, to, mode, antialias);
      expect(weights).toHaveLength(to * count);
      for (let i = 0; i < to; i++) {
        expect(first[i]).toBeGreaterThanOrEqual(0);
        expect(first[i]! + count).toBeLessThanOrEqual(from);
        const sum = weights.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo(1, 12);
      }
    }
  });

  it.each(modes)('%s, antialias %s: keep a picture of the same size', (mode, antialias) => {
    const { count, first, weights } = resizeTaps(13, 13, mode, antialias);
    for (let i = 0; i < 13; i++) {
      for (let t = 0; t < count; t++) {
        expect(weights[i * count + t]).toBeCloseTo(Number(first[i]! + t === i), 12);
      }
    }
  });
});

describe('resizing as Pillow does', () => {
  const random = createRandom(3);
  const data = Uint8Array.from({ length: 11 * 7 * 3 }, () => random.integer(256));
  const picture = { height: 11, width: 7, channels: 3, data };

  it('stays within the rounding of the same filter in float64, twice rounded', () => {
    for (const filter of ['bilinear', 'bicubic', 'lanczos'] as const) {
      const result = resizePillow(picture, 5, 19, filter);
      const rows = resizeTaps(11, 5, filter, true);
      const cols = resizeTaps(7, 19, filter, true);
      result.data.forEach((value, index) => {
        const [c, j, i] = [index % 3, Math.floor(index / 3) % 19, Math.floor(index / 57)];
        let sum = 0;
        for (let p = 0; p < rows.count; p++) {
          let inner = 0;
          for (let q = 0; q < cols.count; q++) {
            const pixel = data[((rows.first[i]! + p) * 7 + cols.first[j]! + q) * 3 + c]!;
            inner += cols.weights[j * cols.count + q]! * pixel;
          }
          sum += rows.weights[i * rows.count + p]! * Math.min(255, Math.max(0, inner));
        }
        expect(Math.abs(value - Math.min(255, Math.max(0, sum)))).toBeLessThan(1.5);
      });
    }
  });

  it('copies a picture of the same size', () => {
    const same = resizePillow(picture, 11, 7, 'lanczos');
    expect(same.data).toEqual(data);
    expect(same.data).not.toBe(data);
  });

  it('refuses extents that do not fit', () => {
    expect(() => resizePillow({ ...picture, width: 8 }, 5, 5, 'bicubic')).toThrow(/11 x 8 x 3 bytes/);
    expect(() => resizePillow(picture, 0, 5, 'bicubic')).toThrow(/not a size of a picture/);
  });
});
