import { F2iError } from '../../error.ts';

/**
 * The pools that `np.random.seed(seed)` and then `np.random.choice(np.arange(n), pool, replace=False)`, `draws` times,
 * give in any version of numpy: those of MindEye's evaluation, with seed 42. Numpy shuffles all of 0 to n - 1 by
 * Fisher and Yates from the end, each index drawn by masking and rejecting 32-bit words, and takes the first ones.
 *
 * @throws INVALID_ARGUMENT for a seed outside 32 bits, or a pool larger than n
 */
export function numpyDraws(seed: number, n: number, pool: number, draws: number): Int32Array[] {
  const refuse = (field: string, expected: string, found: number) =>
    new F2iError('INVALID_ARGUMENT', 'no such draws', { field, expected, found: `${found}` });
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw refuse('seed', 'a whole number from 0 to 2^32 - 1', seed);
  if (!(Number.isInteger(pool) && pool >= 1 && pool <= n))
    throw refuse('pool', `a whole number from 1 to ${n}`, pool);
  const next = mersenneTwister(seed);
  return Array.from({ length: draws }, () => {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i >= 1; i--) {
      const j = upTo(i, next);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order.slice(0, pool);
  });
}

/** Uniform on 0 to `last`: words are masked to as many bits as it needs, and drawn again where they exceed it. */
function upTo(last: number, next: () => number): number {
  const mask = 0xffffffff >>> Math.clz32(last);
  for (;;) {
    const value = (next() & mask) >>> 0;
    if (value <= last) return value;
  }
}

const WORDS = 624;
const MIDDLE = 397;

/** MT19937 (Matsumoto and Nishimoto 1998), its state filled from a seed by their initialisation of 2002. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  let at = WORDS;
  const renew = () => {
    for (let i = 0; i < WORDS; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % WORDS]! & 0x7fffffff);
      const twist = joined & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + MIDDLE) % WORDS]! ^ (joined >>> 1) ^ twist;
    }
    at = 0;
  };
  return () => {
    if (at === WORDS) renew();
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
