import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { checkActivation, type FusedActivation } from './activation.ts';
import { checkEps, fail, type OpOptions, type OpSpec, runOp, sameFloat, vector } from './op.ts';

export interface GroupNormAttributes {
  readonly [name: string]: number | string;
  readonly groups: number;
  readonly eps: number;
  readonly activation: FusedActivation;
}

/** Inputs: x, gain?, bias?. */
export const groupNormSpec: OpSpec<GroupNormAttributes> = {
  name: 'group_norm',
  family: 'reduction',
  infer([x, gain, bias], { groups, eps, activation }) {
    const dtype = sameFloat('group_norm', [x, gain, bias]);
    checkActivation('group_norm', activation);
    checkEps('group_norm', eps);
    const [batch, channels, ...spatial] = x!.shape;
    if (channels === undefined) throw fail('group_norm', 'x has no channels', '[b, c, ...]', describe(x!));
    if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
      throw fail('group_norm', 'channels do not fall into groups', `a divisor of ${channels}`, `${groups}`);
    }
    if (batch! > 0 && (channels === 0 || sizeOf(spatial) === 0)) {
      throw fail('group_norm', 'groups must have values', 'extents above 0', describe(x!));
    }
    vector('group_norm', 'gain', gain, channels);
    vector('group_norm', 'bias', bias, channels);
    return [{ shape: x!.shape, dtype }];
  },
  /** Mean, deviations and their squares, the two factors. */
  flops([x]) {
    return 7 * sizeOf(x!.shape);
  },
};

export interface GroupNormOptions extends OpOptions {
  /** Factor of each channel: [c]; 1 when absent. */
  gain?: Tensor | undefined;
  /** Added to each channel: [c]; 0 when absent. */
  bias?: Tensor | undefined;
  /** Added to the variance; 1e-5 by default. */
  eps?: number;
  activation?: FusedActivation;
}

/**
 * Each group of neighbouring channels of each picture less its mean, over its deviation (Wu and He 2018, arXiv
 * 1803.08494): `activation((x - mean) / sqrt(variance + eps) gain + bias)`.
 *
 * @param x [b, c, ...spatial]
 * @param groups divides c
 * @returns [b, c, ...spatial]
 */
export function groupNorm(x: Tensor, groups: number, options: GroupNormOptions = {}): Tensor {
  const { gain, bias, eps = 1e-5, activation = 'none' } = options;
  return runOp(groupNormSpec, [x, gain, bias], { groups, eps, activation }, options)[0]!;
}
