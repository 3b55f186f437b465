import { F2iError } from '../error.ts';
import type { Rows } from '../rows.ts';
import { rowExtents } from '../rows.ts';

/** First and last row (exclusive) of each stretch of rows with one label. */
export function stretches(
  labels: ArrayLike<string | number>,
): { label: string; start: number; end: number }[] {
  const found: { label: string; start: number; end: number }[] = [];
  for (let i = 0; i < labels.length; i++) {
    const last = found.at(-1);
    if (last && String(labels[i]) === last.label) last.end = i + 1;
    else found.push({ label: String(labels[i]), start: i, end: i + 1 });
  }
  return found;
}

/**
 * Time-lagged voxels: row t becomes the volumes t + lag side by side. The response to a stimulus arrives seconds
 * later, so lags are positive. Rows never cross a border of runs: what would lie beyond one is the run's last (or
 * first) volume, so that a held-out run is decoded from its own volumes alone.
 *
 * @param volumes [n, v]
 * @param lags in volumes
 * @param runs label of each volume; one run when absent
 * @returns [n, lags.length * v]; column l * v + j is voxel j at lag l
 */
export function lagVoxels(
  volumes: Rows,
  lags: readonly number[],
  runs?: ArrayLike<string | number>,
): { data: Float32Array; shape: [number, number] } {
  const [n, v] = rowExtents(volumes, 'voxels');
  if (lags.length === 0 || lags.some((lag) => !Number.isInteger(lag))) {
    throw new F2iError('INVALID_ARGUMENT', 'lags are whole numbers of volumes', {
      field: 'lags',
      expected: 'at least one whole number',
      found: `[${lags.join(', ')}]`,
    });
  }
  if (runs && runs.length !== n) {
    throw new F2iError('INVALID_ARGUMENT', 'one run label for each volume', {
      field: 'runs',
      expected: `${n}`,
      found: `${runs.length}`,
    });
  }
  const width = lags.length * v;
  const data = new Float32Array(n * width);
  for (const { start, end } of runs ? stretches(runs) : [{ start: 0, end: n }]) {
    for (let t = start; t < end; t++) {
      for (const [l, lag] of lags.entries()) {
        const from = Math.min(end - 1, Math.max(start, t + lag));
        data.set(volumes.data.subarray(from * v, (from + 1) * v), t * width + l * v);
      }
    }
  }
  return { data, shape: [n, width] };
}
