import type { FittedStep } from '../../../bundle/contents.ts';
import type { MatrixSource, Values } from '../../../data/matrix/matrix.ts';
import type { Design } from './types.ts';

/**
 * Rows of a matrix as a design: responses that are normalised and averaged already.
 *
 * @param source [rows, voxels]
 * @param rows of the source; a row may stand twice
 * @param ledger what was fitted on which runs before
 */
export function matrixDesign(
  source: MatrixSource,
  rows: { readonly train: ArrayLike<number>; readonly test: ArrayLike<number> },
  ledger: readonly FittedStep[] = [],
): Design {
  const matrix = { source, train: Int32Array.from(rows.train), test: Int32Array.from(rows.test) };
  const part = async (some: Int32Array, [from, to]: [number, number], signal?: AbortSignal, into?: Values) =>
    asFloat32(await source.read(some, from, to, signal, into));
  return {
    train: matrix.train.length,
    test: matrix.test.length,
    voxels: source.columns,
    matrix,
    async read(from, to, signal, into) {
      return {
        train: await part(matrix.train, [from, to], signal, into?.train),
        test: await part(into?.trainOnly ? NO_ROWS : matrix.test, [from, to], signal, into?.test),
      };
    },
    ledger,
  };
}

const NO_ROWS = new Int32Array(0);

function asFloat32(values: Values): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}
