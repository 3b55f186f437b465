import { sizeOf, type Tensor } from '../tensor.ts';
import { ACTIVATION_KINDS, type ActivationKind, checkActivation } from './activation.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface GatedActivationAttributes {
  readonly [name: string]: string;
  readonly kind: ActivationKind;
}

/** Inputs: x. */
export const gatedActivationSpec: OpSpec<GatedActivationAttributes> = {
  name: 'gated_activation',
  family: 'elementwise',
  infer([x], { kind }) {
    const dtype = sameFloat('gated_activation', [x]);
    checkActivation('gated_activation', kind, ACTIVATION_KINDS);
    const width = x!.shape.at(-1);
    if (width === undefined || width % 2 !== 0) {
      throw fail('gated_activation', 'the last axis has no two halves', 'an even extent', `[${x!.shape}]`);
    }
    return [{ shape: [...x!.shape.slice(0, -1), width / 2], dtype }];
  },
  /** An activation and a product for each result. */
  flops([x]) {
    return sizeOf(x!.shape);
  },
};

/**
 * First half of the last axis times SiLU of the second (Shazeer 2020, arXiv 2002.05202), the order of DALLE2-pytorch.
 *
 * @param x [..., 2 m]
 * @returns [..., m]
 */
export function swiglu(x: Tensor, options: OpOptions = {}): Tensor {
  return runOp(gatedActivationSpec, [x], { kind: 'silu' }, options)[0]!;
}

/**
 * First half of the last axis times GELU (erf) of the second, as in the transformers of diffusion UNets.
 *
 * @param x [..., 2 m]
 * @returns [..., m]
 */
export function geglu(x: Tensor, options: OpOptions = {}): Tensor {
  return runOp(gatedActivationSpec, [x], { kind: 'gelu_erf' }, options)[0]!;
}
