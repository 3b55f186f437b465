import type { Backend } from '../backend.ts';
import { add, choleskyFactor, choleskySolve, gemm, gram } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { type Amplitudes, noiseCeiling } from './amplitudes.ts';
import { noiseCovariance } from './noise.ts';
import type { Simulation } from './simulation.ts';
import { FILTERS_PER_VOXEL, filterOutputs, filterTuple, respond } from './subject.ts';

/** Gauss-Newton steps at most; a step that improves nothing ends the search. */
const STEPS = 6;
/** Shares of a step that are tried, the best is taken. */
const SHARES = [1, 0.5, 0.25, 0.1];
/** Training pictures over which the encoding model is averaged for the first, linear step. */
const LINEARISATION_SAMPLE = 60;
/** Added to the diagonal of the pictures' covariance, as a share of its mean. */
const PRIOR_FLOOR = 1e-2;

/**
 * Reconstructs the test pictures with everything a decoder must estimate given to it: receptive fields,
 * nonlinearity, response functions and noise covariance. It looks for the most probable picture under the true
 * encoding model f and a Gaussian prior with the training pictures' mean m and covariance C. The first step uses f's
 * mean slope over training pictures (statistical linearisation), the others are Gauss-Newton steps
 * `p <- m + C Jᵀ (J C Jᵀ + S)⁻¹ (y - f(p) + J (p - m))` (Rodgers 2000, Inverse Methods, section 5.3) with a line
 * search. Not a strict bound: the true prior of the pictures is not Gaussian.
 *
 * @returns [testPictures, size, size], 0..1
 */
export async function oracleReconstruction(
  simulation: Simulation,
  amplitudes: Amplitudes,
  backend: Backend,
): Promise<Float32Array> {
  const { trainPictures, testPictures, voxels } = simulation.options;
  const width = simulation.options.size ** 2;
  const oracle = await Oracle.create(simulation, amplitudes, backend);
  const averages = averageRepeats(amplitudes, trainPictures, testPictures, voxels);
  const out = new Float32Array(testPictures * width);
  for (let i = 0; i < testPictures; i++) {
    out.set(await oracle.reconstruct(averages.subarray(i * voxels, (i + 1) * voxels)), i * width);
  }
  oracle.dispose();
  return out;
}

/** A picture as its difference from the prior mean and that difference times the inverse prior covariance. */
interface Estimate {
  readonly difference: Float64Array;
  readonly precision: Float64Array;
}

/** The encoding model around one picture: responses and their slopes by pixel. */
interface Linearisation {
  /** [voxels] */
  readonly responses: Float64Array;
  /** [voxels, pixels] */
  readonly jacobian: Float32Array;
}

class Oracle {
  readonly #simulation: Simulation;
  readonly #backend: Backend;
  readonly #mean: Float32Array;
  readonly #covariance: Tensor;
  readonly #noise: Tensor;
  /** Lower Cholesky factor of the noise covariance, on the host. */
  readonly #noiseFactor: Float32Array;
  readonly #average: Linearisation;

  private constructor(
    simulation: Simulation,
    backend: Backend,
    prior: { mean: Float32Array; covariance: Tensor },
    noise: Tensor,
    noiseFactor: Float32Array,
    average: Linearisation,
  ) {
    this.#simulation = simulation;
    this.#backend = backend;
    this.#mean = prior.mean;
    this.#covariance = prior.covariance;
    this.#noise = noise;
    this.#noiseFactor = noiseFactor;
    this.#average = average;
  }

  static async create(simulation: Simulation, amplitudes: Amplitudes, backend: Backend): Promise<Oracle> {
    const { voxels, trainPictures, testRepeats, size } = simulation.options;
    const training = simulation.pictures.pixels.subarray(0, trainPictures * size ** 2);
    const prior = picturePrior(training, size ** 2, backend);
    const { noiseVariance } = noiseCeiling(amplitudes, testRepeats);
    const deviation = noiseVariance.map((variance) => Math.sqrt(variance / testRepeats));
    const covariance = Float32Array.from(noiseCovariance(simulation.truth.loadings, deviation));
    const noise = backend.tensor(covariance, [voxels, voxels]);
    const factor = choleskyFactor(noise);
    const noiseFactor = (await factor.download()) as Float32Array;
    factor.dispose();
    const sample = training.subarray(0, LINEARISATION_SAMPLE * size ** 2);
    const average = meanOf(await linearise(simulation, sample, backend));
    return new Oracle(simulation, backend, prior, noise, noiseFactor, average);
  }

