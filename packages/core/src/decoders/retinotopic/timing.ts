import { F2iError } from '../../error.ts';

/** Where a volume lies: in which recording, and how many volumes after its start. */
export interface VolumePosition {
  readonly recording: string;
  readonly volume: number;
}

/**
 * Positions of rows. Without `volumes`, each run is a recording of its own and its rows follow each other from 0; with
 * them, runs may be stretches of one recording.
 */
export function volumePositions(
  runs: readonly string[],
  volumes: ArrayLike<number> | undefined,
  recordings: ArrayLike<string | number> | undefined,
): VolumePosition[] {
  const next = new Map<string, number>();
  const seen = new Set<string>();
  return runs.map((run, row) => {
    const recording = recordings ? String(recordings[row]) : volumes ? '' : run;
    const volume = volumes ? volumes[row]! : (next.get(recording) ?? 0);
    next.set(recording, volume + 1);
    if (!Number.isInteger(volume) || volume < 0) {
      throw invalid('not a count of volumes', 'whole numbers from 0', `${volume} (row ${row})`);
    }
    const key = `${volume} ${recording}`;
    if (seen.has(key)) {
      throw invalid('two rows are one volume', 'each volume once', `volume ${volume} again in row ${row}`);
    }
    seen.add(key);
    return { recording, volume };
  });
}

/** How many earlier frames the responses within `seconds` of a volume come from. */
export function framesWithin(seconds: number, tr: number, acquisition: number): number {
  return seconds > 0 ? Math.max(0, Math.ceil(seconds / tr - acquisition)) : 0;
}

/**
 * Training rows whose frames are all known as far back as the guard reaches: those that come soon after frames which
 * were held out (or not recorded) are left out. Before its first volume a recording shows nothing.
 */
export function rowsOutsideGuard(positions: readonly VolumePosition[], guardFrames: number): Int32Array {
  const known = new Set(positions.map(({ recording, volume }) => `${volume} ${recording}`));
  const isUsed = ({ recording, volume }: VolumePosition) => {
    for (let k = 1; k <= Math.min(guardFrames, volume); k++) {
      if (!known.has(`${volume - k} ${recording}`)) return false;
    }
    return true;
  };
  return Int32Array.from(positions.flatMap((position, row) => (isUsed(position) ? [row] : [])));
}

/** Known frames to volumes: the kernel as a matrix [rows.length, positions.length]; frames that are not known are blank. */
export function convolutionMatrix(
  positions: readonly VolumePosition[],
  rows: ArrayLike<number>,
  kernel: Float64Array,
): Float64Array {
  const rowAt = new Map(
    positions.map(({ recording, volume }, row) => [`${volume} ${recording}`, row] as const),
  );
  const matrix = new Float64Array(rows.length * positions.length);
  for (let i = 0; i < rows.length; i++) {
    const { recording, volume } = positions[rows[i]!]!;
    for (const [k, weight] of kernel.entries()) {
      const frame = rowAt.get(`${volume - k} ${recording}`);
      if (frame !== undefined) matrix[i * positions.length + frame] = weight;
    }
  }
  return matrix;
}

/** Orthonormal polynomials up to a degree over the rows of each recording: what of a series is baseline and drift. */
export function driftBasis(recordings: readonly string[], degree: number): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const name of new Set(recordings)) {
    const rows = recordings.flatMap((recording, row) => (recording === name ? [row] : []));
    const own: Float64Array[] = [];
    for (let power = 0; power <= Math.min(degree, rows.length - 1); power++) {
      const column = new Float64Array(recordings.length);
      rows.forEach((row, i) => {
        column[row] = (rows.length < 2 ? 1 : (2 * i) / (rows.length - 1) - 1) ** power;
      });
      for (const earlier of own) {
        const overlap = dot(column, earlier);
        for (const row of rows) column[row]! -= overlap * earlier[row]!;
      }
      const norm = Math.sqrt(dot(column, column));
      own.push(column.map((value) => value / norm));
    }
    basis.push(...own);
  }
  return basis;
}

/** Removes the drift from each column of a row-major matrix, in place. */
export function removeDrift(matrix: Float64Array, columns: number, basis: readonly Float64Array[]): void {
  const weights = new Float64Array(columns);
  for (const regressor of basis) {
    weights.fill(0);
    regressor.forEach((value, row) => {
      if (value === 0) return;
      for (let c = 0, at = row * columns; c < columns; c++, at++) weights[c]! += value * matrix[at]!;
    });
    regressor.forEach((value, row) => {
      if (value === 0) return;
      for (let c = 0, at = row * columns; c < columns; c++, at++) matrix[at]! -= value * weights[c]!;
    });
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function invalid(message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field: 'volumes', expected, found });
}
