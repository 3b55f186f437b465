import { DataError, type ReferenceKernel, rowsOf } from './kernel.ts';

const MAX_SWEEPS = 60;

/**
 * Cyclic Jacobi (Golub and Van Loan, Matrix Computations, 4th ed., section 8.5): rotations zero one off-diagonal
 * pair after the other until all are negligible. Slow and as accurate as the data allow, small eigenvalues
 * included.
 */
export const eigh: ReferenceKernel = ([a], [values, vectors]) => {
  const n = rowsOf(a!);
  const work = symmetrised(a!.data, n);
  const q = identity(n);
  for (let sweep = 0; !isDiagonal(work, n); sweep++) {
    if (sweep === MAX_SWEEPS || !work.every(Number.isFinite)) {
      throw new DataError('NO_CONVERGENCE', `Jacobi did not converge in ${sweep} sweeps`, {
        expected: 'a matrix of finite numbers',
      });
    }
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) rotate(work, q, n, i, j);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => work[i * n + i]! - work[j * n + j]!);
  order.forEach((from, to) => {
    values!.data[to] = work[from * n + from]!;
    const sign = signOfLargest(q, n, from);
    for (let row = 0; row < n; row++) vectors!.data[row * n + to] = sign * q[row * n + from]!;
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

/** True when what is left off the diagonal cannot move an eigenvalue by more than rounding does. NaN is not. */
function isDiagonal(a: Float64Array, n: number): boolean {
  let off = 0;
  let all = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const square = a[i * n + j]! ** 2;
      all += square;
      if (i !== j) off += square;
    }
  }
  return off <= (Number.EPSILON / 4) ** 2 * all;
}

/** One rotation in the plane (i, j) that zeroes a[i][j]; q collects the rotations. */
function rotate(a: Float64Array, q: Float64Array, n: number, i: number, j: number): void {
  const pivot = a[i * n + j]!;
  if (pivot === 0) return;
  const theta = (a[j * n + j]! - a[i * n + i]!) / (2 * pivot);
  // The smaller root of t^2 + 2 theta t - 1 = 0: an angle of at most 45 degrees.
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cos = 1 / Math.sqrt(t * t + 1);
  const sin = t * cos;
  for (let k = 0; k < n; k++) {
    const ki = a[k * n + i]!;
    const kj = a[k * n + j]!;
    a[k * n + i] = cos * ki - sin * kj;
    a[k * n + j] = sin * ki + cos * kj;
  }
  for (let k = 0; k < n; k++) {
    const ik = a[i * n + k]!;
    const jk = a[j * n + k]!;
    a[i * n + k] = cos * ik - sin * jk;
    a[j * n + k] = sin * ik + cos * jk;
  }
  a[i * n + j] = 0;
  a[j * n + i] = 0;
  for (let k = 0; k < n; k++) {
    const ki = q[k * n + i]!;
    const kj = q[k * n + j]!;
    q[k * n + i] = cos * ki - sin * kj;
    q[k * n + j] = sin * ki + cos * kj;
  }
}

/** Sign of the entry of largest magnitude (the first of equals) of a column. */
function signOfLargest(q: Float64Array, n: number, col: number): number {
  let largest = 0;
  for (let row = 0; row < n; row++) {
    const value = q[row * n + col]!;
    if (Math.abs(value) > Math.abs(largest)) largest = value;
  }
  return largest < 0 ? -1 : 1;
}
