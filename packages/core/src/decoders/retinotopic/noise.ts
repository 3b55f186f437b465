import type { Backend } from '../../backend.ts';
import { choleskyFactor, choleskySolve, gemm, gram, mul, type OpOptions, sub } from '../../ops/index.ts';

/** What inverting an encoding model in space takes. */
export interface Weighting {
  /** Σ⁻¹ W, [voxels, pixels]: responses to the pixels that they speak for. */
  readonly projection: Float32Array;
  /** Wᵀ Σ⁻¹ W, [pixels, pixels]. */
  readonly gram: Float32Array;
}

/** How far the residuals are believed when voxels are weighed; both from 0 to 1. */
export interface NoiseModel {
  /** Share of the residuals' correlations in the covariance; without 1 itself. */
  readonly noiseCorrelation: number;
  /** How far variances are drawn to their geometric mean: 0 takes them as they are, 1 makes all equal. */
  readonly varianceShrinkage: number;
}

/**
 * Weighs voxels by their noise. The covariance is that of the residuals, shrunk twice (after Ledoit & Wolf 2004):
 * Σ = D^½ [(1 - s) I + s C] D^½ with the correlations C, s = `noiseCorrelation`, and variances D that are drawn to their
 * geometric mean on a logarithmic scale: an error of the receptive field grows with the response, so that the voxels
 * with the largest responses deserve less than their residuals say. There are fewer volumes than voxels, so Σ is inverted through a matrix of volumes (Woodbury):
 * with Z = E D^-½, [(1 - s) I + (s / n) ZᵀZ]⁻¹ = [I - Zᵀ (ZZᵀ + n (1 - s) / s I)⁻¹ Z] / (1 - s).
 *
 * @param fields [voxels, pixels]
 * @param residuals [n, voxels]
 */
export async function weighVoxels(
  backend: Backend,
  fields: Float32Array,
  residuals: Float32Array,
  voxels: number,
  { noiseCorrelation: correlated, varianceShrinkage }: NoiseModel,
  options: OpOptions,
): Promise<Weighting> {
  const deviation = noiseDeviations(residuals, voxels, varianceShrinkage);
  const n = residuals.length / voxels;
  const pixels = fields.length / voxels;
  const [projection, weighted] = (await backend.compute(() => {
    const inverse = backend.tensor(
      deviation.map((value) => 1 / value),
      [1, voxels],
    );
    const w = mul(backend.tensor(fields, [voxels, pixels]), inverse.reshape(voxels, 1), options);
    let solved = w;
    if (correlated > 0) {
      const z = mul(backend.tensor(residuals, [n, voxels]), inverse, options);
      const shift = (n * (1 - correlated)) / correlated;
      const factor = choleskyFactor(gram(z, options), { ...options, shift });
      const inside = choleskySolve(factor, gemm(z, w, options), options);
      const scale = 1 / (1 - correlated);
      solved = mul(sub(w, gemm(z, inside, { ...options, transA: true }), options), scale, options);
    }
    return [mul(solved, inverse.reshape(voxels, 1), options), gemm(w, solved, { ...options, transA: true })];
  })) as [Float32Array, Float32Array];
  return { projection, gram: weighted };
}

/** A voxel with less noise than this part of the median is given so much: it would outweigh all others. */
const LEAST_NOISE = 0.1;

/** Standard deviation of each voxel's residuals, shrunk, [voxels]. */
function noiseDeviations(residuals: Float32Array, voxels: number, shrinkage: number): Float32Array {
  const sums = new Float64Array(voxels);
  residuals.forEach((value, i) => {
    sums[i % voxels]! += value * value;
  });
  const deviations = sums.map((sum) => Math.sqrt((sum * voxels) / residuals.length));
  const median = Float64Array.from(deviations).sort()[Math.floor(voxels / 2)]!;
  const floor = median > 0 ? LEAST_NOISE * median : 1;
  const logs = deviations.map((value) => Math.log(Math.max(value, floor)));
  const mean = logs.reduce((sum, value) => sum + value, 0) / voxels;
  return Float32Array.from(logs, (value) => Math.exp(value + shrinkage * (mean - value)));
}
