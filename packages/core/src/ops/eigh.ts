import type { Tensor } from '../tensor.ts';
import { type Attributes, type OpOptions, type OpSpec, runOp, sameFloat, square } from './op.ts';

export const eighSpec: OpSpec<Attributes> = {
  name: 'eigh',
  family: 'factorisation',
  infer([a]) {
    const dtype = sameFloat('eigh', [a]);
    const n = square('eigh', 'a', a);
    return [
      { shape: [n], dtype },
      { shape: [n, n], dtype },
    ];
  },
  /** Tridiagonalisation 4/3 n³, back-transformation 2 n³, eigenvectors of the tridiagonal about 4/3 n³. */
  flops([a]) {
    return (14 / 3) * a!.shape[0]! ** 3;
  },
};

/**
 * Eigendecomposition of a symmetric matrix, `a = vectors diag(values) vectorsᵀ`. Only the lower triangle is read.
 * The entry of largest magnitude (the first of equals) of each eigenvector is positive.
 *
 * @param a [n, n]
 * @returns values [n] ascending, vectors [n, n] in columns
 */
export function eigh(a: Tensor, options: OpOptions = {}): { values: Tensor; vectors: Tensor } {
  const [values, vectors] = runOp(eighSpec, [a], {}, options);
  return { values: values!, vectors: vectors! };
}
