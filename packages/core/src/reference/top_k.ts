import type { TopKAttributes } from '../ops/top_k.ts';
import { colsOf, type ReferenceKernel, rowsOf } from './kernel.ts';

export const topK: ReferenceKernel<TopKAttributes> = ([x], [values, indices], { k, smallest }) => {
  const m = colsOf(x!);
  for (let i = 0; i < rowsOf(x!); i++) {
    const row = x!.data.subarray(i * m, (i + 1) * m);
    const order = Array.from(row.keys()).sort(
      (p, q) => compare(row[p]!, row[q]!, smallest) || p - q, // ties by lower index
    );
    for (let rank = 0; rank < k; rank++) {
      values!.data[i * k + rank] = row[order[rank]!]!;
      indices!.data[i * k + rank] = order[rank]!;
    }
  }
};

/** Negative when a comes before b; NaN comes last in both directions. */
function compare(a: number, b: number, smallest: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a === b) return 0;
  return a < b === smallest ? -1 : 1;
}
