import type { GemmAttributes } from '../ops/gemm.ts';
import { colsOf, dot, type ReferenceKernel, rowsOf, transposed } from './kernel.ts';

export const gemm: ReferenceKernel<GemmAttributes> = (
  [a, b, c, bias],
  [y],
  { transA, transB, alpha, beta },
) => {
  const m = rowsOf(y!);
  const n = colsOf(y!);
  const k = transA ? rowsOf(a!) : colsOf(a!);
  const rows = transA ? transposed(a!) : a!.data;
  const columns = transB ? b!.data : transposed(b!);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let value = alpha * dot(rows, i * k, columns, j * k, k);
      // As in BLAS, a zero beta means that c is not read: it may hold NaN.
      if (c && beta !== 0) value += beta * c.data[i * n + j]!;
      if (bias) value += bias.data[j]!;
      y!.data[i * n + j] = value;
    }
  }
};
