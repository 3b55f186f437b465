import { DataError, type ReferenceKernel, rowsOf } from './kernel.ts';

const MAX_SWEEPS = 60;

/**
 * Cyclic Jacobi (Golub and Van Loan, Matrix Computations, 4th ed., section 8.5): rotations zero one off-diagonal
 * pair after the other until all are negligible. Slow, simple, and as accurate as float64 allows.
 */
export const eigh: ReferenceKernel = ([a], [values, vectors]) => {
  const n = rowsOf(a!);
  const work = symmetrised(a!.data, n);
  const q = identity(n); // eigenvectors in rows
  // All entries below this together cannot move an eigenvalue by more than rounding does.
  const negligible = (Number.EPSILON / (4 * n)) * norm(work);
  let sweeps = 0;
  while (!isDiagonal(work, n, negligible)) {
    if (sweeps++ === MAX_SWEEPS || Number.isNaN(negligible)) {
      throw new DataError('NO_CONVERGENCE', 'Jacobi does not converge', {
        expected: `a matrix of finite numbers, ${MAX_SWEEPS} sweeps at most`,
      });
    }
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        if (Math.abs(work[i * n + j]!) > negligible) rotate(work, q, n, i, j);
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => work[i * n + i]! - work[j * n + j]!);
  order.forEach((from, to) => {
    const vector = q.subarray(from * n, (from + 1) * n);
    const sign = signOfLargest(vector);
    values!.data[to] = work[from * n + from]!;
    for (let row = 0; row < n; row++) vectors!.data[row * n + to] = sign * vector[row]!;
  });
};

/** Full matrix from the lower triangle. */
function symmetrised(a: Float64Array, n: number): Float64Array {
  const full = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      full[i * n + j] = a[i * n + j]!;
      full[j * n + i] = a[i * n + j]!;
    }
  }
  return full;
}

function identity(n: number): Float64Array {
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) q[i * n + i] = 1;
  return q;
}

/** Scaled by the largest entry, as squares could overflow; NaN where an entry is not finite. */
function norm(a: Float64Array): number {
  const largest = a.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (largest === 0) return 0;
  return largest * Math.sqrt(a.reduce((sum, value) => sum + (value / largest) ** 2, 0));
}

/** A matrix with entries that are not finite is not diagonal. */
function isDiagonal(a: Float64Array, n: number, negligible: number): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const value = a[i * n + j]!;
      if (i === j ? !Number.isFinite(value) : !(Math.abs(value) <= negligible)) return false;
    }
  }
  return true;
}

/**
 * One rotation in the plane (i, j) that zeroes a[i][j]; the rows of q collect the rotations. Written with
 * tan(angle / 2) as small corrections to the old values, so that the many small angles of the last sweeps add
 * almost no rounding.
 */
function rotate(a: Float64Array, q: Float64Array, n: number, i: number, j: number): void {
  const pivot = a[i * n + j]!;
  const theta = (a[j * n + j]! - a[i * n + i]!) / (2 * pivot);
  // The smaller root of t^2 + 2 theta t - 1 = 0: an angle of at most 45 degrees.
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cos = 1 / Math.sqrt(t * t + 1);
  const sin = t * cos;
  const tanHalf = sin / (1 + cos);
  const diagonal = [a[i * n + i]! - t * pivot, a[j * n + j]! + t * pivot] as const;
  turnRows(a, n, i, j, sin, tanHalf);
  turnRows(q, n, i, j, sin, tanHalf);
  a[i * n + i] = diagonal[0];
  a[j * n + j] = diagonal[1];
  a[i * n + j] = 0;
  a[j * n + i] = 0;
  for (let k = 0; k < n; k++) {
    a[k * n + i] = a[i * n + k]!;
    a[k * n + j] = a[j * n + k]!;
  }
}

function turnRows(x: Float64Array, n: number, i: number, j: number, sin: number, tanHalf: number): void {
  for (let k = 0; k < n; k++) {
    const first = x[i * n + k]!;
    const second = x[j * n + k]!;
    x[i * n + k] = first - sin * (second + tanHalf * first);
    x[j * n + k] = second + sin * (first - tanHalf * second);
  }
}

/** Sign of the entry of largest magnitude (the first of equals). */
function signOfLargest(vector: Float64Array): number {
  const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return largest < 0 ? -1 : 1;
}
