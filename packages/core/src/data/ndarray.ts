import { bytesInWords } from '../bytesInWords.ts';
import { fromBf16Bits, fromF16Bits } from '../convert.ts';
import { F2iError } from '../error.ts';

/**
 * Element types that files hold. `f16` and `bf16` are kept as raw 16-bit patterns, `bool` as bytes 0 and 1, and
 * 64-bit integers as BigInts, so that reading alone never loses anything.
 */
export type ElementType =
  | 'bool'
  | 'u8'
  | 'i8'
  | 'u16'
  | 'i16'
  | 'u32'
  | 'i32'
  | 'u64'
  | 'i64'
  | 'f16'
  | 'bf16'
  | 'f32'
  | 'f64';

export interface ElementArrays {
  bool: Uint8Array;
  u8: Uint8Array;
  i8: Int8Array;
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  u64: BigUint64Array;
  i64: BigInt64Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  f32: Float32Array;
  f64: Float64Array;
}
export type ElementArray = ElementArrays[ElementType];

const constructors = {
  bool: Uint8Array,
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

/** A dense, row-major array on the host, as read from a file. */
export interface NdArray<D extends ElementType = ElementType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ElementArrays[D];
}

export function elementBytes(dtype: ElementType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

/** Elements of a shape read from a file, or undefined when the product is not a safe integer. */
export function elementCount(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** A new typed array; OUT_OF_MEMORY, naming the size, instead of the engine's RangeError. */
export function allocate<D extends ElementType>(dtype: D, length: number, file?: string): ElementArrays[D] {
  const Ctor = constructors[dtype] as unknown as new (n: number) => ElementArrays[D];
  try {
    return new Ctor(length);
  } catch (cause) {
    const bytes = length * elementBytes(dtype);
    throw new F2iError(
      'OUT_OF_MEMORY',
      `no room for ${length} elements of ${dtype} (${bytesInWords(bytes)})`,
      {
        file,
        cause,
      },
    );
  }
}

export const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Interprets bytes of a file. The result is always a copy, aligned and in the host's byte order. Throws FORMAT for
 * a bool that is neither 0 nor 1.
 *
 * @param bytes length must be a multiple of the element size
 */
export function decodeElements<D extends ElementType>(
  bytes: Uint8Array,
  dtype: D,
  file: string,
  littleEndian = true,
): ElementArrays[D] {
  const size = elementBytes(dtype);
  const data = allocate(dtype, bytes.byteLength / size, file);
  const raw = new Uint8Array(data.buffer);
  raw.set(bytes);
  if (size > 1 && littleEndian !== hostIsLittleEndian) swapBytes(raw, size);
  if (dtype === 'bool') {
    const bad = raw.findIndex((byte) => byte > 1);
    if (bad >= 0) {
      const found = `${raw[bad]} at element ${bad}`;
      throw new F2iError('FORMAT', 'not a boolean', { file, field: 'data', expected: '0 or 1', found });
    }
  }
  return data;
}

/** The bytes of an array, little-endian. A view where the host is little-endian. */
export function encodeElements(data: ElementArray): Uint8Array {
  const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (hostIsLittleEndian || data.BYTES_PER_ELEMENT === 1) return view;
  const copy = view.slice();
  swapBytes(copy, data.BYTES_PER_ELEMENT);
  return copy;
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      const byte = bytes[low]!;
      bytes[low] = bytes[high]!;
      bytes[high] = byte;
    }
  }
}

/** What a conversion is about, for its errors. */
export interface Place {
  file?: string | undefined;
  field?: string | undefined;
}

/**
 * Values as float32. Integers are rounded to the nearest float32 as usual. Throws FORMAT for 64-bit integers beyond
 * 2^53 and for finite float64 values beyond the range of float32.
 */
export function toFloat32(array: NdArray, place: Place = {}): Float32Array {
  if (array.dtype === 'f32') return array.data as Float32Array;
  return convert(array, allocate('f32', array.data.length, place.file), place);
}

/** Values as float64. Throws FORMAT for 64-bit integers beyond 2^53, which float64 cannot hold exactly. */
export function toFloat64(array: NdArray, place: Place = {}): Float64Array {
  if (array.dtype === 'f64') return array.data as Float64Array;
  return convert(array, allocate('f64', array.data.length, place.file), place);
}

/** The value of each of the 65,536 patterns: looking them up is many times faster than taking patterns apart. */
function valuesOfBits(dtype: 'f16' | 'bf16'): Float32Array {
  const value = dtype === 'f16' ? fromF16Bits : fromBf16Bits;
  tables[dtype] ??= Float32Array.from({ length: 65_536 }, (_, bits) => value(bits));
  return tables[dtype];
}
const tables: { f16?: Float32Array; bf16?: Float32Array } = {};

function convert<T extends Float32Array | Float64Array>(array: NdArray, out: T, place: Place): T {
  const { dtype, data } = array;
  if (dtype === 'f16' || dtype === 'bf16') {
    const values = valuesOfBits(dtype);
    const bits = data as Uint16Array;
    for (let i = 0; i < bits.length; i++) out[i] = values[bits[i]!]!;
  } else if (dtype === 'i64' || dtype === 'u64') {
    const wide = data as BigInt64Array | BigUint64Array;
    for (let i = 0; i < wide.length; i++) {
      const value = Number(wide[i]!);
      if (!Number.isSafeInteger(value)) {
        throw new F2iError('FORMAT', `a ${dtype} value does not fit a float exactly`, {
          ...place,
          expected: 'magnitudes below 2^53',
          found: `${wide[i]} at element ${i}`,
        });
      }
      out[i] = value;
    }
  } else if (dtype === 'f64' && out instanceof Float32Array) {
    const wide = data as Float64Array;
    for (let i = 0; i < wide.length; i++) {
      out[i] = wide[i]!;
      if (!Number.isFinite(out[i]) && Number.isFinite(wide[i])) {
        throw new F2iError('FORMAT', 'a float64 value is beyond the range of float32', {
          ...place,
          found: `${wide[i]} at element ${i}`,
        });
      }
    }
  } else {
    out.set(data as Exclude<ElementArray, BigInt64Array | BigUint64Array>);
  }
  return out;
}
