import type { Tensor } from '../tensor.ts';
import { type Attributes, fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export const cosineMatrixSpec: OpSpec<Attributes> = {
  name: 'cosine_matrix',
  family: 'reduction',
  infer([a, b]) {
    const dtype = sameFloat('cosine_matrix', [a, b]);
    const [n, d] = matrix('cosine_matrix', 'a', a);
    const [m, dB] = matrix('cosine_matrix', 'b', b);
    if (d !== dB) throw fail('cosine_matrix', 'row lengths differ', `${d}`, `${dB}`);
    return [{ shape: [n, m], dtype }];
  },
  flops([a, b]) {
    const [n, d] = a!.shape as [number, number];
    const m = b!.shape[0]!;
    return 2 * n * m * d + 2 * (n + m) * d;
  },
};

/**
 * Cosine similarity of every row of `a` with every row of `b`; 0 where either row is zero.
 *
 * @param a [n, d]
 * @param b [m, d]
 * @returns [n, m]
 */
export function cosineMatrix(a: Tensor, b: Tensor, options: OpOptions = {}): Tensor {
  return runOp(cosineMatrixSpec, [a, b], {}, options)[0]!;
}
