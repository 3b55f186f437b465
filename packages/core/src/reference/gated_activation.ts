import type { GatedActivationAttributes } from '../ops/gated_activation.ts';
import { activate } from './activation.ts';
import type { ReferenceKernel } from './kernel.ts';

export const gatedActivation: ReferenceKernel<GatedActivationAttributes> = ([x], [y], { kind }) => {
  const half = y!.shape.at(-1)!;
  for (let index = 0; index < y!.data.length; index++) {
    const [row, j] = [Math.floor(index / half), index % half];
    const [value, gate] = [x!.data[2 * half * row + j]!, x!.data[2 * half * row + half + j]!];
    y!.data[index] = value * activate(kind, gate);
  }
};
