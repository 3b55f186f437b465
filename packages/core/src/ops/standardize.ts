import type { Tensor } from '../tensor.ts';
import { type Attributes, matrix, type OpOptions, type OpSpec, runOp, sameFloat, vector } from './op.ts';

/** Inputs: x, mean?, std?. */
export const standardizeSpec: OpSpec<Attributes> = {
  name: 'standardize',
  family: 'elementwise',
  infer([x, mean, std]) {
    const dtype = sameFloat('standardize', [x, mean, std]);
    const [rows, cols] = matrix('standardize', 'x', x);
    vector('standardize', 'mean', mean, cols);
    vector('standardize', 'std', std, cols);
    return [{ shape: [rows, cols], dtype }];
  },
  flops([x]) {
    return 2 * x!.shape[0]! * x!.shape[1]!;
  },
};

export interface StandardizeOptions extends OpOptions {
  /** [v]; 0 when absent. */
  mean?: Tensor | undefined;
  /** [v]; 1 when absent. */
  std?: Tensor | undefined;
}

/**
 * `(x - mean) / std` by column, with given (training) statistics. A column whose std is 0 becomes 0.
 *
 * @param x [n, v]
 * @returns [n, v]
 */
export function standardize(x: Tensor, options: StandardizeOptions): Tensor {
  return runOp(standardizeSpec, [x, options.mean, options.std], {}, options)[0]!;
}
