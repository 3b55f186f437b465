import { describe, sizeOf, type Tensor, type TensorSpec } from '../tensor.ts';
import { checkActivation, type FusedActivation } from './activation.ts';
import {
  fail,
  matrix,
  type OpOptions,
  type OpSpec,
  runOp,
  sameFloat,
  sameShape,
  vector,
  weightType,
} from './op.ts';

export interface LinearAttributes {
  readonly [name: string]: string;
  readonly activation: FusedActivation;
}

/** Inputs: x, bias?, residual?, then one weight or more, stacked along their rows. */
export const linearSpec: OpSpec<LinearAttributes> = {
  name: 'linear',
  family: 'reduction',
  infer([x, bias, residual, ...weights], { activation }) {
    const dtype = sameFloat('linear', [x, bias, residual]);
    checkActivation('linear', activation);
    const k = x!.shape.at(-1);
    if (k === undefined) throw fail('linear', 'x must have an axis of features', '[..., k]', describe(x!));
    const n = stackedRows(weights, k);
    for (const weight of weights) weightType('linear', x!, weight!, weights[0]!);
    vector('linear', 'bias', bias, n);
    const shape = [...x!.shape.slice(0, -1), n];
    sameShape('linear', 'residual', residual, shape);
    return [{ shape, dtype }];
  },
  flops([x, , , ...weights]) {
    return 2 * sizeOf(x!.shape) * weights.reduce((rows, weight) => rows + weight!.shape[0]!, 0);
  },
};

/** Rows of all weights, each of which must have k columns. */
function stackedRows(weights: readonly (TensorSpec | undefined)[], k: number): number {
  if (weights.length === 0) throw fail('linear', 'no weight was given', 'one or more', 'none');
  return weights.reduce((total, weight, i) => {
    const [rows, cols] = matrix('linear', `weight ${i}`, weight);
    if (cols !== k) throw fail('linear', `weight ${i} does not fit x`, `${k} columns`, describe(weight!));
    return total + rows;
  }, 0);
}

export interface LinearOptions extends OpOptions {
  /** Added to every row: [n], of the type of x. */
  bias?: Tensor | undefined;
  activation?: FusedActivation;
  /** Added to the result, after the activation: [..., n], of the type of x. */
  residual?: Tensor | undefined;
}

/**
 * A layer of a network: `activation(x Wᵀ + bias) + residual`, W as PyTorch stores it. Leading axes of x are rows.
 *
 * @param x [..., k], f32 or f64
 * @param weight [n, k], f32, f16 or bf16 (f64 with f64), or several [n_i, k] of one type whose rows follow each
 *   other: shards of a matrix too large for one tensor. Half-precision weights are read as they are; products and
 *   sums are in the type of x or better.
 * @returns [..., n] in the type of x
 */
export function linear(x: Tensor, weight: Tensor | readonly Tensor[], options: LinearOptions = {}): Tensor {
  const { bias, residual, activation = 'none' } = options;
  const weights: readonly Tensor[] = Array.isArray(weight) ? weight : [weight as Tensor];
  return runOp(linearSpec, [x, bias, residual, ...weights], { activation }, options)[0]!;
}
