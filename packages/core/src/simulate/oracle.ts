import type { Backend } from '../backend.ts';
import { throwIfAborted } from '../error.ts';
import {
  add,
  choleskyFactor,
  choleskySolve,
  gemm,
  gram,
  mul,
  type OpOptions,
  triangularSolve,
} from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { type Amplitudes, noiseCeiling } from './amplitudes.ts';
import { noiseCovariance } from './noise.ts';
import type { Simulation } from './simulation.ts';
import { FILTERS_PER_VOXEL, FilterBank, filterTuple, respond } from './subject.ts';

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
  { signal }: OpOptions = {},
): Promise<Float32Array> {
  const { trainPictures, testPictures, voxels } = simulation.options;
  const width = simulation.options.size ** 2;
  const oracle = await Oracle.create(simulation, amplitudes, backend);
  try {
    const averages = averageRepeats(amplitudes, trainPictures, testPictures, voxels);
    const out = new Float32Array(testPictures * width);
    for (let i = 0; i < testPictures; i++) {
      throwIfAborted(signal, 'the oracle');
      out.set(await oracle.reconstruct(averages.subarray(i * voxels, (i + 1) * voxels)), i * width);
    }
    return out;
  } finally {
    oracle.dispose();
  }
}

/** A picture as its difference from the prior mean and that difference times the inverse prior covariance. */
interface Estimate {
  readonly difference: Float32Array;
  readonly precision: Float32Array;
}

/** The encoding model around one picture: [voxels] responses, and for each filter [voxels] slopes. */
interface Linearisation {
  readonly responses: Float64Array;
  readonly slopes: readonly Float32Array[];
}

/** What does not change from picture to picture, on the device. */
interface Fixed {
  readonly bank: FilterBank;
  /** [pixels, pixels] prior covariance */
  readonly covariance: Tensor;
  /** [voxels, voxels] noise covariance of the averaged responses, and its Cholesky factor */
  readonly noise: Tensor;
  readonly noiseFactor: Tensor;
}

class Oracle {
  readonly #simulation: Simulation;
  readonly #backend: Backend;
  readonly #mean: Float32Array;
  readonly #fixed: Fixed;
  readonly #average: Linearisation;

  private constructor(
    simulation: Simulation,
    backend: Backend,
    mean: Float32Array,
    fixed: Fixed,
    average: Linearisation,
  ) {
    this.#simulation = simulation;
    this.#backend = backend;
    this.#mean = mean;
    this.#fixed = fixed;
    this.#average = average;
  }

  static async create(simulation: Simulation, amplitudes: Amplitudes, backend: Backend): Promise<Oracle> {
    const { voxels, trainPictures, testRepeats, size } = simulation.options;
    const training = simulation.pictures.pixels.subarray(0, trainPictures * size ** 2);
    const { mean, covariance } = picturePrior(training, size ** 2, backend);
    const { noiseVariance } = noiseCeiling(amplitudes, testRepeats);
    const deviation = noiseVariance.map((variance) => Math.sqrt(variance / testRepeats));
    const shared = Float32Array.from(noiseCovariance(simulation.truth.loadings, deviation));
    const noise = backend.tensor(shared, [voxels, voxels]);
    const bank = new FilterBank(simulation.truth.subject, backend);
    const sample = training.subarray(0, LINEARISATION_SAMPLE * size ** 2);
    const average = meanOf(await linearise(simulation, bank, sample));
    return new Oracle(
      simulation,
      backend,
      mean,
      { bank, covariance, noise, noiseFactor: choleskyFactor(noise) },
      average,
    );
  }

