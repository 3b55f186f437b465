import { createRandom, F2iError, type Random } from '../../../src/index.ts';

/**
 * One seeded source of damage for all formats. Files are small, so that a few hundred cases of each reach every header
 * field; the same seeds give the same files everywhere.
 */
export const fuzzRandom = (seed: number): Random => createRandom(seed);

/** Values of bytes that sizes, counts and offsets take when somebody means harm. */
const NASTY = [0, 1, 0x7f, 0x80, 0xff];
/** Lengths no file has: below zero, around the limits of 32 bits, of doubles, of 64 bits; and little ones. */
const LENGTHS = [
  -1n,
  0n,
  1n,
  255n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  -(2n ** 63n),
];
/** Numbers of headers that are text. */
const NUMBERS = ['-1', '0', '7', '1e999', 'NaN', '-0', '0.5', '4294967296', '99999999999999999999', '1e-400'];

/** A copy of a file with damage of one kind: of bits, bytes, lengths, pieces, byte orders, or numbers written as text. */
export function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  // Half of the damage goes to the first and last bytes, where headers and directories are.
  const place = () => {
    const region = random.integer(4);
    const near = Math.min(400, copy.length);
    if (region === 0) return random.integer(near);
    if (region === 1) return copy.length - 1 - random.integer(near);
    return random.integer(copy.length);
  };
  const replaced = (from: number, to: number, middle: Uint8Array = new Uint8Array(0)) =>
    Buffer.concat([copy.subarray(0, from), middle, copy.subarray(Math.min(copy.length, to))]);
  const at = place();
  const some = at + 1 + random.integer(40);
  switch (random.integer(8)) {
    case 0:
    case 1:
      for (let k = random.integer(3); k >= 0; k--) copy[place()]! ^= 1 << random.integer(8);
      return copy;
    case 2:
      return copy.fill(NASTY[random.integer(NASTY.length)]!, at, at + 1 + random.integer(8));
    case 3:
      return replaced(at, some);
    case 4:
      return replaced(Math.min(copy.length, some), at);
    case 5: {
      const length = LENGTHS[random.integer(LENGTHS.length)]!;
      const size = [2, 4, 8][random.integer(3)]!;
      const written = Buffer.alloc(8);
      if (random.integer(2) === 0) written.writeBigUInt64LE(BigInt.asUintN(64, length));
      else written.writeBigUInt64BE(BigInt.asUintN(8 * size, length) << BigInt(64 - 8 * size));
      const from = at - (at % size);
      copy.set(written.subarray(0, Math.min(size, copy.length - from)), from);
      return copy;
    }
    case 6: {
      const size = [2, 4, 8][random.integer(3)]!;
      const from = at - (at % size);
      copy.subarray(from, from + size).reverse();
      return copy;
    }
    default: {
      const text = Buffer.from(copy).toString('latin1');
      const numbers = [...text.matchAll(/\d+/g)].slice(0, 400);
      if (numbers.length === 0) return copy.subarray(0, at);
      const { index, 0: digits } = numbers[random.integer(numbers.length)]!;
      return replaced(index, index + digits.length, Buffer.from(NUMBERS[random.integer(NUMBERS.length)]!));
    }
  }
}

/** What reading gives, or the error in words; whatever else is thrown is a fault of the reader. */
export async function outcomeOf<T>(work: () => T | Promise<T>): Promise<T | F2iError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof F2iError) return error;
    throw error;
  }
}
