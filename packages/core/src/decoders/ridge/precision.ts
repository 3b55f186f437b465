import { F2iError } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { gemm, mul, type OpOptions } from '../../ops/index.ts';
import { createRandom } from '../../random.ts';
import type { Tensor } from '../../tensor.ts';

export type Precision = 'f32' | 'f64';

/** In which arithmetic a fit was made, and why. */
export interface Numerics {
  readonly precision: Precision;
  /**
   * Condition number of the most weakly regularised equations if voxels are collinear (their smallest eigenvalue 0):
   * (largest eigenvalue + alpha) / alpha, the eigenvalue being an estimate.
   */
  readonly conditionBound: number;
  readonly reason: string;
}

/**
 * Above this bound on the condition number float32 may lose the third digit of coefficients (bound times the unit
 * roundoff 6e-8), which is where neighbouring alphas differ.
 */
export const CONDITION_LIMIT = 1e4;

const ITERATIONS = 12;
/** A step that gains less than this ends the iteration, but not before so many: a start may hold little of the largest one. */
const SMALLEST_GAIN = 0.001;
const LEAST_ITERATIONS = 6;
/** A step makes a vector longer by the square root of its length at most (a random start holds that share of the largest). */
const STEPS_AT_ONCE = 4;

/**
 * Largest eigenvalue of x xᵀ by power iteration from a fixed random start. Approaches from below; twelve steps
 * bring it within some 15 per cent, more than a choice of arithmetic needs, and fewer do where they gain little.
 *
 * @param x [n, p]
 */
export async function largestEigenvalue(x: Tensor, options: OpOptions = {}): Promise<number> {
  return powerIteration(x, (v) => gemm(x, gemm(x, v, { ...options, transA: true }), options), options);
}

/** The same of a symmetric matrix [n, n] without negative eigenvalues. */
export async function largestEigenvalueOf(matrix: Tensor, options: OpOptions = {}): Promise<number> {
  return powerIteration(matrix, (v) => gemm(matrix, v, options), options);
}

/**
 * Several steps are enqueued between two waits: divided by the last estimate each, vectors keep their size well enough.
 *
 * @param apply the matrix times a column [n, 1], n the rows of `like`
 */
async function powerIteration(
  like: Tensor,
  apply: (v: Tensor) => Tensor,
  options: OpOptions,
): Promise<number> {
  const { backend, dtype, shape } = like;
  const n = shape[0]!;
  let vector = normalised(createRandom(1).normals(n));
  let eigenvalue = 0;
  for (let done = 0; done < ITERATIONS; ) {
    const steps = done === 0 ? 1 : Math.min(STEPS_AT_ONCE, ITERATIONS - done);
    const scale = done === 0 ? 1 : 1 / eigenvalue;
    const images = await backend.compute(() => {
      let v = backend.tensor(dtype === 'f64' ? vector : Float32Array.from(vector), [n, 1], dtype);
      return Array.from({ length: steps }, () => {
        v = mul(apply(v), scale, options);
        return v;
      });
    });
    let length = 1;
    for (const image of images) {
      const before = eigenvalue;
      const norm = normOf(Float64Array.from(image));
      eigenvalue = norm / length / scale;
      length = norm;
      done++;
      if (!(eigenvalue > 0)) return eigenvalue;
      if (done > LEAST_ITERATIONS && eigenvalue < before * (1 + SMALLEST_GAIN)) return eigenvalue;
    }
    vector = normalised(Float64Array.from(images.at(-1)!));
  }
  return eigenvalue;
}

/** In short pieces: `Math.hypot` takes its values as arguments. */
function normOf(values: Float64Array): number {
  const norms: number[] = [];
  for (let i = 0; i < values.length; i += 1024) norms.push(Math.hypot(...values.subarray(i, i + 1024)));
  return Math.hypot(...norms);
}

function normalised(values: Float64Array): Float64Array {
  const norm = normOf(values);
  return values.map((value) => value / norm);
}

/**
 * Chooses the arithmetic. `auto` takes float32 unless the conditioning asks for float64 and the device has it.
 *
 * @param x centred design [n, p] in float32
 * @param smallestAlpha of the grid
 */
export async function choosePrecision(
  x: Tensor,
  smallestAlpha: number,
  requested: Precision | 'auto',
  options: OpOptions = {},
): Promise<Numerics> {
  const { backend } = x;
  const f64 = hasFloat64(backend);
  if (requested === 'f64' && !f64) {
    throw new F2iError('UNSUPPORTED', 'this device computes in float32 only', {
      backend: backend.name,
      field: 'precision',
      expected: 'auto or f32',
      found: 'f64',
    });
  }
  const eigenvalue = await largestEigenvalue(x, options);
  const conditionBound = (eigenvalue + smallestAlpha) / smallestAlpha;
  const bound = `condition number up to ${conditionBound.toExponential(1)}`;
  if (requested !== 'auto') return { precision: requested, conditionBound, reason: `as asked; ${bound}` };
  if (conditionBound <= CONDITION_LIMIT) return { precision: 'f32', conditionBound, reason: bound };
  return f64
    ? { precision: 'f64', conditionBound, reason: `${bound}, above ${CONDITION_LIMIT}` }
    : { precision: 'f32', conditionBound, reason: `${bound}, but ${backend.name} has no float64` };
}

/** A sentence for the report where float32 was not enough, else undefined. */
export function precisionWarning({
  precision,
  conditionBound,
  reason,
}: Omit<Numerics, 'precision'> & { readonly precision: Precision | 'refined' }): string | undefined {
  if (precision !== 'f32' || conditionBound <= CONDITION_LIMIT) return undefined;
  return `computed in float32 although ill-conditioned (${reason}): weakly regularised coefficients and the choice among small alphas may be inexact`;
}
