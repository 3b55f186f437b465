import { columnMeans, identity } from '../decoders/ridge/matrices.ts';
import {
  choleskyFactor,
  choleskySolve,
  div,
  gemm,
  gram,
  maximum,
  mul,
  type OpOptions,
  sqrt,
  squareOf,
} from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';

/** Beyond this condition number the covariance of predictions counts as singular. */
export const CONDITION = { f64: 1e6, f32: 1e4 } as const;

/** Smaller squared norms are those of predictions that do not vary. */
const NOTHING = 1e-30;
const STEPS = 20;

/** Each column over its squared norm, s_k / |s_k|²; columns of zeros stay zeros. Within a scope. */
export function overVariances(s: Tensor, options: OpOptions): Tensor {
  const squares = mul(columnMeans(squareOf(s, options), options), s.shape[0]!, options);
  return div(s, maximum(squares, NOTHING, options), options);
}

/**
 * S (Sᵀ S + shift I)⁻¹ for centred S [rows, targets], by the smaller of two equations:
 * S (Sᵀ S + c I)⁻¹ = (S Sᵀ + c I)⁻¹ S. The shift is 0 unless the condition number asks for one.
 *
 * @returns a tensor of the caller, and the condition number of Sᵀ S (infinite where it has no inverse)
 */
export async function overCovariance(
  s: Tensor,
  options: OpOptions,
): Promise<{ weights: Tensor; condition: number; shift: number }> {
  const { backend } = s;
  const [rows, targets] = s.shape as [number, number];
  const limit = CONDITION[s.dtype as 'f32' | 'f64'];
  const tall = targets < rows;
  const matrix = backend.scope(() => gram(s, { ...options, of: tall ? 'columns' : 'rows' }));
  try {
    const largest = await largestEigenvalue(matrix, (v) => gemm(matrix, v, options), options);
    // Centred predictions, as many as rows, are never independent.
    const invertible = targets < rows - 1 && largest > 0;
    const condition = invertible ? await conditionOf(matrix, largest, options) : Number.POSITIVE_INFINITY;
    const shift = condition > limit ? Math.max(largest, NOTHING) / limit : 0;
    const weights = backend.scope(() => {
      const factor = choleskyFactor(matrix, { ...options, shift });
      if (!tall) return choleskySolve(factor, s, options);
      return gemm(s, choleskySolve(factor, identity(backend, targets, s.dtype), options), options);
    });
    return { weights, condition, shift };
  } finally {
    matrix.dispose();
  }
}

/**
 * Largest eigenvalue over the smallest, by iteration with the matrix and with its inverse; infinite where it has none.
 *
 * @param largest eigenvalue of the matrix with its shift
 * @param shift added to the diagonal
 */
export async function conditionOf(
  matrix: Tensor,
  largest: number,
  options: OpOptions,
  shift = 0,
): Promise<number> {
  const { backend } = matrix;
  const factor = backend.scope(() => choleskyFactor(matrix, { ...options, shift }));
  try {
    const inverse = await largestEigenvalue(matrix, (v) => choleskySolve(factor, v, options), options);
    return Number.isFinite(inverse) ? largest * inverse : Number.POSITIVE_INFINITY;
  } catch (error) {
    if ((error as { code?: string }).code !== 'NOT_POSITIVE_DEFINITE') throw error;
    return Number.POSITIVE_INFINITY;
  } finally {
    factor.dispose();
  }
}

/** By power iteration from a fixed start. */
async function largestEigenvalue(
  like: Tensor,
  apply: (vector: Tensor) => Tensor,
  options: OpOptions,
): Promise<number> {
  const n = like.shape[0]!;
  const [square] = await like.backend.compute(() => {
    let vector = start(like, n);
    let norm = vector;
    for (let step = 0; step < STEPS; step++) {
      const image = apply(vector);
      norm = gemm(image, image, { ...options, transA: true });
      vector = div(image, maximum(sqrt(norm, options), NOTHING, options), options);
    }
    return [norm];
  });
  return Math.sqrt((square as Float64Array)[0]!);
}

/** A fixed column that is orthogonal to nothing in particular. */
function start({ backend, dtype }: Tensor, n: number): Tensor {
  const values = Float64Array.from({ length: n }, (_, i) => 1 + 0.5 * Math.sin(1.7 * i));
  return backend.tensor(dtype === 'f64' ? values : Float32Array.from(values), [n, 1], dtype);
}
