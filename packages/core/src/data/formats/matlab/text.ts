import { F2iError } from '../../../error.ts';
import { elementCount, type Place } from '../../ndarray.ts';
import { viewOf } from '../bytes.ts';
import { CHARACTERS, MI } from './types.ts';

/** Texts of an array of letters, which lie by columns: one string for each row. */
export function readCharacters(
  bytes: Uint8Array,
  type: number,
  shape: readonly number[],
  littleEndian: boolean,
  place: Place,
): string[] {
  const units = unitsOf(bytes, type, littleEndian, place);
  const count = elementCount(shape)!;
  // MATLAB counts units of UTF-16; what other programs write may count letters, or bytes.
  const letters = [units, [...units.join('')]].find(({ length }) => length === count);
  const rows = shape[0]!;
  if (letters === undefined && rows !== 1) {
    throw new F2iError('FORMAT', 'the text has another length than its dimensions announce', {
      ...place,
      expected: `${count}`,
      found: `${units.length}`,
    });
  }
  if (rows === 1) return [units.join('')];
  const lines: string[] = new Array(count === 0 ? 0 : rows).fill('');
  for (const [i, letter] of letters!.entries()) lines[i % rows] += letter;
  return lines;
}

/** Units of UTF-16, each a string. */
function unitsOf(bytes: Uint8Array, type: number, littleEndian: boolean, place: Place): string[] {
  if (type === MI.UTF8) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).split('');
    } catch (cause) {
      throw new F2iError('FORMAT', 'not UTF-8 text', { ...place, cause });
    }
  }
  const size = CHARACTERS.get(type)!;
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => {
    if (size === 1) return String.fromCharCode(bytes[i]!);
    if (size === 2) return String.fromCharCode(view.getUint16(2 * i, littleEndian));
    const point = view.getUint32(4 * i, littleEndian);
    if (point > 0x10ffff) throw new F2iError('FORMAT', 'not a letter', { ...place, found: `${point}` });
    return String.fromCodePoint(point);
  });
}
