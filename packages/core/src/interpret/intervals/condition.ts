import { F2iError } from '../../error.ts';
import type { OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { conditionOf } from '../covariance.ts';

/**
 * Beyond this condition number of the equations rounding makes more than a hundredth of a residual (number times unit
 * roundoff, 6e-8 and 1e-16): more than the bootstrap itself leaves open.
 */
const LIMITS = { f32: 1e5, f64: 1e13 } as const;

/**
 * Refuses equations whose residuals would be rounding.
 *
 * @param matrix K, raised by the mean where there is an intercept
 * @param largest its largest eigenvalue
 * @throws UNSUPPORTED naming the condition number, the penalty and what would do
 */
export async function checkCondition(
  matrix: Tensor,
  largest: number,
  alpha: number,
  options: OpOptions,
): Promise<void> {
  const limit = LIMITS[matrix.dtype as 'f32' | 'f64'];
  // No eigenvalue of K + alpha I is below alpha.
  if ((largest + alpha) / alpha <= limit) return;
  const condition = await conditionOf(matrix, largest + alpha, options, alpha);
  if (condition <= limit) return;
  const isSingle = matrix.dtype === 'f32';
  throw new F2iError(
    'UNSUPPORTED',
    `intervals of so small a penalty would be rounding in ${isSingle ? 'float32' : 'float64'}`,
    {
      backend: matrix.backend.name,
      field: 'alpha',
      expected: `a condition number up to ${limit.toExponential(0)}: a larger penalty${isSingle ? ', or a device with float64 (--device cpu)' : ''}`,
      found: `${Number.isFinite(condition) ? condition.toExponential(0) : 'a singular matrix'} for penalty ${alpha}`,
    },
  );
}
