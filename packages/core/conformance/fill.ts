import type { Random } from '../src/random.ts';
import { type Shape, sizeOf } from '../src/tensor.ts';

/** Makes the values of an operand; they are rounded to its type afterwards. */
export type Fill = (shape: Shape, random: Random) => Float64Array;

export function normal(mean = 0, deviation = 1): Fill {
  return (shape, random) => random.normals(sizeOf(shape)).map((value) => mean + deviation * value);
}

export function uniform(lowest: number, highest: number): Fill {
  return (shape, random) =>
    new Float64Array(sizeOf(shape)).map(() => lowest + (highest - lowest) * random.uniform());
}

/** Integers from `lowest` to `highest`, both included: many ties when there are few. */
export function integers(lowest: number, highest: number): Fill {
  return (shape, random) =>
    new Float64Array(sizeOf(shape)).map(() => lowest + random.integer(highest - lowest + 1));
}

/** These very values. */
export function values(...list: number[]): Fill {
  return () => Float64Array.from(list);
}

/** A cheap pattern for operands of millions of elements. */
export function ramp(period = 8191): Fill {
  return (shape) => new Float64Array(sizeOf(shape)).map((_, i) => (i % period) / 64 - 60);
}

/** Replaces element i by `value` where i mod `every` is `phase`. */
export function strewn(fill: Fill, value: number, every: number, phase = 1): Fill {
  return (shape, random) => fill(shape, random).map((old, i) => (i % every === phase ? value : old));
}

/** Makes every column j with j mod `every` = 1 constant, at a value that binary fractions cannot hold. */
export function constantColumns(fill: Fill, every = 3, value = 0.1): Fill {
  return (shape, random) => {
    const cols = shape.at(-1)!;
    return fill(shape, random).map((old, i) => ((i % cols) % every === 1 ? value : old));
  };
}

/** Shifts column j by `step` times j: columns of very different means. */
export function shiftedColumns(fill: Fill, step: number): Fill {
  return (shape, random) => {
    const cols = shape.at(-1)!;
    return fill(shape, random).map((old, i) => old + step * (i % cols));
  };
}

/** Makes every row i with i mod `every` = 1 zero. */
export function zeroRows(fill: Fill, every = 3): Fill {
  return (shape, random) => {
    const cols = shape.at(-1)!;
    return fill(shape, random).map((old, i) => (Math.floor(i / cols) % every === 1 ? 0 : old));
  };
}

/** The strict upper triangle becomes NaN: whoever reads it shows it. */
export function lowerOnly(fill: Fill): Fill {
  return (shape, random) => {
    const n = shape[1]!;
    return fill(shape, random).map((old, i) => (i % n > Math.floor(i / n) ? NaN : old));
  };
}

/** Symmetric, with the given eigenvalues and random eigenvectors. */
export function symmetric(spectrum: (index: number, n: number) => number): Fill {
  return ([n = 0], random) => {
    const q = orthonormal(n, random);
    const a = new Float64Array(n * n);
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < n; i++) {
        const factor = spectrum(k, n) * q[k * n + i]!;
        for (let j = 0; j <= i; j++) a[i * n + j]! += factor * q[k * n + j]!;
      }
    }
    return a.map((value, index) => {
      const [i, j] = [Math.floor(index / n), index % n];
      return j > i ? a[j * n + i]! : value;
    });
  };
}

/** Eigenvalues from 1 down to 1 / condition, evenly in their logarithm. */
export function positiveDefinite(condition = 100, scale = 1): Fill {
  return symmetric((k, n) => scale * condition ** (n > 1 ? -k / (n - 1) : 0));
}

/** A lower factor of condition about 10: diagonal from 1 to 2, the rest small. */
export function lowerFactor(): Fill {
  return (shape, random) => {
    const n = shape[1]!;
    return normal(0, 0.5 / Math.sqrt(n))(shape, random).map((old, i) => {
      const row = Math.floor(i / n);
      if (i % n === row) return 1 + Math.min(1, Math.abs(old) * Math.sqrt(n));
      return i % n > row ? NaN : old;
    });
  };
}

/** Rows of a random orthonormal matrix, by Gram-Schmidt done twice. */
function orthonormal(n: number, random: Random): Float64Array {
  const q = random.normals(n * n);
  for (let i = 0; i < n; i++) {
    const row = q.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = q.subarray(j * n, (j + 1) * n);
        let along = 0;
        for (let k = 0; k < n; k++) along += row[k]! * other[k]!;
        for (let k = 0; k < n; k++) row[k]! -= along * other[k]!;
      }
    }
    const norm = Math.hypot(...row);
    for (let k = 0; k < n; k++) row[k]! /= norm;
  }
  return q;
}
