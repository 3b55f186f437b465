import { F2iError } from '../../../error.ts';
import {
  allocate,
  decodeElements,
  type ElementArray,
  type ElementType,
  elementBytes,
  type Place,
} from '../../ndarray.ts';
import { pacer } from '../../pause.ts';
import { bytesSource } from '../../source.ts';
import { decompress } from '../decompress.ts';
import { parseNumber } from '../table.ts';
import { decodeBase64 } from './base64.ts';

export type GiftiEncoding = 'ASCII' | 'Base64Binary' | 'GZipBase64Binary';

/** DEFLATE's largest expansion, of the three bytes that four digits hold. */
const MAXIMUM_EXPANSION = 1032;

/** Most elements that a text can hold, so that nothing is allocated on the word of the extents alone. */
export function mostElements(text: string, encoding: GiftiEncoding, dtype: ElementType): number {
  if (encoding === 'ASCII') return Math.ceil(text.length / 2);
  const bytes = Math.ceil((text.length * 3) / 4);
  return (encoding === 'Base64Binary' ? bytes : bytes * MAXIMUM_EXPANSION) / elementBytes(dtype);
}

/** The numbers of a data array, in the order of the file. Throws FORMAT where there are more or fewer than `count`. */
export async function decodeData(
  text: string,
  {
    encoding,
    dtype,
    littleEndian,
    count,
  }: { encoding: GiftiEncoding; dtype: ElementType; littleEndian: boolean; count: number },
  place: Place & { file: string },
  signal?: AbortSignal,
): Promise<ElementArray> {
  if (encoding === 'ASCII') return decodeAscii(text, dtype, count, place, signal);
  const wanted = count * elementBytes(dtype);
  let bytes = decodeBase64(text, place);
  if (encoding === 'GZipBase64Binary') {
    const packed = bytesSource(bytes, place.file);
    bytes = allocate('u8', wanted, place.file);
    let size = 0;
    // What is called GZip here is zlib's format.
    for await (const piece of decompress(packed, 'deflate', signal)) {
      if (size + piece.length > wanted) throw wrongAmount(wanted, 'more', place);
      bytes.set(piece, size);
      size += piece.length;
    }
    if (size < wanted) throw wrongAmount(wanted, `${size}`, place);
  } else if (bytes.length !== wanted) throw wrongAmount(wanted, `${bytes.length}`, place);
  return decodeElements(bytes, dtype, place.file, littleEndian);
}

async function decodeAscii(
  text: string,
  dtype: ElementType,
  count: number,
  place: Place & { file: string },
  signal?: AbortSignal,
): Promise<ElementArray> {
  const data = allocate(dtype, count, place.file);
  const breathe = pacer(signal, `reading ${place.file}`);
  const words = /[^ \t\r\n]+/g;
  let at = 0;
  for (let word = words.exec(text)?.[0]; word !== undefined; word = words.exec(text)?.[0]) {
    if (at === count) throw wrongAmount(count, 'more', place, 'numbers');
    const isWhole = /^[+-]?\d+$/.test(word);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      if (isWhole) data[at] = BigInt(word);
      if (!isWhole || data[at] !== BigInt(word)) throw notOne(dtype, word, at, place);
    } else {
      const value = parseNumber(word) ?? Number.NaN;
      const isNumber = !Number.isNaN(value) || /^[+-]?nan$/i.test(word);
      data[at] = value;
      const holds = dtype[0] === 'f' ? isNumber : isWhole && data[at] === value;
      if (!holds) throw notOne(dtype, word, at, place);
    }
    if (++at % 4096 === 0) await breathe();
  }
  if (at < count) throw wrongAmount(count, `${at}`, place, 'numbers');
  return data;
}

function notOne(dtype: ElementType, word: string, at: number, place: Place): F2iError {
  const found = `${JSON.stringify(word.slice(0, 40))} at element ${at}`;
  return new F2iError('FORMAT', 'not a number of the stated type', { ...place, expected: dtype, found });
}

function wrongAmount(wanted: number, found: string, place: Place, unit = 'bytes'): F2iError {
  return new F2iError('FORMAT', 'the amount of data is not what the extents announce', {
    ...place,
    expected: `${wanted} ${unit}`,
    found,
  });
}
