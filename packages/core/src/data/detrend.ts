import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';
import { stretches } from './lags.ts';

export interface DetrendOptions {
  /** Seconds from one volume to the next. */
  tr: number;
  /** Fluctuations slower than this are removed; 128 s is SPM's default. */
  cutoffSeconds: number;
  /** Label of each volume; one run when absent. */
  runs?: ArrayLike<string | number> | undefined;
}

/**
 * Removes slow drifts: in each run, each voxel's projection on a constant, a line and the discrete cosines below the
 * cutoff (the high-pass filter of SPM and fMRIPrep), then gives the run its voxel's mean back, so that values stay in
 * their units. Every run is treated by itself and without its labels.
 *
 * @param volumes [n, v]
 * @returns [n, v]
 */
export function detrend(
  volumes: Rows,
  options: DetrendOptions,
): { data: Float32Array; shape: [number, number] } {
  const [n, v] = rowExtents(volumes, 'voxels');
  const { tr, cutoffSeconds, runs } = options;
  if (!(tr > 0 && cutoffSeconds > 2 * tr)) {
    throw new F2iError('INVALID_ARGUMENT', 'the cutoff must be longer than two volumes', {
      field: 'cutoffSeconds',
      expected: `more than ${2 * tr} s`,
      found: `${cutoffSeconds} s`,
    });
  }
  const data = Float32Array.from(volumes.data);
  for (const { start, end } of runs ? stretches(runs) : [{ start: 0, end: n }]) {
    const basis = driftBasis(end - start, tr, cutoffSeconds);
    const weights = new Float64Array(v);
    for (const regressor of basis) {
      weights.fill(0);
      for (let t = start; t < end; t++) {
        for (let j = 0; j < v; j++) weights[j]! += regressor[t - start]! * data[t * v + j]!;
      }
      for (let t = start; t < end; t++) {
        for (let j = 0; j < v; j++) data[t * v + j]! -= regressor[t - start]! * weights[j]!;
      }
    }
  }
  return { data, shape: [n, v] };
}

/** Orthonormal regressors without a constant part: a line and cosines, by Gram-Schmidt. */
function driftBasis(length: number, tr: number, cutoffSeconds: number): Float64Array[] {
  const cosines = Math.floor((2 * length * tr) / cutoffSeconds);
  const raw = [
    Float64Array.from({ length }, (_, t) => t),
    ...Array.from({ length: cosines }, (_, k) =>
      Float64Array.from({ length }, (_, t) => Math.cos((Math.PI * (k + 1) * (t + 0.5)) / length)),
    ),
  ];
  const basis: Float64Array[] = [Float64Array.from({ length }, () => 1 / Math.sqrt(length))];
  for (const regressor of raw) {
    const scale = norm(regressor);
    for (const earlier of basis) {
      const overlap = regressor.reduce((sum, value, t) => sum + value * earlier[t]!, 0);
      for (let t = 0; t < length; t++) regressor[t]! -= overlap * earlier[t]!;
    }
    const rest = norm(regressor);
    // Short runs have fewer directions than regressors.
    if (rest > 1e-8 * scale) basis.push(regressor.map((value) => value / rest));
  }
  return basis.slice(1);
}

function norm(x: Float64Array): number {
  return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
}
