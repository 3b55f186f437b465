import type { Backend } from '../../backend.ts';
import { pacer } from '../../data/pause.ts';
import { type DType, dtypeOf, hostArray } from '../../dtype.ts';
import { cast, gemm, type OpOptions, permute } from '../../ops/index.ts';
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

/** A matrix transposed. */
export function transpose(x: Tensor, options: OpOptions): Tensor {
  return permute(x, [1, 0], options);
}

/** Mean of each column, [1, t]. */
export function columnMeans(x: Tensor, options: OpOptions): Tensor {
  return gemm(meanWeights(x.backend, x.shape[0]!, x.dtype), x, { ...options, transA: true });
}

/** Moves host values to the device, in the type of the computation. Their buffer is detached. */
export function moveTo(
  backend: Backend,
  data: Float32Array | Float64Array,
  shape: readonly number[],
  dtype: DType,
  options: OpOptions,
): Tensor {
  const values = roundedFor(dtype, data);
  return asType(backend.adopt(values.buffer as ArrayBuffer, shape, dtypeOf(values)), dtype, options);
}

/** A device without float64 gets its values rounded here: it could not even hold them. */
export function roundedFor(dtype: DType, data: Float32Array | Float64Array): Float32Array | Float64Array {
  return dtypeOf(data) === 'f64' && dtype === 'f32' ? new Float32Array(data) : data;
}

/** The tensor itself, or its values in another type. */
export function asType(tensor: Tensor, dtype: DType, options: OpOptions): Tensor {
  return tensor.dtype === dtype ? tensor : cast(tensor, dtype, options);
}

/** Copies in pieces, so that other work gets its turn in between. */
export async function copyAsFloat32(
  data: Float32Array | Float64Array,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const breathe = pacer(signal, 'copying');
  const copy = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += PIECE) {
    copy.set(data.subarray(start, start + PIECE), start);
    await breathe();
  }
  return copy;
}

const PIECE = 2 ** 18;

/** A copy of some columns of a matrix, made in pieces. */
export async function copyColumns(
  matrix: Float32Array | Float64Array,
  columns: number,
  from: number,
  to: number,
): Promise<Float32Array | Float64Array> {
  const rows = matrix.length / columns;
  const width = to - from;
  const copy =
    matrix instanceof Float64Array ? new Float64Array(rows * width) : new Float32Array(rows * width);
  const breathe = pacer(undefined, 'copying');
  for (let row = 0; row < rows; row++) {
    copy.set(matrix.subarray(row * columns + from, row * columns + to), row * width);
    await breathe();
  }
  return copy;
}
