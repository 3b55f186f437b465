import type { Values } from '@fmri2image/core';
import { type RidgeData, responsesOf } from './ridgeData.ts';

/** Error of float32 sums that a solution may have: of the norm of its right-hand side, of the spread of predictions. */
const TOLERANCE = 1e-4;
/** Targets that are checked, evenly spread. */
const CHECKED = 5;

/** Targets that are checked. */
function sampled(targets: number): number[] {
  const count = Math.min(CHECKED, targets);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * targets) / count));
}

/** Columns centred on their means, float64. */
class Centred {
  readonly mean: Float64Array;
  readonly #values: Float32Array;
  readonly #columns: number;

  constructor(values: Float32Array, columns: number) {
    const rows = values.length / columns;
    this.mean = new Float64Array(columns);
    this.#values = values;
    this.#columns = columns;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) this.mean[j]! += values[i * columns + j]! / rows;
  }

  /** (values - mean)ᵀ c */
  turned(c: Float64Array): Float64Array {
    const result = new Float64Array(this.#columns);
    let sum = 0;
    c.forEach((weight, i) => {
      sum += weight;
      for (let j = 0; j < this.#columns; j++) result[j]! += weight * this.#values[i * this.#columns + j]!;
    });
    return result.map((value, j) => value - sum * this.mean[j]!);
  }

  /** (values - means of these or others) w */
  times(w: Float64Array, values = this.#values): Float64Array {
    const rows = values.length / this.#columns;
    let offset = 0;
    for (let j = 0; j < this.#columns; j++) offset += this.mean[j]! * w[j]!;
    return Float64Array.from({ length: rows }, (_, i) => {
      let sum = -offset;
      for (let j = 0; j < this.#columns; j++) sum += values[i * this.#columns + j]! * w[j]!;
      return sum;
    });
  }
}

const norm = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));

/** A column of [rows, columns] as float64. */
const column = (values: ArrayLike<number>, columns: number, j: number) =>
  Float64Array.from({ length: values.length / columns }, (_, i) => values[i * columns + j]!);

export interface Found {
  /** Weights of training rows [train, targets], where they were computed. */
  readonly dual?: Values | undefined;
  /** [test, targets], where they were. */
  readonly predictions?: Values | undefined;
  /** Of each target. */
  readonly alphas: ArrayLike<number>;
}

/**
 * Largest error over what is allowed, on some targets, by sums in float64 that share nothing with the engine: the dual
 * weights by their residual (X Xᵀ + alpha I) c - y, the predictions by weights that conjugate gradients find.
 */
export function checkRidge(data: RidgeData, found: Found): number {
  const { y, size, targets } = data;
  const { train, test } = responsesOf(data);
  const design = new Centred(train, size.voxels);
  const errors = sampled(targets).map((t) => {
    const alpha = found.alphas[t]!;
    const raw = column(y, targets, t);
    const mean = raw.reduce((sum, value) => sum + value / raw.length, 0);
    const b = raw.map((value) => value - mean);
    const apply = (c: Float64Array) =>
      design.times(design.turned(c)).map((value, i) => value + alpha * c[i]!);
    let error = 0;
    if (found.predictions) {
      const expected = design.times(design.turned(conjugateGradients(apply, b)), test);
      const predicted = column(found.predictions, targets, t);
      const spread = norm(expected) / Math.sqrt(expected.length);
      const worst = Math.max(...expected.map((value, i) => Math.abs(value + mean - predicted[i]!)));
      error = worst / (TOLERANCE * (spread + Math.abs(mean)));
    }
    if (!found.dual) return error;
    const residual = apply(column(found.dual, targets, t)).map((value, i) => value - b[i]!);
    return Math.max(error, norm(residual) / (TOLERANCE * norm(b)));
  });
  return Math.max(...errors); // NaN is not at most 1
}

/** Solves a positive definite system to the roundoff of float64 (Hestenes and Stiefel 1952). */
function conjugateGradients(apply: (c: Float64Array) => Float64Array, b: Float64Array): Float64Array {
  const x = new Float64Array(b.length);
  const r = b.slice();
  const p = b.slice();
  const size = (v: Float64Array) => v.reduce((sum, value) => sum + value ** 2, 0);
  let rr = size(r);
  const enough = rr * 1e-18;
  for (let step = 0; step < 400 && rr > enough; step++) {
    const image = apply(p);
    const length = rr / p.reduce((sum, value, i) => sum + value * image[i]!, 0);
    for (let i = 0; i < x.length; i++) {
      x[i]! += length * p[i]!;
      r[i]! -= length * image[i]!;
    }
    const next = size(r);
    for (let i = 0; i < p.length; i++) p[i] = r[i]! + (next / rr) * p[i]!;
    rr = next;
  }
  return x;
}
