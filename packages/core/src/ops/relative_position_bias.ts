import type { Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface RelativePositionBiasAttributes {
  readonly [name: string]: number | Int32Array;
  /** Row of the table for each pair of a query and a key: queries x keys, row-major. */
  readonly buckets: Int32Array;
  readonly queries: number;
  readonly keys: number;
}

/** Inputs: table. */
export const relativePositionBiasSpec: OpSpec<RelativePositionBiasAttributes> = {
  name: 'relative_position_bias',
  family: 'exact',
  infer([table], { buckets, queries, keys }) {
    const dtype = sameFloat('relative_position_bias', [table]);
    const [rows, heads] = matrix('relative_position_bias', 'table', table);
    if (!(queries >= 0 && keys >= 0 && queries * keys === buckets.length)) {
      const found = `${buckets.length} for [${queries}, ${keys}]`;
      throw fail('relative_position_bias', 'buckets do not fit', 'one for each query and key', found);
    }
    const bad = buckets.find((bucket) => bucket < 0 || bucket >= rows);
    if (bad !== undefined) {
      throw fail('relative_position_bias', 'a bucket is out of range', `0 to ${rows - 1}`, `${bad}`);
    }
    return [{ shape: [heads, queries, keys], dtype }];
  },
  flops() {
    return 0;
  },
};

/** Buckets of all pairs of a query and a key: see `relativePositionBuckets`. */
export interface PositionBuckets {
  readonly queries: number;
  readonly keys: number;
  /** [queries, keys] row-major. */
  readonly buckets: Int32Array | readonly number[];
}

/**
 * A learned number for each head and bucket of distances, laid out as `attention` adds it (T5: Raffel et al. 2020,
 * arXiv 1910.10683, section 2.1): `y[h, i, j] = table[bucket(i, j), h]`.
 *
 * @param table [buckets, heads]
 * @returns [heads, queries, keys]
 */
export function relativePositionBias(table: Tensor, where: PositionBuckets, options: OpOptions = {}): Tensor {
  const { queries, keys } = where;
  const attributes = { buckets: Int32Array.from(where.buckets), queries, keys };
  return runOp(relativePositionBiasSpec, [table], attributes, options)[0]!;
}
