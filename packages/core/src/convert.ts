import type { DType, HostArray } from './dtype.ts';

/** A binary floating-point format: sign, `exponent` bits with the usual bias, `mantissa` bits. */
interface Format {
  readonly exponent: number;
  readonly mantissa: number;
}

const F16: Format = { exponent: 5, mantissa: 10 };
const BF16: Format = { exponent: 8, mantissa: 7 };

/** Bits of the nearest half-precision number, ties to even; overflow gives infinity. */
export function toF16Bits(value: number): number {
  return encode(value, F16);
}

export function fromF16Bits(bits: number): number {
  return decode(bits, F16);
}

/** Bits of the nearest bfloat16 number, ties to even; overflow gives infinity. */
export function toBf16Bits(value: number): number {
  return encode(value, BF16);
}

export function fromBf16Bits(bits: number): number {
  return decode(bits, BF16);
}

/**
 * The value of `dtype` that stands for a number: the nearest one (ties to even) for floats; for integers the number
 * truncated towards zero and clamped to the range, NaN giving 0.
 */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case 'f64':
      return value;
    case 'f32':
      return Math.fround(value);
    case 'f16':
      return fromF16Bits(toF16Bits(value));
    case 'bf16':
      return fromBf16Bits(toBf16Bits(value));
    case 'i32':
      return truncate(value, -(2 ** 31), 2 ** 31 - 1);
    case 'u8':
      return truncate(value, 0, 255);
  }
}

/** Numbers of a host array; patterns of f16 and bf16 are decoded. */
export function toNumbers(data: HostArray, dtype: DType): Float64Array {
  if (dtype === 'f16') return Float64Array.from(data, fromF16Bits);
  if (dtype === 'bf16') return Float64Array.from(data, fromBf16Bits);
  return Float64Array.from(data);
}

/** Host array of `dtype` from numbers, rounded as `roundTo` does. */
export function fromNumbers(numbers: Float64Array, dtype: DType): HostArray {
  switch (dtype) {
    case 'f64':
      return numbers.slice();
    case 'f32':
      return Float32Array.from(numbers);
    case 'f16':
      return Uint16Array.from(numbers, toF16Bits);
    case 'bf16':
      return Uint16Array.from(numbers, toBf16Bits);
    case 'i32':
      return Int32Array.from(numbers, (value) => roundTo('i32', value));
    case 'u8':
      return Uint8Array.from(numbers, (value) => roundTo('u8', value));
  }
}

function truncate(value: number, lowest: number, highest: number): number {
  // Adding 0 turns -0 into 0, as integers have only one.
  return Number.isNaN(value) ? 0 : Math.min(highest, Math.max(lowest, Math.trunc(value))) + 0;
}

function encode(value: number, { exponent, mantissa }: Format): number {
  const infinity = (2 ** exponent - 1) * 2 ** mantissa;
  if (Number.isNaN(value)) return infinity + 2 ** (mantissa - 1);
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (exponent + mantissa) : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign + infinity;
  const lowest = 2 - 2 ** (exponent - 1); // exponent of the smallest normal number
  const e = Math.max(exponentOf(magnitude), lowest);
  const units = roundHalfEven(magnitude / 2 ** (e - mantissa));
  // The leading bit of `units` counts one exponent step; a subnormal lacks it; a carry lands where it must.
  return sign + Math.min(infinity, (e - lowest) * 2 ** mantissa + units);
}

function decode(bits: number, { exponent, mantissa }: Format): number {
  const sign = bits >> (exponent + mantissa) ? -1 : 1;
  const biased = (bits >> mantissa) & (2 ** exponent - 1);
  const fraction = bits & (2 ** mantissa - 1);
  const lowest = 2 - 2 ** (exponent - 1);
  if (biased === 2 ** exponent - 1) return fraction ? NaN : sign * Infinity;
  const units = biased === 0 ? fraction : fraction + 2 ** mantissa;
  return sign * units * 2 ** (lowest - mantissa + Math.max(biased, 1) - 1);
}

const scratch = new DataView(new ArrayBuffer(8));

/** floor(log2 x) of a positive number, exactly; -1023 for numbers below the normal range. */
function exponentOf(x: number): number {
  scratch.setFloat64(0, x);
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
