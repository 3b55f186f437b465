import { type GemmAttributes, gemmBatch } from '../ops/gemm.ts';
import { colsOf, dot, type ReferenceKernel, rowsOf, transposed, type View } from './kernel.ts';

export const gemm: ReferenceKernel<GemmAttributes> = ([a, b, c, bias], [y], attributes) => {
  const { batch, sharedB } = gemmBatch([a, b]);
  for (let p = 0; p < batch; p++) {
    const of = (view: View) => planeOf(view, p, batch);
    const ownB = sharedB ? b! : of(b!);
    const ownBias = bias?.shape.length === 2 ? of(bias) : bias;
    product([of(a!), ownB, c && of(c), ownBias], [of(y!)], attributes);
  }
};

/** Plane `p` of an operand whose planes follow each other. */
function planeOf({ data, shape, dtype }: View, p: number, batch: number): View {
  const size = data.length / batch;
  return { data: data.subarray(p * size, (p + 1) * size), shape: shape.slice(-2), dtype };
}

const product: ReferenceKernel<GemmAttributes> = ([a, b, c, bias], [y], { transA, transB, alpha, beta }) => {
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
