import type { Backend } from '../backend.ts';
import { add, choleskyFactor, choleskySolve, gemm, gram } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { type Amplitudes, noiseCeiling } from './amplitudes.ts';
import { noiseCovariance } from './noise.ts';
import type { Simulation } from './simulation.ts';
import { FILTERS_PER_VOXEL, filterOutputs, filterTuple, respond } from './subject.ts';

/** Gauss-Newton steps from the mean picture; more change the picture by less than a grey level. */
const STEPS = 4;
/** Added to the diagonal of the pictures' covariance, as a share of its mean. */
const PRIOR_FLOOR = 1e-2;

/**
 * Reconstructs the test pictures with everything a decoder must estimate given to it: receptive fields,
 * nonlinearity, response functions and noise covariance. The most probable picture under the true encoding model
 * and a Gaussian prior with the training pictures' mean and covariance, by Gauss-Newton:
 * `p <- m + C Jᵀ (J C Jᵀ + S)⁻¹ (y - f(p) + J (p - m))` (Rodgers 2000, Inverse Methods, section 5.3).
 *
 * @returns [testPictures, size, size], 0..1
 */
export async function oracleReconstruction(
  simulation: Simulation,
  amplitudes: Amplitudes,
  backend: Backend,
): Promise<Float32Array> {
  const { options, pictures, truth } = simulation;
  const { voxels, trainPictures, testPictures, testRepeats } = options;
  const width = options.size ** 2;
  const prior = picturePrior(pictures.pixels.subarray(0, trainPictures * width), width, backend);
  const { noiseVariance } = noiseCeiling(amplitudes, testRepeats);
  const deviation = noiseVariance.map((variance) => Math.sqrt(variance / testRepeats));
  const noise = backend.tensor(Float32Array.from(noiseCovariance(truth.loadings, deviation)), [
    voxels,
    voxels,
  ]);
  const averages = averageRepeats(amplitudes, trainPictures, testPictures, voxels);

  const out = new Float32Array(testPictures * width);
  for (let i = 0; i < testPictures; i++) {
    let picture: Float32Array = prior.mean.slice();
    const measured = averages.subarray(i * voxels, (i + 1) * voxels);
    for (let step = 0; step < STEPS; step++) {
      picture = await gaussNewtonStep(simulation, picture, measured, prior, noise, backend);
    }
    out.set(picture, i * width);
  }
  prior.covariance.dispose();
  noise.dispose();
  return out;
}

interface PicturePrior {
  /** [pixels] */
  readonly mean: Float32Array;
  /** [pixels, pixels] */
  readonly covariance: Tensor;
}

function picturePrior(pixels: Float32Array, width: number, backend: Backend): PicturePrior {
  const count = pixels.length / width;
  const mean = new Float32Array(width);
  for (let i = 0; i < pixels.length; i++) mean[i % width]! += pixels[i]! / count;
  const centred = pixels.map((value, i) => value - mean[i % width]!);
  const variance = centred.reduce((sum, value) => sum + value * value, 0) / centred.length;
  const floor = new Float32Array(width * width);
  for (let i = 0; i < width; i++) floor[i * width + i] = PRIOR_FLOOR * variance;
  const covariance = backend.scope(() =>
    add(
      gram(backend.tensor(centred, [count, width]), { of: 'columns', alpha: 1 / count }),
      backend.tensor(floor, [width, width]),
    ),
  );
  return { mean, covariance };
}

async function gaussNewtonStep(
  simulation: Simulation,
  picture: Float32Array,
  measured: Float64Array,
  prior: PicturePrior,
  noise: Tensor,
  backend: Backend,
): Promise<Float32Array> {
  const { truth } = simulation;
  const { voxels } = simulation.options;
  const width = picture.length;
  const outputs = await filterOutputs(truth.subject, picture, backend);
  const jacobian = new Float32Array(voxels * width);
  const residual = new Float32Array(voxels);
  for (let v = 0; v < voxels; v++) {
    const { response, slopes } = respond(truth.subject, v, filterTuple(outputs, 0, v, voxels));
    const scale = 1 / truth.responseDeviation[v]!;
    let linear = 0;
    const row = jacobian.subarray(v * width, (v + 1) * width);
    for (let f = 0; f < FILTERS_PER_VOXEL; f++) {
      const filter = truth.subject.filters.subarray((f * voxels + v) * width, (f * voxels + v + 1) * width);
      const slope = slopes[f]! * scale;
      for (let i = 0; i < width; i++) row[i]! += slope * filter[i]!;
    }
    for (let i = 0; i < width; i++) linear += row[i]! * (picture[i]! - prior.mean[i]!);
    residual[v] = measured[v]! - (response - truth.blankResponse[v]!) * scale + linear;
  }
  const update = backend.scope(() => {
    const j = backend.tensor(jacobian, [voxels, width]);
    const jc = gemm(j, prior.covariance);
    const factor = choleskyFactor(gemm(jc, j, { transB: true, c: noise }));
    return gemm(jc, choleskySolve(factor, backend.tensor(residual, [voxels, 1])), { transA: true });
  });
  const change = (await update.download()) as Float32Array;
  update.dispose();
  return change.map((value, i) => Math.min(1, Math.max(0, prior.mean[i]! + value)));
}

/** Mean over repeats, [testPictures, voxels]. */
function averageRepeats(
  { presentations, measured }: Amplitudes,
  firstPicture: number,
  pictures: number,
  voxels: number,
): Float64Array {
  const sums = new Float64Array(pictures * voxels);
  const counts = new Float64Array(pictures);
  for (const [trial, { picture }] of presentations.entries()) {
    const i = picture - firstPicture;
    counts[i]!++;
    for (let v = 0; v < voxels; v++) sums[i * voxels + v]! += measured[trial * voxels + v]!;
  }
  return sums.map((sum, i) => sum / counts[Math.floor(i / voxels)]!);
}
