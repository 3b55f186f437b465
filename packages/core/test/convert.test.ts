import { describe, expect, it } from 'vitest';
import {
  createRandom,
  fromBf16Bits,
  fromF16Bits,
  fromNumbers,
  roundTo,
  toBf16Bits,
  toF16Bits,
  toNumbers,
} from '../src/index.ts';

/** All finite numbers of a 16-bit format, ascending. */
function allOf(decode: (bits: number) => number, largestFinite: number): number[] {
  const positive = Array.from({ length: largestFinite + 1 }, (_, bits) => decode(bits));
  return [
    ...positive
      .slice(1)
      .reverse()
      .map((value) => -value),
    ...positive,
  ];
}

describe.each([
  { name: 'f16', encode: toF16Bits, decode: fromF16Bits, largest: 0x7bff, infinity: 0x7c00, max: 65504 },
  {
    name: 'bf16',
    encode: toBf16Bits,
    decode: fromBf16Bits,
    largest: 0x7f7f,
    infinity: 0x7f80,
    max: 3.3895313892515355e38,
  },
])('$name', ({ encode, decode, largest, infinity, max }) => {
  const numbers = allOf(decode, largest);

  it('decodes in ascending order, to the largest number of the format', () => {
    expect(numbers.every((value, i) => i === 0 || value > numbers[i - 1]!)).toBe(true);
    expect(numbers.at(-1)).toBe(max);
  });

  it('encodes each of its own numbers to its bits', () => {
    for (let bits = 0; bits <= largest; bits++) {
      expect(encode(decode(bits))).toBe(bits);
      expect(encode(-decode(bits))).toBe(bits + 0x8000);
    }
  });

  it('rounds to the nearest, and half-way to the even pattern', () => {
    const random = createRandom(5);
    for (let i = 0; i < 20_000; i++) {
      const bits = random.integer(largest);
      const [low, high] = [decode(bits), decode(bits + 1)];
      const middle = low + (high - low) / 2;
      expect(encode(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(encode(low + (high - low) * 0.499)).toBe(bits);
      expect(encode(low + (high - low) * 0.501)).toBe(bits + 1);
    }
  });

  it('knows infinity and NaN, and overflows half a step beyond the largest', () => {
    const step = decode(largest) - decode(largest - 1);
    expect([encode(Infinity), encode(-Infinity)]).toEqual([infinity, infinity + 0x8000]);
    expect(encode(max + step / 2)).toBe(infinity);
    expect(encode(max + step * 0.499)).toBe(largest);
    expect(decode(infinity + 0x8000)).toBe(-Infinity);
    expect(decode(encode(NaN))).toBeNaN();
    expect(Object.is(decode(encode(-0)), -0)).toBe(true);
  });
});

describe('roundTo', () => {
  it('truncates and clamps to integers, NaN giving 0', () => {
    const values = [1.9, -1.9, -0.5, NaN, Infinity, -Infinity, 3e9, -3e9, 300];
    expect(values.map((value) => roundTo('i32', value))).toEqual([
      1, -1, 0, 0, 2147483647, -2147483648, 2147483647, -2147483648, 300,
    ]);
    expect(values.map((value) => roundTo('u8', value))).toEqual([1, 0, 0, 0, 255, 0, 255, 0, 255]);
  });

  it('agrees with the host arrays of each type', () => {
    const numbers = createRandom(2)
      .normals(500)
      .map((value) => value * 100);
    for (const dtype of ['f64', 'f32', 'f16', 'bf16', 'i32', 'u8'] as const) {
      const rounded = numbers.map((value) => roundTo(dtype, value));
      expect(toNumbers(fromNumbers(numbers, dtype), dtype)).toEqual(rounded);
    }
  });
});
