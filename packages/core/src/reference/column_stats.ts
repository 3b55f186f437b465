import type { ColumnStatsAttributes } from '../ops/column_stats.ts';
import { colsOf, type ReferenceKernel, rowsOf, type View } from './kernel.ts';

export const columnStats: ReferenceKernel<ColumnStatsAttributes> = ([x], [mean, std], { ddof }) => {
  for (let j = 0; j < colsOf(x!); j++) {
    const centre = columnMean(x!, j);
    mean!.data[j] = centre;
    std!.data[j] = Math.sqrt(centredProduct(x!, centre, x!, centre, j) / (rowsOf(x!) - ddof));
  }
};

/** Mean of a column, summed as differences from its first entry: exact for a constant column. */
export function columnMean(x: View, j: number): number {
  const n = rowsOf(x);
  const v = colsOf(x);
  const first = x.data[j]!;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x.data[i * v + j]! - first;
  return first + sum / n;
}

/** Sum over rows of (a - meanA)(b - meanB) in column j: 0 where either is constant. */
export function centredProduct(a: View, meanA: number, b: View, meanB: number, j: number): number {
  const v = colsOf(a);
  let sum = 0;
  for (let i = 0; i < rowsOf(a); i++) sum += (a.data[i * v + j]! - meanA) * (b.data[i * v + j]! - meanB);
  return sum;
}
