import type { Tensor } from '../tensor.ts';
import { type Attributes, fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export const pearsonColumnsSpec: OpSpec<Attributes> = {
  name: 'pearson_columns',
  family: 'reduction',
  infer([a, b]) {
    const dtype = sameFloat('pearson_columns', [a, b]);
    const [n, t] = matrix('pearson_columns', 'a', a);
    const [nB, tB] = matrix('pearson_columns', 'b', b);
    if (n !== nB || t !== tB)
      throw fail('pearson_columns', 'shapes differ', `[${n}, ${t}]`, `[${nB}, ${tB}]`);
    return [{ shape: [t], dtype }];
  },
  flops([a]) {
    return 10 * a!.shape[0]! * a!.shape[1]!;
  },
};

/**
 * Pearson correlation of column j of `a` with column j of `b`; 0 where either has no variance.
 *
 * @param a [n, t]
 * @param b [n, t]
 * @returns [t]
 */
export function pearsonColumns(a: Tensor, b: Tensor, options: OpOptions = {}): Tensor {
  return runOp(pearsonColumnsSpec, [a, b], {}, options)[0]!;
}
