import type { Backend } from '../backend.ts';
import { checkShape, type Shape, sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOn } from './op.ts';

export interface RandomNormalAttributes {
  readonly [name: string]: number | string | Int32Array;
  /** Extents of the result. */
  readonly shape: Int32Array;
  /** f32 or f64 for normals, i32 for the random words themselves. */
  readonly dtype: 'f32' | 'f64' | 'i32';
  /** The key: two words of 32 bits, as unsigned integers. */
  readonly seedLow: number;
  readonly seedHigh: number;
  /** Element of the stream that the first element of the result is. */
  readonly offset: number;
}

/** Inputs: none. */
export const randomNormalSpec: OpSpec<RandomNormalAttributes> = {
  name: 'random_normal',
  family: 'elementwise',
  infer(_, { shape, dtype, seedLow, seedHigh, offset }) {
    checkShape([...shape]);
    if (!['f32', 'f64', 'i32'].includes(dtype)) {
      throw fail('random_normal', 'unsupported element type', 'f32, f64 or i32', dtype);
    }
    for (const word of [seedLow, seedHigh]) {
      if (!Number.isInteger(word) || word < 0 || word >= 2 ** 32) {
        throw fail('random_normal', 'a seed is out of range', 'an unsigned integer of 32 bits', `${word}`);
      }
    }
    if (offset < 0 || !Number.isSafeInteger(offset) || !Number.isSafeInteger(offset + sizeOf([...shape]))) {
      throw fail('random_normal', 'offset out of range', 'an integer, 0 to 2^53 less the size', `${offset}`);
    }
    return [{ shape: [...shape], dtype }];
  },
  /** A draw of four words takes 10 rounds of two products. */
  flops(_, { shape }) {
    return 5 * sizeOf([...shape]);
  },
};

export interface RandomNormalOptions extends OpOptions {
  /** 53 bits at most, or both words of the key; 0 by default. */
  seed?: number | readonly [low: number, high: number];
  /** Elements of the stream to pass over; 0 by default. */
  offset?: number;
  /** f32 by default. */
  dtype?: 'f32' | 'f64';
}

/**
 * Standard normals from a counter: the same for a seed and an offset on every device, whatever the shape. Element e
 * of a stream (e = offset + index in the result, row-major) comes from word e mod 4 of block floor(e / 4), which is
 * Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) of counter (block mod 2^32, floor(block / 2^32), 0,
 * 0) and key (seedLow, seedHigh). Words 0 and 1 of a block make a pair (u, v), and so do words 2 and 3, each by
 * u = (floor(word / 512) + 1/2) / 2^23, which float32 holds exactly. Box and Muller (1958,
 * doi:10.1214/aoms/1177706645) make two normals of it: sqrt(-2 ln u) cos(2 pi v) of the even element,
 * sqrt(-2 ln u) sin(2 pi v) of the odd one. The words are identical everywhere, the normals to 1e-6.
 *
 * @returns a tensor of that shape
 */
export function randomNormal(backend: Backend, shape: Shape, options: RandomNormalOptions = {}): Tensor {
  return draw(backend, shape, options.dtype ?? 'f32', options);
}

/** The random words that {@link randomNormal} is made of, as i32: to check that a device draws the same. */
export function randomWords(
  backend: Backend,
  shape: Shape,
  options: Omit<RandomNormalOptions, 'dtype'> = {},
): Tensor {
  return draw(backend, shape, 'i32', options);
}

function draw(
  backend: Backend,
  shape: Shape,
  dtype: RandomNormalAttributes['dtype'],
  options: RandomNormalOptions,
): Tensor {
  checkShape(shape);
  const [seedLow, seedHigh] = wordsOf(options.seed ?? 0);
  const attributes = { shape: Int32Array.from(shape), dtype, seedLow, seedHigh, offset: options.offset ?? 0 };
  return runOn(backend, randomNormalSpec, [], attributes, options)[0]!;
}

function wordsOf(seed: number | readonly [number, number]): readonly [number, number] {
  if (typeof seed !== 'number') return seed;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw fail('random_normal', 'the seed is out of range', 'an integer from 0 to 2^53 - 1', `${seed}`);
  }
  return [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
}
