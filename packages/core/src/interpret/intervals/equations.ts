import type { Backend } from '../../backend.ts';
import { moveTo } from '../../decoders/ridge/matrices.ts';
import type { Precision } from '../../decoders/ridge/precision.ts';
import { throwIfAborted } from '../../error.ts';
import { add, choleskySolve, gather, gram, type OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { COLUMNS_AT_ONCE } from '../project.ts';
import type { DesignColumns, Readout } from '../readout.ts';
import { type BlockOfInverse, DIAGONAL_BLOCK } from './heldOutResiduals.ts';

/** The equations that all penalties share. */
export interface RowEquations {
  /** K [rows, rows], raised by `mean` 1 1ᵀ / rows where there is an intercept: see `heldOutResiduals`. */
  readonly matrix: Tensor;
  readonly mean: number | undefined;
}

/**
 * K = Z Zᵀ of the training rows, from blocks of columns; with an intercept raised by as much as K is elsewhere. Rows of Z are
 * centred, so that no weight hears of it.
 *
 * @returns a tensor of the caller
 */
export async function rowEquations(
  { voxels, lags, intercept }: Readout,
  design: DesignColumns,
  backend: Backend,
  precision: Precision,
  options: OpOptions,
): Promise<RowEquations> {
  const { signal } = options;
  const { rows } = design;
  let matrix: Tensor | undefined;
  const replace = (next: (before: Tensor | undefined) => Tensor) => {
    const before = matrix;
    matrix = backend.scope(() => next(before));
    before?.dispose();
  };
  try {
    for (let from = 0; from < voxels * lags; from += COLUMNS_AT_ONCE) {
      throwIfAborted(signal, 'intervals');
      const to = Math.min(voxels * lags, from + COLUMNS_AT_ONCE);
      const values = await design.read(from, to, signal);
      replace((before) => {
        const part = gram(moveTo(backend, values, [rows, to - from], precision, options), options);
        return before ? add(before, part, options) : part;
      });
    }
    if (!intercept) return { matrix: matrix!, mean: undefined };
    const diagonal = await diagonalOf(matrix!, options);
    const mean = diagonal.reduce((sum, value) => sum + value / rows, 0);
    replace((before) => add(before!, mean / rows, options));
    return { matrix: matrix!, mean };
  } catch (error) {
    matrix?.dispose();
    throw error;
  }
}

async function diagonalOf(matrix: Tensor, options: OpOptions): Promise<Float64Array> {
  const n = matrix.shape[0]!;
  const diagonal = new Float64Array(n);
  for (let from = 0; from < n; from += DIAGONAL_BLOCK) {
    const rows = Int32Array.from({ length: Math.min(DIAGONAL_BLOCK, n - from) }, (_, i) => from + i);
    const [block] = await matrix.backend.compute(() => [gather(matrix, { ...options, rows, cols: rows })]);
    for (const [i, row] of rows.entries()) diagonal[row] = block![i * rows.length + i]!;
  }
  return diagonal;
}

/** Blocks of the inverse of a factorised matrix, by solutions for some columns of the identity: it is never held whole. */
export function inverseOf(factor: Tensor, options: OpOptions): BlockOfInverse {
  const { backend, dtype, shape } = factor;
  const n = shape[0]!;
  return async (rows) => {
    throwIfAborted(options.signal, 'intervals');
    const width = rows.length;
    const columns = dtype === 'f64' ? new Float64Array(n * width) : new Float32Array(n * width);
    for (const [i, row] of rows.entries()) columns[row * width + i] = 1;
    const [block] = await backend.compute(() => {
      const identity = backend.adopt(columns.buffer, [n, width], dtype);
      return [gather(choleskySolve(factor, identity, options), { ...options, rows })];
    });
    return block as Float32Array | Float64Array;
  };
}
