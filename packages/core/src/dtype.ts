import { F2iError } from './error.ts';

/** Element types. `f16` and `bf16` are storage types: no op accumulates in them. */
export type DType = 'f32' | 'f64' | 'f16' | 'bf16' | 'i32' | 'u8';

/** Host arrays of each type; `f16` and `bf16` travel as raw 16-bit patterns. */
export interface HostArrays {
  f32: Float32Array;
  f64: Float64Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i32: Int32Array;
  u8: Uint8Array;
}
export type HostArray = HostArrays[DType];

const constructors = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i32: Int32Array,
  u8: Uint8Array,
} as const;

/** Throws INVALID_ARGUMENT for what is not a type: callers in plain JavaScript may pass anything. */
export function checkDType(dtype: DType): void {
  if (!Object.hasOwn(constructors, dtype)) {
    throw new F2iError('INVALID_ARGUMENT', 'not an element type', {
      expected: Object.keys(constructors).join(', '),
      found: String(dtype),
    });
  }
}

/**
 * Throws INVALID_ARGUMENT unless `data` is the host array of the type: one of another class would have its bits
 * reinterpreted.
 */
export function checkHostArray(data: HostArray, dtype: DType): void {
  if (!(data instanceof constructors[dtype])) {
    throw new F2iError('INVALID_ARGUMENT', 'not the host array of the element type', {
      expected: `${constructors[dtype].name} for ${dtype}`,
      found: (data as object | undefined)?.constructor?.name ?? String(data),
    });
  }
}

export function bytesPerElement(dtype: DType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

/** A host array of zeros, or one over a buffer: all of it, or `length` elements from `byteOffset` on. */
export function hostArray<D extends DType>(dtype: D, length: number): HostArrays[D];
export function hostArray<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset?: number,
  length?: number,
): HostArrays[D];
export function hostArray(dtype: DType, a: number | ArrayBufferLike, byteOffset?: number, length?: number) {
  const Ctor = constructors[dtype] as unknown as {
    new (n: number): HostArray;
    new (b: ArrayBufferLike, o?: number, n?: number): HostArray;
  };
  return typeof a === 'number' ? new Ctor(a) : new Ctor(a, byteOffset, length);
}

/** The type a host array is uploaded as when none is named. */
export function dtypeOf(data: HostArray): DType {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint8Array) return 'u8';
  return 'f16';
}

export function isFloat(dtype: DType): dtype is 'f32' | 'f64' | 'f16' | 'bf16' {
  return dtype !== 'i32' && dtype !== 'u8';
}
