import type { Backend } from '../backend.ts';
import { moveTo } from '../decoders/ridge/matrices.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { throwIfAborted } from '../error.ts';
import { add, columnStats, gemm, mul, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import type { DesignColumns } from './readout.ts';

/** How a map becomes one value a column. */
export type Combine = 'sum' | 'norm';

export interface ProjectOptions {
  backend: Backend;
  precision: Precision;
  signal?: AbortSignal | undefined;
}

/** Columns of a design that are on the device at one time. */
export const COLUMNS_AT_ONCE = 2048;

/**
 * Weights of rows brought to the columns of a design, Zᵀ D, as one number a column: the sum over targets, or the norm over
 * them. Targets may be any number: with G = D Dᵀ, the squared norm of column v is z_v . (G z_v), so that neither Zᵀ D
 * [columns, targets] nor a columns x columns matrix is made.
 *
 * @param design [rows, columns]
 * @param weights D in blocks of targets, [rows, some] each; they are disposed of here
 * @param centre subtracts the mean of each column of the design first
 * @returns [columns]
 */
export async function projectRows(
  design: DesignColumns,
  columns: number,
  weights: AsyncIterable<Tensor>,
  combine: Combine,
  { backend, precision, signal }: ProjectOptions,
  centre = false,
): Promise<Float64Array> {
  const ops = { signal };
  let sums: Tensor | undefined;
  const values = new Float64Array(columns);
  try {
    for await (const block of weights) {
      throwIfAborted(signal, 'maps');
      const before: Tensor | undefined = sums;
      try {
        sums = backend.scope(() =>
          combine === 'norm'
            ? gemm(block, block, { ...ops, transB: true, c: before })
            : add(rowSums(block), before ?? 0, ops),
        );
      } finally {
        block.dispose();
        if (before !== sums) before?.dispose();
      }
    }
    for (let from = 0; from < columns; from += COLUMNS_AT_ONCE) {
      throwIfAborted(signal, 'maps');
      const to = Math.min(columns, from + COLUMNS_AT_ONCE);
      const responses = await design.read(from, to, signal);
      const [result] = await backend.compute(() => {
        let z = moveTo(backend, responses, [design.rows, to - from], precision, ops);
        if (centre) z = sub(z, columnStats(z, ops).mean, ops);
        if (combine === 'sum') return [gemm(sums!, z, { ...ops, transA: true })];
        return [columnSums(mul(z, gemm(sums!, z, ops), ops))];
      });
      // Rounding makes a sum of squares of nothing slightly negative.
      (result as Float64Array).forEach((value, i) => {
        values[from + i] = combine === 'norm' ? Math.sqrt(Math.max(0, value)) : value;
      });
    }
  } finally {
    sums?.dispose();
  }
  return values;

  function rowSums(block: Tensor): Tensor {
    return gemm(block, ones(block.shape[1]!), ops);
  }
  function columnSums(product: Tensor): Tensor {
    return gemm(ones(design.rows), product, { ...ops, transA: true });
  }
  function ones(n: number): Tensor {
    const data = precision === 'f64' ? new Float64Array(n) : new Float32Array(n);
    return backend.tensor(data.fill(1), [n, 1], precision);
  }
}

/** One value a voxel of values of lagged voxels: the sum over lags, or the norm over them. */
export function overLags(values: Float64Array, voxels: number, combine: Combine): Float32Array {
  const map = new Float64Array(voxels);
  for (let i = 0; i < values.length; i++)
    map[i % voxels]! += combine === 'norm' ? values[i]! ** 2 : values[i]!;
  return Float32Array.from(map, (value) => (combine === 'norm' ? Math.sqrt(value) : value));
}
