/** Tables that networks look up: made on the host in float64, uploaded once. */
import { F2iError } from '../error.ts';
import type { PositionBuckets } from '../ops/relative_position_bias.ts';

export interface TimestepEmbeddingOptions {
  /** Length of an embedding, even. */
  readonly dim: number;
  /**
   * `cos-sin`: half cosines, then half sines, frequencies `maxPeriod^(-i / half)`, as latent diffusion models have it.
   * `sin-cos`: sines first, frequencies `maxPeriod^(-i / (half - 1))`, as the prior of DALLE2-pytorch has it.
   */
  readonly order: 'cos-sin' | 'sin-cos';
  /** 10000 by default. */
  readonly maxPeriod?: number;
}

/**
 * Sinusoidal embedding of timesteps (Vaswani et al. 2017, section 3.5; the variants of the two code bases).
 *
 * @returns [timesteps, dim] row-major
 */
export function timestepEmbedding(
  timesteps: ArrayLike<number>,
  { dim, order, maxPeriod = 10000 }: TimestepEmbeddingOptions,
): Float64Array {
  const half = dim / 2;
  const divisor = order === 'cos-sin' ? half : half - 1;
  if (!Number.isInteger(half) || divisor < 1) {
    throw invalid(
      'not a length of an embedding',
      'dim',
      order === 'cos-sin' ? '2, 4, ...' : '4, 6, ...',
      dim,
    );
  }
  const table = new Float64Array(timesteps.length * dim);
  for (let row = 0; row < timesteps.length; row++) {
    for (let i = 0; i < half; i++) {
      const angle = timesteps[row]! * Math.exp((-Math.log(maxPeriod) * i) / divisor);
      const [first, second] =
        order === 'cos-sin' ? [Math.cos(angle), Math.sin(angle)] : [Math.sin(angle), Math.cos(angle)];
      table[row * dim + i] = first;
      table[row * dim + half + i] = second;
    }
  }
  return table;
}

/**
 * Frequencies of rotary embeddings of the first `dims` values of a head: `theta^(-2 i / dims)`, rounded to float32
 * as checkpoints store them.
 *
 * @returns [dims / 2]
 */
export function rotaryFrequencies(dims: number, theta = 10000): Float32Array {
  if (!Number.isInteger(dims / 2) || dims < 0)
    throw invalid('not a number of dimensions', 'dims', 'even', dims);
  return Float32Array.from({ length: dims / 2 }, (_, i) => theta ** ((-2 * i) / dims));
}

/**
 * Cosines and sines of positions times frequencies, for `rotary`.
 *
 * @param positions a number n for 0, 1, ..., n - 1, or the positions themselves
 * @param frequencies from a checkpoint, or {@link rotaryFrequencies}
 * @returns both [positions, frequencies] row-major
 */
export function rotaryTables(
  positions: number | ArrayLike<number>,
  frequencies: ArrayLike<number>,
): { cos: Float64Array; sin: Float64Array } {
  const list = typeof positions === 'number' ? Array.from({ length: positions }, (_, i) => i) : positions;
  const angles = new Float64Array(list.length * frequencies.length);
  for (let i = 0; i < angles.length; i++) {
    const [row, column] = [Math.floor(i / frequencies.length), i % frequencies.length];
    angles[i] = list[row]! * frequencies[column]!;
  }
  return { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
}

export interface BucketOptions {
  /** Rows of the table; 32 by default. */
  readonly buckets?: number;
  /** Distance from which on all fall into the last bucket; 128 by default. */
  readonly maxDistance?: number;
  /** Keys behind the query get half of the buckets; otherwise they share bucket 0 with distance 0. */
  readonly bidirectional?: boolean;
}

/**
 * Bucket of a distance (T5: Raffel et al. 2020, section 2.1, and its code): half of the buckets hold one distance
 * each, the others grow with its logarithm, which is taken in float32 as there.
 *
 * @param distance position of the query less that of the key
 */
export function distanceBucket(distance: number, options: BucketOptions = {}): number {
  const { maxDistance = 128, bidirectional = false } = options;
  const all = options.buckets ?? 32;
  const side = bidirectional ? Math.floor(all / 2) : all;
  const exact = Math.floor(side / 2);
  if (!Number.isInteger(all) || exact < 1 || !(maxDistance > exact)) {
    const found = `${all} buckets up to a distance of ${maxDistance}`;
    throw invalid('not a division into buckets', 'buckets', `a distance above ${exact}`, found);
  }
  const offset = bidirectional && distance < 0 ? side : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, distance);
  if (far < exact) return offset + far;
  const f = Math.fround;
  const share = f(f(Math.log(f(far / exact))) / f(Math.log(maxDistance / exact)));
  return offset + Math.min(side - 1, exact + Math.floor(f(share * (side - exact))));
}

export interface PositionBucketOptions extends BucketOptions {
  /** Position of the first query, where the first rows are not wanted; 0 by default. */
  readonly firstQuery?: number;
}

/**
 * Buckets for `relativePositionBias`. Keys count from 0; a null key that stands before them is one of them, so that
 * real keys move up by one, as in DALLE2-pytorch.
 */
export function relativePositionBuckets(
  queries: number,
  keys: number,
  options: PositionBucketOptions = {},
): PositionBuckets {
  const { firstQuery = 0 } = options;
  const buckets = Int32Array.from({ length: queries * keys }, (_, pair) =>
    distanceBucket(firstQuery + Math.floor(pair / keys) - (pair % keys), options),
  );
  return { queries, keys, buckets };
}

function invalid(message: string, field: string, expected: string, found: number | string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found: `${found}` });
}
