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

/**
 * One rotation in the plane (i, j) that zeroes a[i][j]; q collects the rotations. Written with tan(angle / 2) as
 * small corrections to the old values, so that the many small angles of the last sweeps add almost no rounding.
 */
function rotate(a: Float64Array, q: Float64Array, n: number, i: number, j: number): void {
  const pivot = a[i * n + j]!;
  if (pivot === 0) return;
  const theta = (a[j * n + j]! - a[i * n + i]!) / (2 * pivot);
  // The smaller root of t^2 + 2 theta t - 1 = 0: an angle of at most 45 degrees.
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cos = 1 / Math.sqrt(t * t + 1);
  const sin = t * cos;
  const tanHalf = sin / (1 + cos);
  /** Turns the pair of numbers at two positions. */
  const turn = (x: Float64Array, at: number, and: number): void => {
    const [first, second] = [x[at]!, x[and]!];
    x[at] = first - sin * (second + tanHalf * first);
    x[and] = second + sin * (first - tanHalf * second);
  };
  a[i * n + i]! -= t * pivot;
  a[j * n + j]! += t * pivot;
  a[i * n + j] = 0;
  a[j * n + i] = 0;
  for (let k = 0; k < n; k++) {
    turn(q, k * n + i, k * n + j);
    if (k === i || k === j) continue;
    turn(a, k * n + i, k * n + j);
    a[i * n + k] = a[k * n + i]!;
    a[j * n + k] = a[k * n + j]!;
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
