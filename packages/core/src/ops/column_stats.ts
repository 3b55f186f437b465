import type { Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface ColumnStatsAttributes {
  readonly [name: string]: number;
  readonly ddof: number;
}

export const columnStatsSpec: OpSpec<ColumnStatsAttributes> = {
  name: 'column_stats',
  family: 'reduction',
  infer([x], { ddof }) {
    const dtype = sameFloat('column_stats', [x]);
    const [rows, cols] = matrix('column_stats', 'x', x);
    if (!Number.isInteger(ddof) || ddof < 0 || rows <= ddof) {
      throw fail('column_stats', 'too few rows for ddof', `more than ${ddof} rows`, `${rows}`);
    }
    return [
      { shape: [cols], dtype },
      { shape: [cols], dtype },
    ];
  },
  flops([x]) {
    return 4 * x!.shape[0]! * x!.shape[1]!;
  },
};

export interface ColumnStatsOptions extends OpOptions {
  /** Divisor of the variance is rows - ddof; 0 by default, as numpy. */
  ddof?: number;
}

/**
 * Mean and standard deviation of each column (voxel); exactly 0 for a constant one.
 *
 * @param x [n, v]
 * @returns mean [v], std [v]
 */
export function columnStats(x: Tensor, options: ColumnStatsOptions = {}): { mean: Tensor; std: Tensor } {
  const [mean, std] = runOp(columnStatsSpec, [x], { ddof: options.ddof ?? 0 }, options);
  return { mean: mean!, std: std! };
}