  async reconstruct(measured: Float64Array): Promise<Float32Array> {
    let best = await this.#solve(measured, this.#average, {
      difference: this.#zero(),
      precision: this.#zero(),
    });
    let [lowest] = await this.#objectives(measured, [best]);
    for (let step = 0; step < STEPS; step++) {
      const [model] = await linearise(this.#simulation, this.#picture(best), this.#backend);
      const target = await this.#solve(measured, model!, best);
      const candidates = SHARES.map((share) => between(best, target, share));
      const values = await this.#objectives(measured, candidates);
      const value = Math.min(...values);
      if (!(value < lowest!)) break;
      best = candidates[values.indexOf(value)]!;
      lowest = value;
    }
    return this.#picture(best).map((value) => Math.min(1, Math.max(0, value)));
  }

  dispose(): void {
    this.#covariance.dispose();
    this.#noise.dispose();
  }

  #zero(): Float64Array {
    return new Float64Array(this.#mean.length);
  }

  #picture({ difference }: Estimate): Float32Array {
    return this.#mean.map((value, i) => value + difference[i]!);
  }

  /** The most probable picture if the model were linear, expanded around `at`. */
  async #solve(measured: Float64Array, model: Linearisation, at: Estimate): Promise<Estimate> {
    const { voxels } = this.#simulation.options;
    const width = this.#mean.length;
    const residual = new Float32Array(voxels);
    for (let v = 0; v < voxels; v++) {
      let linear = 0;
      for (let i = 0; i < width; i++) linear += model.jacobian[v * width + i]! * at.difference[i]!;
      residual[v] = measured[v]! - model.responses[v]! + linear;
    }
    const backend = this.#backend;
    const [difference, precision] = backend.scope(() => {
      const j = backend.tensor(model.jacobian, [voxels, width]);
      const jc = gemm(j, this.#covariance);
      const factor = choleskyFactor(gemm(jc, j, { transB: true, c: this.#noise }));
      const dual = choleskySolve(factor, backend.tensor(residual, [voxels, 1]));
      return [gemm(jc, dual, { transA: true }), gemm(j, dual, { transA: true })] as [Tensor, Tensor];
    });
    const estimate = {
      difference: Float64Array.from((await difference.download()) as Float32Array),
      precision: Float64Array.from((await precision.download()) as Float32Array),
    };
    difference.dispose();
    precision.dispose();
    return estimate;
  }

  /** Negative log posterior of each estimate, twice, without constants. */
  async #objectives(measured: Float64Array, estimates: readonly Estimate[]): Promise<number[]> {
    const { voxels } = this.#simulation.options;
    const width = this.#mean.length;
    const pictures = new Float32Array(estimates.length * width);
    estimates.forEach((estimate, i) => {
      pictures.set(this.#picture(estimate), i * width);
    });
    const outputs = await filterOutputs(this.#simulation.truth.subject, pictures, this.#backend);
    return estimates.map(({ difference, precision }, i) => {
      const row = i * FILTERS_PER_VOXEL * voxels;
      const residual = measured.map((value, v) => value - response(this.#simulation, outputs, row, v).value);
      const misfit = this.#whitenedSquare(residual);
      return misfit + difference.reduce((sum, value, j) => sum + value * precision[j]!, 0);
    });
  }

  /** rᵀ S⁻¹ r through the factor of S, by forward substitution. */
  #whitenedSquare(residual: Float64Array): number {
    const n = residual.length;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      let value = residual[i]!;
      for (let j = 0; j < i; j++) value -= this.#noiseFactor[i * n + j]! * residual[j]!;
      residual[i] = value / this.#noiseFactor[i * n + i]!;
      sum += residual[i]! ** 2;
    }
    return sum;
  }
}

function picturePrior(pixels: Float32Array, width: number, backend: Backend) {
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

/** Response of a voxel in units of its deviation over pictures, relative to an empty screen. */
function response({ truth, options }: Simulation, outputs: Float32Array, row: number, v: number) {
  const { response, slopes } = respond(truth.subject, v, filterTuple(outputs, row, v, options.voxels));
  const scale = 1 / truth.responseDeviation[v]!;
  return {
    value: (response - truth.blankResponse[v]!) * scale,
    slopes: slopes.map((slope) => slope * scale),
  };
}

async function linearise(
  simulation: Simulation,
  pictures: Float32Array,
  backend: Backend,
): Promise<Linearisation[]> {
  const { subject } = simulation.truth;
  const { voxels } = subject;
  const width = subject.size ** 2;
  const outputs = await filterOutputs(subject, pictures, backend);
  return Array.from({ length: pictures.length / width }, (_, i) => {
    const responses = new Float64Array(voxels);
    const jacobian = new Float32Array(voxels * width);
    for (let v = 0; v < voxels; v++) {
      const { value, slopes } = response(simulation, outputs, i * FILTERS_PER_VOXEL * voxels, v);
      responses[v] = value;
      const row = jacobian.subarray(v * width, (v + 1) * width);
      for (let f = 0; f < FILTERS_PER_VOXEL; f++) {
        const filter = subject.filters.subarray((f * voxels + v) * width, (f * voxels + v + 1) * width);
        for (let p = 0; p < width; p++) row[p]! += slopes[f]! * filter[p]!;
      }
    }
    return { responses, jacobian };
  });
}

function meanOf(models: readonly Linearisation[]): Linearisation {
  const share = 1 / models.length;
  const responses = new Float64Array(models[0]!.responses.length);
  const jacobian = new Float32Array(models[0]!.jacobian.length);
  for (const model of models) {
    for (let i = 0; i < responses.length; i++) responses[i]! += share * model.responses[i]!;
    for (let i = 0; i < jacobian.length; i++) jacobian[i]! += share * model.jacobian[i]!;
  }
  return { responses, jacobian };
}

function between(from: Estimate, to: Estimate, share: number): Estimate {
  const mix = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + share * (b[i]! - value));
  return { difference: mix(from.difference, to.difference), precision: mix(from.precision, to.precision) };
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