  async reconstruct(measured: Float64Array): Promise<Float32Array> {
    const zero = () => new Float32Array(this.#mean.length);
    let best = await this.#solve(measured, this.#average, { difference: zero(), precision: zero() });
    let [lowest] = await this.#objectives(measured, [best]);
    for (let step = 0; step < STEPS; step++) {
      const [model] = await linearise(this.#simulation, this.#fixed.bank, this.#picture(best));
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
    const { bank, covariance, noise, noiseFactor } = this.#fixed;
    for (const held of [bank, covariance, noise, noiseFactor]) held.dispose();
  }

  #picture({ difference }: Estimate): Float32Array {
    return this.#mean.map((value, i) => value + difference[i]!);
  }

  /** The most probable picture if the model were linear, expanded around `at`. */
  async #solve(measured: Float64Array, model: Linearisation, at: Estimate): Promise<Estimate> {
    const { voxels } = this.#simulation.options;
    const width = this.#mean.length;
    const misfit = Float32Array.from(measured, (value, v) => value - model.responses[v]!);
    const backend = this.#backend;
    const { bank, covariance, noise } = this.#fixed;
    const [difference, precision] = await backend.compute(() => {
      // The Jacobian is the filters weighted by the slopes of the response.
      const weighted = model.slopes.map((slopes, f) =>
        mul(bank.filters.rows(f * voxels, (f + 1) * voxels), backend.tensor(slopes, [voxels, 1])),
      );
      const jacobian = weighted.reduce((sum, term) => add(sum, term));
      const around = backend.tensor(at.difference, [width, 1]);
      const residual = gemm(jacobian, around, { c: backend.tensor(misfit, [voxels, 1]) });
      const jc = gemm(jacobian, covariance);
      const factor = choleskyFactor(gemm(jc, jacobian, { transB: true, c: noise }));
      const dual = choleskySolve(factor, residual);
      return [gemm(jc, dual, { transA: true }), gemm(jacobian, dual, { transA: true })];
    });
    return { difference: difference as Float32Array, precision: precision as Float32Array };
  }

  /** Negative log posterior of each estimate, twice, without constants. */
  async #objectives(measured: Float64Array, estimates: readonly Estimate[]): Promise<number[]> {
    const { voxels } = this.#simulation.options;
    const width = this.#mean.length;
    const count = estimates.length;
    const pictures = new Float32Array(count * width);
    estimates.forEach((estimate, i) => {
      pictures.set(this.#picture(estimate), i * width);
    });
    const outputs = await this.#fixed.bank.outputs(pictures);
    const residuals = new Float32Array(voxels * count);
    for (let v = 0; v < voxels; v++) {
      for (let i = 0; i < count; i++) {
        const { value } = response(this.#simulation, outputs, i * FILTERS_PER_VOXEL * voxels, v);
        residuals[v * count + i] = measured[v]! - value;
      }
    }
    const [whitened] = await this.#backend.compute(() => [
      triangularSolve(this.#fixed.noiseFactor, this.#backend.tensor(residuals, [voxels, count])),
    ]);
    const white = whitened as Float32Array;
    return estimates.map(({ difference, precision }, i) => {
      let value = 0;
      for (let v = 0; v < voxels; v++) value += white[v * count + i]! ** 2;
      for (let j = 0; j < width; j++) value += difference[j]! * precision[j]!;
      return value;
    });
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
  return { value: (response - truth.blankResponse[v]!) * scale, slopes, scale };
}

async function linearise(
  simulation: Simulation,
  bank: FilterBank,
  pictures: Float32Array,
): Promise<Linearisation[]> {
  const { voxels } = simulation.options;
  const outputs = await bank.outputs(pictures);
  const stride = FILTERS_PER_VOXEL * voxels;
  return Array.from({ length: outputs.length / stride }, (_, i) => {
    const responses = new Float64Array(voxels);
    const slopes = Array.from({ length: FILTERS_PER_VOXEL }, () => new Float32Array(voxels));
    for (let v = 0; v < voxels; v++) {
      const found = response(simulation, outputs, i * stride, v);
      responses[v] = found.value;
      for (let f = 0; f < FILTERS_PER_VOXEL; f++) slopes[f]![v] = found.slopes[f]! * found.scale;
    }
    return { responses, slopes };
  });
}

function meanOf(models: readonly Linearisation[]): Linearisation {
  const mean = (lists: readonly (Float64Array | Float32Array)[]) =>
    Float64Array.from(lists[0]!, (_, i) => lists.reduce((sum, list) => sum + list[i]!, 0) / lists.length);
  return {
    responses: mean(models.map((model) => model.responses)),
    slopes: models[0]!.slopes.map((_, f) => Float32Array.from(mean(models.map((model) => model.slopes[f]!)))),
  };
}

function between(from: Estimate, to: Estimate, share: number): Estimate {
  const mix = (a: Float32Array, b: Float32Array) => a.map((value, i) => value + share * (b[i]! - value));
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
