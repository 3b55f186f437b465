import type { CholeskyFactorAttributes } from '../ops/cholesky_factor.ts';
import { DataError, type ReferenceKernel, rowsOf } from './kernel.ts';

/** Row by row (Cholesky-Banachiewicz): l[i][j] = (a[i][j] - sum_k l[i][k] l[j][k]) / l[j][j]. */
export const choleskyFactor: ReferenceKernel<CholeskyFactorAttributes> = ([a], [l], { shift }) => {
  const n = rowsOf(a!);
  l!.data.fill(0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a!.data[i * n + j]! + (i === j ? shift : 0);
      for (let k = 0; k < j; k++) rest -= l!.data[i * n + k]! * l!.data[j * n + k]!;
      if (i > j) {
        l!.data[i * n + j] = rest / l!.data[j * n + j]!;
      } else if (rest > 0 && rest < Infinity) {
        l!.data[i * n + i] = Math.sqrt(rest);
      } else {
        // Also reached by NaN, which compares as neither.
        throw new DataError('NOT_POSITIVE_DEFINITE', `pivot ${i} is not positive`, { found: `${rest}` });
      }
    }
  }
};
