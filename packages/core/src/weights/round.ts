import { toBf16Bits, toF16Bits } from '../convert.ts';
import type { ElementArray, ElementArrays, ElementType, Place } from '../data/ndarray.ts';
import { allocate, toFloat32, toFloat64 } from '../data/ndarray.ts';
import { F2iError } from '../error.ts';

/** Types that weights are stored in. */
export type WeightType = 'f32' | 'f16' | 'bf16';

/**
 * Elements as another type, each the nearest number, ties to even (IEEE 754): weights of f32, f16, bf16 or f64, or whole
 * numbers. Straight from the stored type, never through a third one.
 *
 * @param first number of the first element in its tensor, for errors
 * @throws FORMAT for NaN and infinity, and for what the type cannot hold, naming the element
 */
export function roundElements(
  data: ElementArray,
  from: ElementType,
  to: WeightType,
  place: Place & { first?: number } = {},
): ElementArrays[WeightType] {
  const { first = 0, ...where } = place;
  const array = { dtype: from, shape: [data.length], data };
  const refuse = (i: number, found: string, expected: string) => {
    throw new F2iError('FORMAT', 'a weight that cannot be stored', {
      ...where,
      expected,
      found: `${found} at element ${first + i}`,
    });
  };
  if (from === 'f64') {
    const wide = toFloat64(array);
    const bits = to === 'f32' ? undefined : to === 'f16' ? toF16Bits : toBf16Bits;
    const out = allocate(to, wide.length, where.file);
    for (let i = 0; i < wide.length; i++) {
      out[i] = bits ? bits(wide[i]!) : wide[i]!;
      const holds = bits ? (out[i]! & INFINITY[to]) !== INFINITY[to] : Number.isFinite(out[i]);
      if (!holds) refuse(i, `${wide[i]}`, finite(to));
    }
    return out;
  }
  const values = toFloat32(array, where);
  if (to === 'f32') {
    const bad = firstInfinite(values);
    if (bad >= 0) refuse(bad, `${values[bad]}`, finite(to));
    return values;
  }
  if (from === to) {
    const bad = firstInfinite(values);
    if (bad >= 0) refuse(bad, `${values[bad]}`, finite(to));
    return data as Uint16Array;
  }
  const out = allocate(to, values.length, where.file);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bad = to === 'bf16' ? roundToBf16(bits, out) : roundToF16(bits, out);
  if (bad >= 0) refuse(bad, `${values[bad]}`, finite(to));
  return out;
}

/** Bits of infinity: the exponent's bits, all set. */
const INFINITY = { f16: 0x7c00, bf16: 0x7f80, f32: 0x7f800000 };
const finite = (type: WeightType) => `a finite ${type}${type === 'f16' ? ' (at most 65504)' : ''}`;

function firstInfinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & INFINITY.f32) === INFINITY.f32) return i;
  return -1;
}

/** The upper half of each float32, rounded: adding just under half of the lower half's range, or half if odd. */
function roundToBf16(bits: Uint32Array, out: Uint16Array): number {
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    out[i] = (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
    if ((x & INFINITY.f32) === INFINITY.f32 || (out[i]! & INFINITY.bf16) === INFINITY.bf16) return i;
  }
  return -1;
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/**
 * Normal numbers: the exponent moved by the difference of the biases (127 - 15), 13 bits of the mantissa rounded away.
 * Below 2^-14: adding 1/2 leaves the number as a multiple of 2^-24, the smallest half, in the lowest bits of the sum; the
 * addition rounds as float32 does, to even.
 */
function roundToF16(bits: Uint32Array, out: Uint16Array): number {
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const magnitude = x & 0x7fffffff;
    const sign = (x >>> 16) & 0x8000;
    if (magnitude >= 0x38800000) {
      const rounded = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
      if (rounded >= INFINITY.f16) return i;
      out[i] = sign | rounded;
    } else {
      scratchBits[0] = magnitude;
      scratchFloat[0] = scratchFloat[0]! + 0.5;
      out[i] = sign | (scratchBits[0]! - 0x3f000000);
    }
  }
  return -1;
}
