import type { HostArray, Random } from '@fmri2image/core';
import { gatherIndex, type HostOperand } from './cases.ts';
import type { BenchShape } from './shape.ts';

/**
 * Checks of a benchmark's result in the run that is timed: sampled entries against float64 sums over the same
 * operands. Each returns the largest error over what the type allows (at most 1 when right).
 */
type Check = (shape: BenchShape, inputs: HostOperand[], outputs: HostArray[], random: Random) => number;

const SAMPLES = 200;

function epsilon({ dtype }: BenchShape): number {
  return dtype === 'f32' ? 2 ** -23 : 2 ** -52;
}

/** Worst of sampled errors; NaN counts as wrong, not as small. */
function worst(count: number, error: (i: number) => number): number {
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const value = error(i);
    if (!(value <= largest)) largest = Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  }
  return largest;
}

/** A sum of products with the error that its magnitudes allow: 4 eps (sqrt(k) + 1) sum |a b|. */
function dot(k: number, factor: (l: number) => [number, number], eps: number) {
  let value = 0;
  let magnitude = 0;
  for (let l = 0; l < k; l++) {
    const [a, b] = factor(l);
    value += a * b;
    magnitude += Math.abs(a * b);
  }
  return { value, allowed: (4 * eps * (Math.sqrt(k) + 1) * magnitude) / Math.sqrt(k) + Number.MIN_VALUE };
}

const relative = (found: number, expected: number, eps: number) =>
  Math.abs(found - expected) / (8 * eps * (Math.abs(expected) + 1e-30));

