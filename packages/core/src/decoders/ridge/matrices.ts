import type { Backend } from '../../backend.ts';
import { type DType, dtypeOf, hostArray } from '../../dtype.ts';
import { cast, gemm, type OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';

/** Column of `n` equal weights 1/n: a product with it takes means. */
export function meanWeights(backend: Backend, n: number, dtype: DType): Tensor {
  return backend.tensor(hostArray(dtype, n).fill(1 / n), [n, 1], dtype);
}

export function identity(backend: Backend, n: number, dtype: DType): Tensor {
  const data = hostArray(dtype, n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return backend.tensor(data, [n, n], dtype);
}

/** x transposed, as a product with the identity of its shorter side. */
export function transpose(x: Tensor, options: OpOptions): Tensor {
  const [rows, cols] = x.shape as [number, number];
  return rows <= cols
    ? gemm(x, identity(x.backend, rows, x.dtype), { ...options, transA: true })
    : gemm(identity(x.backend, cols, x.dtype), x, { ...options, transB: true });
}

/** Mean of each column, [1, t]. */
export function columnMeans(x: Tensor, options: OpOptions): Tensor {
  return gemm(meanWeights(x.backend, x.shape[0]!, x.dtype), x, { ...options, transA: true });
}

/** Uploads host values and converts them to the type of the computation. */
export function upload(
  backend: Backend,
  data: Float32Array | Float64Array,
  shape: readonly number[],
  dtype: DType,
  options: OpOptions,
): Tensor {
  const from = dtypeOf(data);
  // A device without float64 gets its values rounded here: it could not even hold them.
  if (from === 'f64' && dtype === 'f32') return backend.tensor(Float32Array.from(data), shape, 'f32');
  const tensor = backend.tensor(data, shape, from);
  return from === dtype ? tensor : cast(tensor, dtype, options);
}
