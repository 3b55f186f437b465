import type { Tensor } from '../tensor.ts';
import { matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface GramAttributes {
  readonly [name: string]: number | boolean;
  readonly columns: boolean;
  readonly alpha: number;
}

export const gramSpec: OpSpec<GramAttributes> = {
  name: 'gram',
  family: 'reduction',
  infer([x], { columns }) {
    const dtype = sameFloat('gram', [x]);
    const [rows, cols] = matrix('gram', 'x', x);
    const n = columns ? cols : rows;
    return [{ shape: [n, n], dtype }];
  },
  flops([x], { columns }) {
    const [rows, cols] = x!.shape as [number, number];
    const [n, k] = columns ? [cols, rows] : [rows, cols];
    return n * (n + 1) * k;
  },
};

export interface GramOptions extends OpOptions {
  /** `rows`: x xᵀ, trials by trials (dual ridge). `columns`: xᵀ x, voxels by voxels (primal ridge). */
  of?: 'rows' | 'columns';
  alpha?: number;
}

/**
 * Gram matrix `alpha x xᵀ` or `alpha xᵀ x`; one triangle is computed, both are stored.
 *
 * @param x [n, v]
 * @returns [n, n], or [v, v] with `of: 'columns'`
 */
export function gram(x: Tensor, options: GramOptions = {}): Tensor {
  const { of = 'rows', alpha = 1 } = options;
  return runOp(gramSpec, [x], { columns: of === 'columns', alpha }, options)[0]!;
}
