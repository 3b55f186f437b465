import { F2iError } from '../../../error.ts';
import { add, cast, mul, sub } from '../../../ops/index.ts';
import { createRandom } from '../../../random.ts';
import type { Tensor } from '../../../tensor.ts';
import type { Context } from './context.ts';

/** Solves (matrix + alpha I) x = b for any number of right-hand sides, with one factor. */
export interface Solver {
  /** Enqueues; b and x [s, t] in the type of the matrix. */
  solve(b: Tensor): Tensor;
  /** Corrections of each solution; 0 without refinement. */
  readonly steps: number;
  dispose(): void;
}

/** A factor in the type of the matrix. */
export function directSolver(matrix: Tensor, alpha: number, { ops }: Context): Solver {
  const factor = ops.choleskyFactor(matrix, { shift: alpha });
  return { solve: (b) => ops.choleskySolve(factor, b), steps: 0, dispose: () => factor.dispose() };
}

/** Right-hand sides by which convergence is measured: random ones, which every eigenvector is part of. */
const PROBES = 4;
/** Error of solutions, relative to their norm, that rounding them to float32 hides. */
const TARGET_ERROR = 2 ** -26;
/** More corrections than these cost more than float64 does. */
const MOST_STEPS = 6;

/**
 * Iterative refinement: a factor in float32, residuals and solutions in float64,
 * x ← x + (L Lᵀ)⁻¹ (b - (matrix + alpha I) x). Each step leaves the same share of the error, about the condition number
 * times float32's roundoff (Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 12; Carson and Higham
 * 2018, SIAM J. Sci. Comput. 40:A817). How many it takes is measured once, on random right-hand sides, so that all blocks
 * of targets take the same and nothing waits for norms.
 *
 * @param matrix [s, s] float64
 * @returns undefined if it does not converge, or the factor does not exist in float32
 */
export async function refinedSolver(
  matrix: Tensor,
  alpha: number,
  context: Context,
): Promise<Solver | undefined> {
  const { backend, ops, options } = context;
  const factor = backend.scope(() => ops.choleskyFactor(cast(matrix, 'f32', options), { shift: alpha }));
  /** An approximate solution. */
  const approximate = (b: Tensor) => {
    const [rounded, result] = backend.scope(() => {
      const low = cast(b, 'f32', options);
      return [low, ops.choleskySolve(factor, low)];
    });
    rounded.dispose();
    const wide = cast(result, 'f64', options);
    result.dispose();
    return wide;
  };
  const corrected = (b: Tensor, x: Tensor): [x: Tensor, correction: Tensor] =>
    backend.scope(() => {
      // b - matrix x - alpha x
      const product = ops.gemm(matrix, x, { alpha: -1, c: b });
      const residual = sub(product, mul(x, alpha, options), options);
      product.dispose();
      const correction = approximate(residual);
      residual.dispose();
      return [add(x, correction, options), correction];
    });

  let steps: number | undefined;
  try {
    steps = await stepsNeeded();
  } catch (error) {
    factor.dispose();
    if (error instanceof F2iError && error.code === 'NOT_POSITIVE_DEFINITE') return undefined;
    throw error;
  }
  if (steps === undefined) {
    factor.dispose();
    return undefined;
  }
  const count = steps;
  return {
    steps: count,
    dispose: () => factor.dispose(),
    solve(b) {
      let x = approximate(b);
      for (let step = 0; step < count; step++) {
        const [better, correction] = corrected(b, x);
        correction.dispose();
        x.dispose();
        x = better;
      }
      return x;
    },
  };

  async function stepsNeeded(): Promise<number | undefined> {
    const size = matrix.shape[0]!;
    const owned: Tensor[] = [];
    const own = (tensor: Tensor): Tensor => {
      owned.push(tensor);
      return tensor;
    };
    try {
      const b = own(backend.tensor(createRandom(2).normals(size * PROBES), [size, PROBES], 'f64'));
      let x = own(backend.scope(() => approximate(b)));
      let before = Number.POSITIVE_INFINITY;
      // The correction of step k is the error that k - 1 steps leave.
      for (let step = 1; step <= MOST_STEPS + 1; step++) {
        const [better, correction] = corrected(b, x).map(own) as [Tensor, Tensor];
        const [solution, change] = await Promise.all([better.download(), correction.download()]);
        const error = largestShare(change, solution);
        if (error <= TARGET_ERROR) return Math.max(1, step - 1);
        if (!(error < before / 2)) return undefined;
        before = error;
        x = better;
      }
      return undefined;
    } finally {
      for (const tensor of owned) tensor.dispose();
    }
  }
}

/** Largest norm of a column of `part` relative to that of `whole`, both [s, PROBES]. */
function largestShare(part: ArrayLike<number>, whole: ArrayLike<number>): number {
  const [parts, wholes] = [new Float64Array(PROBES), new Float64Array(PROBES)];
  for (let i = 0; i < part.length; i++) {
    parts[i % PROBES]! += part[i]! ** 2;
    wholes[i % PROBES]! += whole[i]! ** 2;
  }
  return Math.sqrt(Math.max(...parts.map((value, j) => value / wholes[j]!)));
}
