import type { ActivationAttributes, ActivationKind, FusedActivation } from '../ops/activation.ts';
import { erf } from '../special.ts';
import type { ReferenceKernel } from './kernel.ts';

const functions: Readonly<Record<ActivationKind, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_erf: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  gelu_tanh: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
  gelu_quick: (x) => x / (1 + Math.exp(-1.702 * x)),
};

/** One value: see `ACTIVATION_KINDS`. */
export function activate(kind: FusedActivation, x: number): number {
  return kind === 'none' ? x : functions[kind](x);
}

export const activation: ReferenceKernel<ActivationAttributes> = ([x], [y], { kind }) => {
  for (let i = 0; i < y!.data.length; i++) y!.data[i] = activate(kind, x!.data[i]!);
};
