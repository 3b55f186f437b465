import { concat, gather, type OpOptions } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';

/** Penalties of all targets of a set, by block. */
export interface TargetAlphas {
  /** Ascending. */
  readonly distinct: readonly number[];
  of(from: number, to: number): Float64Array;
}

export function targetAlphas(alphas: Float64Array | number, columns: number): TargetAlphas {
  const all = typeof alphas === 'number' ? new Float64Array(columns).fill(alphas) : alphas;
  return {
    distinct: [...new Set(all)].sort((a, b) => a - b),
    of: (from, to) => all.subarray(from, to),
  };
}

/**
 * Does something for the columns of each penalty, and puts the results in the order of the columns.
 *
 * @param y [s, t]
 * @param alphas [t]
 * @param each is told the values of `row` that go with its columns
 * @param row [t], one value for each column
 */
export function perAlpha(
  y: Tensor,
  alphas: Float64Array,
  each: (alpha: number, y: Tensor, row: Tensor | undefined) => Tensor,
  options: OpOptions,
  row?: Tensor | undefined,
): Tensor {
  const distinct = [...new Set(alphas)].sort((a, b) => a - b);
  if (distinct.length === 1) return each(distinct[0]!, y, row);
  /** Column of y of each column of the results, and the reverse. */
  const order: number[] = [];
  const results = distinct.map((alpha) => {
    const cols = Int32Array.from(alphas.keys()).filter((j) => alphas[j] === alpha);
    order.push(...cols);
    const some = gather(y, { ...options, cols });
    const own = row && gather(row.reshape(1, row.size), { ...options, cols }).reshape(cols.length);
    const result = each(alpha, some, own);
    some.dispose();
    return result;
  });
  const back = new Int32Array(order.length);
  for (const [at, column] of order.entries()) back[column] = at;
  return gather(concat(results, 1, options), { ...options, cols: back });
}
