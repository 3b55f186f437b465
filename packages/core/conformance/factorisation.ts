/** Checks of factorisations and solves: residuals and orthogonality in float64, not entries. */
import type { CholeskyFactorAttributes } from '../src/ops/cholesky_factor.ts';
import type { TriangularSolveAttributes } from '../src/ops/triangular_solve.ts';
import type { View } from '../src/reference/kernel.ts';
import type { Check, Verdict } from './suite.ts';
import { unitRoundoff, worse } from './tolerance.ts';

function verdict(where: string, residual: number, scale: number, tolerance: number): Verdict {
  if (residual === 0) return { worst: 0, where };
  const relative = residual / scale;
  return {
    worst: Number.isNaN(relative) ? Infinity : relative / tolerance,
    where: `${where}: ${relative.toExponential(2)} (allowed ${tolerance.toExponential(2)})`,
  };
}

/** u n, and a few u for the smallest matrices. */
function allowed(view: View, n: number): number {
  return unitRoundoff(view.dtype) * (n + 8);
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Full symmetric matrix, with `shift` on its diagonal, from the lower triangle of a. */
function symmetricFrom(a: View, shift = 0): Float64Array {
  const n = a.shape[0]!;
  return new Float64Array(n * n).map((_, index) => {
    const [i, j] = [Math.floor(index / n), index % n];
    return a.data[Math.max(i, j) * n + Math.min(i, j)]! + (i === j ? shift : 0);
  });
}

/** Zeros above the diagonal. */
function lowerPart(l: View): Float64Array {
  const n = l.shape[0]!;
  return l.data.map((value, index) => (index % n > Math.floor(index / n) ? 0 : value));
}

/** x y for row-major x [m, k] and y [k, n]. */
function product(x: Float64Array, y: Float64Array, m: number, k: number, n: number): Float64Array {
  const z = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const factor = x[i * k + l]!;
      for (let j = 0; j < n; j++) z[i * n + j]! += factor * y[l * n + j]!;
    }
  }
  return z;
}

function transpose(x: Float64Array, rows: number, cols: number): Float64Array {
  return new Float64Array(x.length).map((_, index) => x[(index % rows) * cols + Math.floor(index / rows)]!);
}

function difference(x: Float64Array, y: Float64Array): Float64Array {
  return x.map((value, i) => value - y[i]!);
}

/** l lᵀ restores the matrix; the diagonal is positive, the strict upper triangle exactly zero. */
export const choleskyFactors: Check<CholeskyFactorAttributes> = ({ inputs, attributes, actual }) => {
  const a = symmetricFrom(inputs[0]!, attributes.shift);
  const l = actual[0]!;
  const n = l.shape[0]!;
  for (let i = 0; i < n; i++) {
    if (!(l.data[i * n + i]! > 0)) return { worst: Infinity, where: `l[${i}, ${i}] is not positive` };
    for (let j = i + 1; j < n; j++) {
      if (l.data[i * n + j] !== 0) return { worst: Infinity, where: `l[${i}, ${j}] is not zero` };
    }
  }
  const restored = product(l.data, transpose(l.data, n, n), n, n, n);
  return verdict('|l lᵀ - a| / |a|', norm(difference(restored, a)), norm(a), allowed(l, n));
};

/** Column by column: the residual against what enters it, |factor| |x| + |b|. */
function solves(where: string, factors: Float64Array[], x: View, b: View): Verdict {
  const [n, t] = x.shape as [number, number];
  const scale = factors.reduce((all, factor) => all * norm(factor), 1);
  let worst: Verdict = { worst: 0, where };
  for (let j = 0; j < t; j++) {
    const column = (view: View) => Float64Array.from({ length: n }, (_, i) => view.data[i * t + j]!);
    const solution = column(x);
    const target = column(b);
    const applied = factors.reduceRight((vector, factor) => product(factor, vector, n, n, 1), solution);
    const residual = norm(difference(applied, target));
    const size = scale * norm(solution) + norm(target);
    worst = worse(worst, verdict(`${where}, column ${j}`, residual, size, allowed(x, n)));
  }
  return worst;
}

export const choleskySolutions: Check = ({ inputs, actual }) => {
  const l = lowerPart(inputs[0]!);
  const n = inputs[0]!.shape[0]!;
  return solves('|l lᵀ x - b|', [l, transpose(l, n, n)], actual[0]!, inputs[1]!);
};

export const triangularSolutions: Check<TriangularSolveAttributes> = ({ inputs, attributes, actual }) => {
  const l = lowerPart(inputs[0]!);
  const n = inputs[0]!.shape[0]!;
  const factor = attributes.transpose ? transpose(l, n, n) : l;
  return solves('|l x - b|', [factor], actual[0]!, inputs[1]!);
};

/**
 * a q = q diag(w), qᵀ q = I, w ascending and equal to the reference's to within the norm of the matrix; each
 * eigenvector's entry of largest magnitude is positive (one of the nearly largest, as rounding to the output's
 * type may make ties).
 */
export const eigenpairs: Check = ({ inputs, expected, actual }) => {
  const a = symmetricFrom(inputs[0]!);
  const [w, q] = actual as [View, View];
  const n = w.shape[0]!;
  const limit = allowed(q, n);
  for (let j = 0; j + 1 < n; j++) {
    if (!(w.data[j]! <= w.data[j + 1]!))
      return { worst: Infinity, where: `values ${j} and ${j + 1} descend` };
  }
  for (let j = 0; j < n; j++) {
    const column = Float64Array.from({ length: n }, (_, i) => q.data[i * n + j]!);
    const largest = Math.max(...column.map(Math.abs));
    if (!(Math.max(...column) >= largest * (1 - 8 * unitRoundoff(q.dtype)))) {
      return { worst: Infinity, where: `the largest entry of eigenvector ${j} is not positive` };
    }
  }
  const scaled = q.data.map((value, index) => value * w.data[index % n]!);
  const gram = product(transpose(q.data, n, n), q.data, n, n, n);
  for (let i = 0; i < n; i++) gram[i * n + i]! -= 1;
  return [
    verdict('|a q - q w| / |a|', norm(difference(product(a, q.data, n, n, n), scaled)), norm(a), limit),
    verdict('|qᵀ q - I| / sqrt(n)', norm(gram), Math.sqrt(n), limit),
    verdict('|w - reference| / |a|', norm(difference(w.data, expected[0]!.data)), norm(a), limit),
  ].reduce(worse);
};
