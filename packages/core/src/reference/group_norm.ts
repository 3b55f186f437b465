import type { GroupNormAttributes } from '../ops/group_norm.ts';
import { activate } from './activation.ts';
import { moments, type ReferenceKernel } from './kernel.ts';

export const groupNorm: ReferenceKernel<GroupNormAttributes> = (
  [x, gain, bias],
  [y],
  { groups, eps, activation },
) => {
  const [batch = 0, channels = 0] = x!.shape;
  const pixels = x!.data.length / (batch * channels);
  const size = (channels / groups) * pixels;
  for (let start = 0; start < x!.data.length; start += size) {
    const { mean, variance } = moments(x!.data.subarray(start, start + size));
    for (let i = start; i < start + size; i++) {
      const channel = Math.floor(i / pixels) % channels;
      const value = (x!.data[i]! - mean) / Math.sqrt(variance + eps);
      const scaled = value * (gain ? gain.data[channel]! : 1) + (bias ? bias.data[channel]! : 0);
      y!.data[i] = activate(activation, scaled);
    }
  }
};
