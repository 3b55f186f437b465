import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { checkActivation, type FusedActivation } from './activation.ts';
import { checkEps, fail, type OpOptions, type OpSpec, runOp, sameFloat, vector } from './op.ts';

export interface LayerNormAttributes {
  readonly [name: string]: number | boolean | string;
  readonly eps: number;
  readonly stable: boolean;
  readonly activation: FusedActivation;
}

/** Inputs: x, gain?, bias?. */
export const layerNormSpec: OpSpec<LayerNormAttributes> = {
  name: 'layer_norm',
  family: 'reduction',
  infer([x, gain, bias], { eps, activation }) {
    const dtype = sameFloat('layer_norm', [x, gain, bias]);
    checkActivation('layer_norm', activation);
    checkEps('layer_norm', eps);
    const width = x!.shape.at(-1);
    if (!width) throw fail('layer_norm', 'rows must have values', '[..., c] with c > 0', describe(x!));
    vector('layer_norm', 'gain', gain, width);
    vector('layer_norm', 'bias', bias, width);
    return [{ shape: x!.shape, dtype }];
  },
  /** Mean, deviations and their squares, the two factors. */
  flops([x]) {
    return 7 * sizeOf(x!.shape);
  },
};

export interface LayerNormOptions extends OpOptions {
  /** Factor of each column: [c]; 1 when absent. */
  gain?: Tensor | undefined;
  /** Added to each column: [c]; 0 when absent. */
  bias?: Tensor | undefined;
  /** Added to the variance; 1e-5 by default. */
  eps?: number;
  /** Divides each row by its signed maximum first: "stable" of DALLE2-pytorch. The maximum must not be 0. */
  stable?: boolean;
  activation?: FusedActivation;
}

/**
 * Each row less its mean, over its deviation (Ba, Kiros and Hinton 2016, arXiv 1607.06450):
 * `activation((x - mean) / sqrt(variance + eps) gain + bias)` over the last axis, the variance divided by c.
 *
 * @param x [..., c]
 * @returns [..., c]
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  const { gain, bias, eps = 1e-5, stable = false, activation = 'none' } = options;
  return runOp(layerNormSpec, [x, gain, bias], { eps, stable, activation }, options)[0]!;
}
