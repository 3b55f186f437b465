import { pacer } from '../../data/pause.ts';
import type { RidgeModel } from './model.ts';

/** y = weight x + bias, as networks store it: [outputs, inputs] row-major and [outputs]. */
export interface Affine {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** A fit with weights of voxels and without lags as one layer: its standardisation becomes part of weights and bias. */
export async function affineOf(
  { weights, voxelMean, voxelStd, targetMean }: RidgeModel,
  signal: AbortSignal | undefined,
): Promise<Affine> {
  const outputs = targetMean.length;
  const inputs = voxelMean.length;
  const weight = new Float32Array(outputs * inputs);
  const offset = new Float64Array(outputs);
  const breathe = pacer(signal, 'ridge weights');
  for (let v = 0; v < inputs; v++) {
    await breathe();
    const scale = voxelStd[v] === 0 ? 0 : 1 / voxelStd[v]!;
    for (let j = 0; j < outputs; j++) {
      const value = weights[v * outputs + j]! * scale;
      weight[j * inputs + v] = value;
      offset[j]! += value * voxelMean[v]!;
    }
  }
  return { weight, bias: Float32Array.from(targetMean, (mean, j) => mean - offset[j]!) };
}
