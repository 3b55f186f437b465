import type { Backend } from '../../backend.ts';
import { choleskyFactor, choleskySolve, gemm, gram, mul, type OpOptions, sub } from '../../ops/index.ts';

/** What inverting an encoding model in space takes. */
export interface Weighting {
  /** Σ⁻¹ W, [voxels, pixels]: responses to the pixels that they speak for. */
  readonly projection: Float32Array;
  /** Wᵀ Σ⁻¹ W, [pixels, pixels]. */
  readonly gram: Float32Array;
}

/**
 * Weighs voxels by their noise. The covariance is the residuals' shrunk towards its diagonal (Ledoit & Wolf 2004):
 * Σ = D^½ [(1 - s) I + s C] D^½ with variances D, correlations C and s = `correlated`, from 0 (independent voxels) up
 * to, but without, 1. There are fewer volumes than voxels, so Σ is inverted through a matrix of volumes (Woodbury):
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
  correlated: number,
  options: OpOptions,
): Promise<Weighting> {
  const deviation = noiseDeviations(residuals, voxels);
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

/** Standard deviation of each voxel's residuals, [voxels]. */
function noiseDeviations(residuals: Float32Array, voxels: number): Float32Array {
  const sums = new Float64Array(voxels);
  residuals.forEach((value, i) => {
    sums[i % voxels]! += value * value;
  });
  const deviations = sums.map((sum) => Math.sqrt((sum * voxels) / residuals.length));
  const median = Float64Array.from(deviations).sort()[Math.floor(voxels / 2)]!;
  const floor = median > 0 ? LEAST_NOISE * median : 1;
  return Float32Array.from(deviations, (value) => Math.max(value, floor));
}
