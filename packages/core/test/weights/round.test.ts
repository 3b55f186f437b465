import { describe, expect, it } from 'vitest';
import {
  createRandom,
  fromBf16Bits,
  fromF16Bits,
  roundElements,
  toBf16Bits,
  toF16Bits,
  type WeightType,
} from '../../src/index.ts';

const exact = { f16: toF16Bits, bf16: toBf16Bits };
const value = { f16: fromF16Bits, bf16: fromBf16Bits };

describe.each(['f16', 'bf16'] as const)('rounding to %s', (type) => {
  const rounded = (numbers: ArrayLike<number>) =>
    roundElements(Float32Array.from(numbers), 'f32', type) as Uint16Array;

  it('keeps every number of the type', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter((i) =>
      Number.isFinite(value[type](i)),
    );
    expect(rounded(Array.from(bits, value[type]))).toEqual(bits);
    expect(roundElements(bits, type, type)).toEqual(bits);
    expect(roundElements(bits, type, 'f32')).toEqual(Float32Array.from(bits, value[type]));
  });

  it('rounds to the nearest, halfway to even, at every step and beside it', () => {
    const numbers: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [value[type](bits), value[type](bits + 1)];
      if (!Number.isFinite(high)) break;
      const middle = Math.fround((low + high) / 2);
      const ulp = 2 ** -23 * Math.max(Math.abs(middle), 2 ** -126);
      numbers.push(middle, Math.fround(middle + ulp), Math.fround(middle - ulp), -middle);
    }
    expect(rounded(numbers)).toEqual(Uint16Array.from(numbers, (x) => exact[type](Math.fround(x))));
  });

  it('agrees with the slow definition on numbers of all magnitudes, from f32 and f64', () => {
    const random = createRandom(4);
    const range = type === 'f16' ? [-26, 15] : [-140, 127];
    const numbers = Float64Array.from(
      { length: 50_000 },
      () => (random.uniform() * 2 - 1) * 2 ** (range[0]! + random.uniform() * (range[1]! - range[0]!)),
    );
    const single = Float32Array.from(numbers);
    expect(roundElements(single, 'f32', type)).toEqual(Uint16Array.from(single, exact[type]));
    expect(roundElements(numbers, 'f64', type)).toEqual(Uint16Array.from(numbers, exact[type]));
    // Through float32, this one would be rounded twice, and end on the other side.
    const twice = type === 'f16' ? 1 + 2 ** -11 + 2 ** -30 : 1 + 2 ** -8 + 2 ** -30;
    expect(roundElements(Float64Array.of(twice), 'f64', type)[0]).toBe(exact[type](1) + 1);
  });

  it('refuses what is not finite, or will not be', () => {
    const largest = type === 'f16' ? 65_504 : fromBf16Bits(0x7f7f);
    expect(rounded([largest, -largest])).toHaveLength(2);
    const beyond = type === 'f16' ? 65_520 : 3.4e38;
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, beyond, -beyond]) {
      for (const [from, data] of [
        ['f32', Float32Array.of(0, bad)],
        ['f64', Float64Array.of(0, bad)],
      ] as const) {
        expect(() => roundElements(data, from, type, { file: 'a', field: 'w', first: 40 }), `${bad}`).toThrow(
          /^a: w: a weight that cannot be stored; expected a finite .*at element 41$/,
        );
      }
    }
  });
});

describe('rounding to f32', () => {
  it('takes whole numbers and halves, and refuses what is not finite', () => {
    expect(roundElements(BigInt64Array.of(3n, -4n), 'i64', 'f32')).toEqual(Float32Array.of(3, -4));
    expect(roundElements(Float64Array.of(0.1), 'f64', 'f32')).toEqual(Float32Array.of(0.1));
    const kinds: [Parameters<typeof roundElements>[0], Parameters<typeof roundElements>[1]][] = [
      [Float32Array.of(Number.NaN), 'f32'],
      [Float64Array.of(1e39), 'f64'],
      [Uint16Array.of(0x7c00), 'f16'],
      [Uint16Array.of(0x7fc0), 'bf16'],
    ];
    for (const [data, from] of kinds) {
      for (const to of ['f32', 'f16', 'bf16'] as WeightType[])
        expect(() => roundElements(data, from, to)).toThrow(/at element 0/);
    }
  });
});
