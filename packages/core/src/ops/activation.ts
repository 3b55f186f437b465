import { sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

/**
 * - relu: max(x, 0), NaN stays NaN
 * - silu: x / (1 + exp(-x))
 * - gelu_erf: x (1 + erf(x / sqrt 2)) / 2, the Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415)
 * - gelu_tanh: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) / 2, its approximation there
 * - gelu_quick: x / (1 + exp(-1.702 x)), as OpenAI's CLIP has it
 */
export const ACTIVATION_KINDS = ['relu', 'silu', 'gelu_erf', 'gelu_tanh', 'gelu_quick'] as const;
export type ActivationKind = (typeof ACTIVATION_KINDS)[number];
/** What `linear`, `conv2d` and the norms apply to their result. */
export type FusedActivation = ActivationKind | 'none';

export interface ActivationAttributes {
  readonly [name: string]: string;
  readonly kind: ActivationKind;
}

/** Inputs: x. */
export const activationSpec: OpSpec<ActivationAttributes> = {
  name: 'activation',
  family: 'elementwise',
  infer([x], { kind }) {
    checkActivation('activation', kind, ACTIVATION_KINDS);
    return [{ shape: x!.shape, dtype: sameFloat('activation', [x]) }];
  },
  /** One a value, as an elementwise op: what an exponential costs is the device's affair. */
  flops([x]) {
    return sizeOf(x!.shape);
  },
};

/** Throws unless `kind` is one of `allowed` (by default every kind, and none). */
export function checkActivation(
  op: string,
  kind: string,
  allowed: readonly string[] = ['none', ...ACTIVATION_KINDS],
): void {
  if (!allowed.includes(kind)) throw fail(op, 'no such activation', allowed.join(', '), kind);
}

export interface GeluOptions extends OpOptions {
  /** Which of the three functions of that name the model was trained with; `erf` by default. */
  form?: 'erf' | 'tanh' | 'quick';
}

/** Gaussian error linear unit of every value: see {@link ACTIVATION_KINDS}. */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  return activation(x, `gelu_${options.form ?? 'erf'}`, options);
}

/** `x / (1 + exp(-x))` of every value. */
export function silu(x: Tensor, options: OpOptions = {}): Tensor {
  return activation(x, 'silu', options);
}

/** `max(x, 0)` of every value. */
export function relu(x: Tensor, options: OpOptions = {}): Tensor {
  return activation(x, 'relu', options);
}

/** The function of that name of every value of x, whatever its shape: see {@link ACTIVATION_KINDS}. */
export function activation(x: Tensor, kind: ActivationKind, options: OpOptions = {}): Tensor {
  return runOp(activationSpec, [x], { kind }, options)[0]!;
}
