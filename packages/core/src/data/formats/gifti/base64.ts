import { F2iError } from '../../../error.ts';
import { allocate, type Place } from '../../ndarray.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const [NONE, BLANK, PAD] = [255, 254, 253];
/** What each character stands for. */
const VALUES = new Uint8Array(128).fill(NONE);
for (const [value, letter] of [...ALPHABET].entries()) VALUES[letter.charCodeAt(0)] = value;
for (const letter of ' \t\r\n') VALUES[letter.charCodeAt(0)] = BLANK;
VALUES['='.charCodeAt(0)] = PAD;

/** Bytes of a text in base 64 (RFC 4648), blanks passed over. Throws FORMAT for other characters and odd lengths. */
export function decodeBase64(text: string, place: Place): Uint8Array {
  const out = allocate('u8', Math.ceil((text.length * 3) / 4), place.file);
  let size = 0;
  let bits = 0;
  let digits = 0;
  let pads = 0;
  for (let i = 0; i < text.length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? NONE;
    if (value === BLANK) continue;
    if (value === PAD) pads++;
    else if (value === NONE || pads > 0) {
      const found = JSON.stringify(text.slice(i, i + 8));
      throw new F2iError('FORMAT', 'not base 64', { ...place, found: `${found} at character ${i}` });
    } else {
      bits = (bits << 6) | value;
      if (++digits % 4 === 0) {
        out[size++] = bits >> 16;
        out[size++] = bits >> 8;
        out[size++] = bits;
        bits = 0;
      }
    }
  }
  const rest = digits % 4;
  // Two digits hold a byte and are padded by two signs, three hold two bytes and are padded by one.
  if (rest === 1 || (pads > 0 && rest + pads !== 4) || (pads === 0 && rest > 0)) {
    const found = `${digits} and ${pads}`;
    throw new F2iError('FORMAT', 'base 64 that ends too early', {
      ...place,
      expected: 'digits and signs of padding that are a multiple of 4',
      found,
    });
  }
  if (rest === 2) out[size++] = bits >> 4;
  if (rest === 3) {
    out[size++] = bits >> 10;
    out[size++] = bits >> 2;
  }
  return out.subarray(0, size);
}
