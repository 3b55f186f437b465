import type { Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface TopKAttributes {
  readonly [name: string]: number | boolean;
  readonly k: number;
  readonly smallest: boolean;
}

export const topKSpec: OpSpec<TopKAttributes> = {
  name: 'top_k',
  family: 'exact',
  infer([x], { k }) {
    const dtype = sameFloat('top_k', [x]);
    const [rows, cols] = matrix('top_k', 'x', x);
    if (!Number.isInteger(k) || k < 1 || k > cols)
      throw fail('top_k', 'k out of range', `1 to ${cols}`, `${k}`);
    return [
      { shape: [rows, k], dtype },
      { shape: [rows, k], dtype: 'i32' },
    ];
  },
  flops([x]) {
    return x!.shape[0]! * x!.shape[1]!;
  },
};

export interface TopKOptions extends OpOptions {
  smallest?: boolean;
}

/**
 * The k largest (or smallest) entries of each row, best first; ties by lower index, NaN last.
 *
 * @param x [n, m]
 * @returns values [n, k], indices [n, k] (i32)
 */
export function topK(x: Tensor, k: number, options: TopKOptions = {}): { values: Tensor; indices: Tensor } {
  const [values, indices] = runOp(topKSpec, [x], { k, smallest: options.smallest ?? false }, options);
  return { values: values!, indices: indices! };
}
