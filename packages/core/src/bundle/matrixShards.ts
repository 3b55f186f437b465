import { safetensorsHeader } from '../data/formats/safetensors.ts';
import { elementBytes } from '../data/ndarray.ts';
import { F2iError } from '../error.ts';

/** Files of a bundle stay below 1 GiB, header included. */
export const SHARD_BYTES = 2 ** 30 - 2 ** 20;

/** Rows of a matrix that have a file of weights to themselves. */
export interface MatrixShard {
  readonly from: number;
  readonly to: number;
  /** First bytes of the file; rows follow it, one behind the other. */
  readonly header: Uint8Array;
  /** Of the whole file. */
  readonly bytes: number;
}

/**
 * Plans the files of a matrix that is written row by row, at known places.
 *
 * @throws UNSUPPORTED for rows larger than a file
 */
export function matrixShards(
  name: string,
  { dtype, rows, columns }: { dtype: 'f32' | 'f64'; rows: number; columns: number },
  limit = SHARD_BYTES,
): MatrixShard[] {
  const rowBytes = columns * elementBytes(dtype);
  if (rowBytes > limit) {
    throw new F2iError('UNSUPPORTED', 'one row of a matrix is larger than a file of a bundle', {
      field: name,
      expected: `at most ${limit} bytes`,
      found: `${rowBytes}`,
    });
  }
  const most = Math.floor(limit / rowBytes);
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => {
    const [from, to] = [i * most, Math.min(rows, (i + 1) * most)];
    const header = safetensorsHeader([{ name, dtype, shape: [to - from, columns] }], {
      format: 'fmri2image-bundle',
    });
    return { from, to, header, bytes: header.length + (to - from) * rowBytes };
  });
}
