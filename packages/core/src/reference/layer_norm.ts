import type { LayerNormAttributes } from '../ops/layer_norm.ts';
import { activate } from './activation.ts';
import { moments, type ReferenceKernel } from './kernel.ts';

export const layerNorm: ReferenceKernel<LayerNormAttributes> = (
  [x, gain, bias],
  [y],
  { eps, stable, activation },
) => {
  const width = x!.shape.at(-1)!;
  for (let start = 0; start < x!.data.length; start += width) {
    const row = x!.data.slice(start, start + width);
    if (stable) {
      const largest = row.reduce((max, value) => Math.max(max, value), -Infinity);
      for (let j = 0; j < width; j++) row[j]! /= largest;
    }
    const { mean, variance } = moments(row);
    for (let j = 0; j < width; j++) {
      const value = (row[j]! - mean) / Math.sqrt(variance + eps);
      const scaled = value * (gain ? gain.data[j]! : 1) + (bias ? bias.data[j]! : 0);
      y!.data[start + j] = activate(activation, scaled);
    }
  }
};
