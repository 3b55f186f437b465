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
  const part = async (
    some: ArrayLike<number>,
    [from, to]: [number, number],
    signal?: AbortSignal,
    into?: Values,
  ) => asFloat32(await source.read(some, from, to, signal, into));
  return {
    train: rows.train.length,
    test: rows.test.length,
    voxels: source.columns,
    async read(from, to, signal, into) {
      return {
        train: await part(rows.train, [from, to], signal, into?.train),
        test: await part(rows.test, [from, to], signal, into?.test),
      };
    },
    ledger,
  };
}

function asFloat32(values: Values): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}