export const checks: Record<string, Check> = {
  gemm: (shape, [a, b], [y], random) => {
    const { m = 0, n = 0, k = 0, batch = 1 } = shape.extents;
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(batch * m), random.integer(n)];
      const first = Math.floor(i / m) * k; // row of b
      const { value, allowed } = dot(
        k,
        (l) => [a!.data[i * k + l]!, b!.data[(first + l) * n + j]!],
        epsilon(shape),
      );
      return Math.abs(y![i * n + j]! - value) / allowed;
    });
  },
  gram: (shape, [x], [y], random) => {
    const { n = 0, k = 0 } = shape.extents;
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(n), random.integer(n)];
      if (y![i * n + j] !== y![j * n + i]) return Number.POSITIVE_INFINITY;
      const { value, allowed } = dot(k, (l) => [x!.data[i * k + l]!, x!.data[j * k + l]!], epsilon(shape));
      return Math.abs(y![i * n + j]! - value) / allowed;
    });
  },
  cholesky_factor: (shape, [a], [l], random) => {
    const { n = 0 } = shape.extents;
    // Backward error of a Cholesky factorisation: |a - l lᵀ| <= (n + 1) eps |l| |lᵀ| (Higham 2002, Theorem 10.3).
    return worst(SAMPLES, () => {
      const i = random.integer(n);
      const j = random.integer(i + 1);
      const { value } = dot(j + 1, (p) => [l![i * n + p]!, l![j * n + p]!], epsilon(shape));
      return Math.abs(value - a!.data[i * n + j]!) / (16 * Math.sqrt(n) * epsilon(shape) * 2 * n);
    });
  },
  triangular_solve: (shape, [l, b], [y], random) => {
    const { n = 0, t = 0 } = shape.extents;
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(n), random.integer(t)];
      const { value, allowed } = dot(i + 1, (p) => [l!.data[i * n + p]!, y![p * t + j]!], epsilon(shape));
      return Math.abs(value - b!.data[i * t + j]!) / (allowed * Math.sqrt(i + 1) + 8 * epsilon(shape));
    });
  },
  cholesky_solve: (shape, [l, b], [y], random) => {
    const { n = 0, t = 0 } = shape.extents;
    // Residual of one column: l (lᵀ y) - b.
    const j = random.integer(t);
    const inner = new Float64Array(n);
    for (let p = 0; p < n; p++) {
      for (let q = p; q < n; q++) inner[p]! += l!.data[q * n + p]! * y![q * t + j]!;
    }
    return worst(SAMPLES, () => {
      const i = random.integer(n);
      const { value } = dot(i + 1, (p) => [l!.data[i * n + p]!, inner[p]!], epsilon(shape));
      return Math.abs(value - b!.data[i * t + j]!) / (64 * Math.sqrt(n) * epsilon(shape) * 8);
    });
  },
  eigh: (shape, [a], [w, q], random) => {
    const { n = 0 } = shape.extents;
    const norm = 4 * n;
    return worst(20, () => {
      const j = random.integer(n);
      let residual = 0;
      for (let s = 0; s < 20; s++) {
        const i = random.integer(n);
        let value = -w![j]! * q![i * n + j]!;
        for (let p = 0; p < n; p++) value += a!.data[i * n + p]! * q![p * n + j]!;
        residual = Math.max(residual, Math.abs(value));
      }
      return residual / (8 * Math.sqrt(n) * epsilon(shape) * norm);
    });
  },
  column_stats: (shape, [x], [mean, std], random) => {
    const { n = 0, v = 0 } = shape.extents;
    return worst(50, () => {
      const j = random.integer(v);
      let sum = 0;
      for (let i = 0; i < n; i++) sum += x!.data[i * v + j]!;
      let squares = 0;
      for (let i = 0; i < n; i++) squares += (x!.data[i * v + j]! - sum / n) ** 2;
      const meanError = Math.abs(mean![j]! - sum / n) / (8 * epsilon(shape));
      return Math.max(meanError, relative(std![j]!, Math.sqrt(squares / n), epsilon(shape)));
    });
  },
  standardize: (shape, [x, mean, std], [y], random) => {
    const { n = 0, v = 0 } = shape.extents;
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(n), random.integer(v)];
      const expected = (x!.data[i * v + j]! - mean!.data[j]!) / std!.data[j]!;
      return Math.abs(y![i * v + j]! - expected) / (4 * epsilon(shape) * (1 + Math.abs(expected)));
    });
  },
  pearson_columns: (shape, [a, b], [r], random) => {
    const { n = 0, t = 0 } = shape.extents;
    return worst(50, () => {
      const j = random.integer(t);
      const column = (x: HostOperand) => Float64Array.from({ length: n }, (_, i) => x.data[i * t + j]!);
      const [x, y] = [centred(column(a!)), centred(column(b!))];
      const expected = inner(x, y) / Math.sqrt(inner(x, x) * inner(y, y));
      return Math.abs(r![j]! - expected) / (8 * epsilon(shape));
    });
  },
  cosine_matrix: (shape, [a, b], [y], random) => {
    const { n = 0, m = 0, d = 0 } = shape.extents;
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(n), random.integer(m)];
      const row = (x: HostOperand, r: number) => Float64Array.from(x.data.subarray(r * d, (r + 1) * d));
      const [x, z] = [row(a!, i), row(b!, j)];
      return (
        Math.abs(y![i * m + j]! - inner(x, z) / Math.sqrt(inner(x, x) * inner(z, z))) / (16 * epsilon(shape))
      );
    });
  },
  top_k: (shape, [x], [values, indices], random) => {
    const { n = 0, m = 0, k = 0 } = shape.extents;
    return worst(20, () => {
      const i = random.integer(n);
      const expected = Array.from(x!.data.subarray(i * m, (i + 1) * m)).toSorted((p, q) => q - p);
      for (let r = 0; r < k; r++) {
        if (values![i * k + r] !== expected[r]) return Number.POSITIVE_INFINITY;
        if (x!.data[i * m + indices![i * k + r]!] !== expected[r]) return Number.POSITIVE_INFINITY;
      }
      return 0;
    });
  },
  elementwise: (shape, [a, b], [y], random) => {
    const { n = 0, v = 0 } = shape.extents;
    const round = shape.dtype === 'f32' ? Math.fround : (value: number) => value;
    return worst(SAMPLES, () => {
      const i = random.integer(n * v);
      return y![i] === round(a!.data[i]! + b!.data[i]!) ? 0 : Number.POSITIVE_INFINITY;
    });
  },
  gather: (shape, [x], [y], random) => {
    const { n = 0, v = 0, rows = 0 } = shape.extents;
    const index = gatherIndex(n, rows);
    return worst(SAMPLES, () => {
      const [i, j] = [random.integer(rows), random.integer(v)];
      return y![i * v + j] === x!.data[index[i]! * v + j] ? 0 : Number.POSITIVE_INFINITY;
    });
  },
  cast: (shape, [x], [y], random) => {
    const { n = 0, v = 0 } = shape.extents;
    return worst(SAMPLES, () => {
      const i = random.integer(n * v);
      // Half precision: half a unit of its 11-bit mantissa.
      return Math.abs(fromHalf(y![i]!) - x!.data[i]!) / (2 ** -11 * Math.abs(x!.data[i]!) + 2 ** -25);
    });
  },
};

function centred(x: Float64Array): Float64Array {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return x.map((value) => value - mean);
}

function inner(x: Float64Array, y: Float64Array): number {
  return x.reduce((sum, value, i) => sum + value * y[i]!, 0);
}

/** Value of an IEEE half given as its bits; infinities and NaN do not occur here. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
