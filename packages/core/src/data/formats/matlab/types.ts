import { F2iError } from '../../../error.ts';
import type { ElementArray, ElementType, Place } from '../../ndarray.ts';

/** Types of data elements ("MAT-File Format", The MathWorks, table 1-1). */
export const MI = {
  INT8: 1,
  UINT8: 2,
  INT16: 3,
  UINT16: 4,
  INT32: 5,
  UINT32: 6,
  SINGLE: 7,
  DOUBLE: 9,
  INT64: 12,
  UINT64: 13,
  MATRIX: 14,
  COMPRESSED: 15,
  UTF8: 16,
  UTF16: 17,
  UTF32: 18,
} as const;

/** How numbers lie in the file. MATLAB stores whole numbers in the smallest type that holds them, whatever their class. */
export const STORED: Readonly<Record<number, ElementType>> = {
  [MI.INT8]: 'i8',
  [MI.UINT8]: 'u8',
  [MI.INT16]: 'i16',
  [MI.UINT16]: 'u16',
  [MI.INT32]: 'i32',
  [MI.UINT32]: 'u32',
  [MI.SINGLE]: 'f32',
  [MI.DOUBLE]: 'f64',
  [MI.INT64]: 'i64',
  [MI.UINT64]: 'u64',
};

/** Array classes by number (table 1-3, and those that came later). */
export const CLASSES: Readonly<Record<number, string>> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  6: 'double',
  7: 'single',
  8: 'int8',
  9: 'uint8',
  10: 'int16',
  11: 'uint16',
  12: 'int32',
  13: 'uint32',
  14: 'int64',
  15: 'uint64',
  16: 'function handle',
  17: 'opaque object',
};

/** Element types of the classes of numbers. */
export const ELEMENT_TYPES: Readonly<Record<string, ElementType>> = {
  logical: 'bool',
  double: 'f64',
  single: 'f32',
  int8: 'i8',
  uint8: 'u8',
  int16: 'i16',
  uint16: 'u16',
  int32: 'i32',
  uint32: 'u32',
  int64: 'i64',
  uint64: 'u64',
};

/**
 * Puts stored numbers into an array of the type of their class.
 *
 * @param place of the errors
 * @throws FORMAT for a number that its class cannot hold: what wrote it was no MATLAB
 */
export function putNumbers(
  stored: ElementArray,
  storedType: ElementType,
  out: ElementArray,
  dtype: ElementType,
  at: number,
  place: Place,
): void {
  if (storedType === dtype || (dtype !== 'bool' && fits(storedType, dtype))) {
    (out as Float64Array).set(stored as Float64Array, at);
    return;
  }
  const wide = out as BigInt64Array | BigUint64Array;
  const narrow = out as Float64Array;
  const isWide = out instanceof BigInt64Array || out instanceof BigUint64Array;
  for (let i = 0; i < stored.length; i++) {
    const value = stored[i]!;
    const number = Number(value);
    let holds: boolean;
    if (isWide) {
      const whole =
        typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined;
      if (whole !== undefined) wide[at + i] = whole;
      holds = whole !== undefined && wide[at + i] === whole;
    } else {
      narrow[at + i] = number;
      holds =
        Object.is(narrow[at + i]! + 0, number + 0) && (dtype !== 'bool' || number === 0 || number === 1);
      if (typeof value === 'bigint') holds &&= Number.isSafeInteger(number);
    }
    if (!holds) {
      throw new F2iError('FORMAT', 'a number that its class cannot hold', {
        ...place,
        expected: dtype === 'bool' ? '0 or 1' : `a value of ${dtype}`,
        found: `${value} at element ${at + i}`,
      });
    }
  }
}

/** Whether every value of one type is one of the other, without asking each. */
function fits(from: ElementType, to: ElementType): boolean {
  const bits = (type: ElementType) => Number(type.slice(1));
  if (from.endsWith('64') || to === 'i64' || to === 'u64') return false;
  if (to === 'f64') return true;
  if (to === 'f32') return bits(from) <= 16;
  if (from[0] === 'f') return false;
  return from[0] === to[0] ? bits(from) <= bits(to) : to[0] === 'i' && bits(from) < bits(to);
}

/** Bytes of a unit of text, by type. */
export const CHARACTERS: ReadonlyMap<number, number> = new Map([
  [MI.INT8, 1],
  [MI.UINT8, 1],
  [MI.UTF8, 1],
  [MI.UINT16, 2],
  [MI.UTF16, 2],
  [MI.UINT32, 4],
  [MI.UTF32, 4],
]);
