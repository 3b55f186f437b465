import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';
import { stretches } from './lags.ts';

/**
 * Z-scores: each voxel of each run minus its mean over the volumes of the run, divided by their standard deviation (of
 * all volumes, ddof 0). Takes away what differs between runs, such as the scanner's gain. Every run is treated by itself
 * and without its labels. A voxel that does not change within a run becomes 0 there.
 *
 * @param volumes [n, v]
 * @param runs label of each volume
 * @returns [n, v]
 * @throws INVALID_ARGUMENT where labels and volumes are not as many
 */
export function standardizeRuns(
  volumes: Rows,
  runs: ArrayLike<string | number>,
): { data: Float32Array; shape: [number, number] } {
  const [n, v] = rowExtents(volumes, 'voxels');
  if (runs.length !== n) {
    throw new F2iError('INVALID_ARGUMENT', 'one run label for each volume', {
      field: 'runs',
      expected: `${n}`,
      found: `${runs.length}`,
    });
  }
  const data = new Float32Array(n * v);
  for (const { start, end } of stretches(runs)) {
    const mean = new Float64Array(v);
    const squares = new Float64Array(v);
    const each = (visit: (at: number, voxel: number) => void) => {
      for (let t = start; t < end; t++) for (let j = 0; j < v; j++) visit(t * v + j, j);
    };
    each((at, j) => {
      mean[j]! += volumes.data[at]! / (end - start);
    });
    each((at, j) => {
      squares[j]! += (volumes.data[at]! - mean[j]!) ** 2;
    });
    each((at, j) => {
      const std = Math.sqrt(squares[j]! / (end - start));
      // Rounding leaves a constant voxel a deviation far below its last digit.
      data[at] = std > 1e-7 * Math.abs(mean[j]!) ? (volumes.data[at]! - mean[j]!) / std : 0;
    });
  }
  return { data, shape: [n, v] };
}
