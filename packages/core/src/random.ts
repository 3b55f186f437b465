/**
 * Pseudo-random numbers for simulations, permutation tests and test data: the same sequence for a seed on every
 * platform, bit for bit. Not for cryptography.
 */
export interface Random {
  /** Uniform on [0, 1), with 53 random bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform on 0, 1, ..., n - 1, without modulo bias; 1 <= n <= 2^32. */
  integer(n: number): number;
  /** A shuffled copy; every order is equally likely. */
  shuffle<T>(list: readonly T[]): T[];
  /** `length` standard normals. */
  normals(length: number): Float64Array;
}

/**
 * xoshiro128** (Blackman and Vigna 2021, doi:10.1145/3460772), its state filled by splitmix32 from the seed, so
 * that neighbouring seeds give unrelated sequences. Normals by Marsaglia's polar method with a logarithm of our
 * own, because the last bits of `Math.log` may differ between JavaScript engines.
 *
 * @param seed any integer; its low 53 bits count
 */
export function createRandom(seed: number): Random {
  const state = seedState(seed);

  function next32(): number {
    const [s0, s1, s2, s3] = state as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    state[2] = s2 ^ s0;
    state[3] = s3 ^ s1;
    state[1] = s1 ^ state[2]!;
    state[0] = s0 ^ state[3]!;
    state[2] = state[2]! ^ (s1 << 9);
    state[3] = rotateLeft(state[3]!, 11);
    return result;
  }

  function uniform(): number {
    const high = next32() >>> 5; // 27 bits
    const low = next32() >>> 6; // 26 bits
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  let spare: number | undefined;
  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * naturalLog(square)) / square);
      spare = v * factor;
      return u * factor;
    }
  }

  function integer(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= 2 ** 32)) {
      throw new RangeError(`integer(n) needs an integer n from 1 to 2^32; found ${n}`);
    }
    // Draws above the largest multiple of n would favour small values.
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const draw = next32();
      if (draw < limit) return draw % n;
    }
  }

  function shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }

  function normals(length: number): Float64Array {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = normal();
    return values;
  }

  return { uniform, normal, integer, shuffle, normals };
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** Four words of splitmix32 (Steele, Lea and Flood 2014, with the 32-bit finaliser of MurmurHash3). */
function seedState(seed: number): Int32Array {
  if (!Number.isInteger(seed)) throw new RangeError(`a seed is an integer; found ${seed}`);
  let counter = (seed | 0) ^ Math.imul(Math.floor(seed / 2 ** 32) | 0, 0x85ebca6b);
  const state = new Int32Array(4);
  for (let i = 0; i < 4; i++) {
    counter = (counter + 0x9e3779b9) | 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    state[i] = z ^ (z >>> 16);
  }
  // Four distinct counters cannot all map to zero (the finaliser is a bijection), which xoshiro could not leave.
  return state;
}

/**
 * ln x for 0 < x < 1 from operations that IEEE 754 fixes to the last bit: x = m 2^e with m in [sqrt 1/2, sqrt 2),
 * ln m = 2 atanh((m - 1) / (m + 1)) by its series, whose argument is below 0.1716.
 */
function naturalLog(x: number): number {
  let exponent = 0;
  let m = x;
  while (m < Math.SQRT1_2) {
    m *= 2;
    exponent--;
  }
  const t = (m - 1) / (m + 1);
  const t2 = t * t;
  let sum = 0;
  for (let k = 23; k >= 1; k -= 2) sum = sum * t2 + 1 / k;
  return exponent * Math.LN2 + 2 * t * sum;
}
