import type { Backend } from '../../backend.ts';
import { pacer } from '../../data/pause.ts';
import { F2iError } from '../../error.ts';
import { add, gemm, maximum, minimum, mul, type OpOptions, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { timeMatrices, timeSystem } from './timeSystem.ts';

/** Penalties of one inversion, relative to the mean curvature of the data term. */
export interface Penalties {
  /** On the squares of the pixels. */
  readonly ridge: number;
  /** On the squares of the differences of successive frames. */
  readonly smoothTime: number;
  /** On the squares of the differences of neighbouring pixels. */
  readonly smoothSpace: number;
}

export interface InversionSettings {
  /** Frames are not below 0 (black), or not outside the range 0 to 1. */
  readonly bounds: 'none' | 'non-negative' | 'range';
  readonly iterations: number;
  /** Degree of the polynomial that is projected out of the block; -1: none, the training baseline is kept. */
  readonly blockDrift: number;
}

/** The encoding model as the inversion takes it. */
export interface InversionModel {
  readonly kernel: Float64Array;
  /** [voxels, pixels] on the device, and the same products of fields. */
  readonly projection: Tensor;
  readonly gram: Tensor;
  /** Sum of squared differences of neighbouring pixels as a quadratic form, [pixels, pixels]. */
  readonly neighbours: Tensor;
  /** Largest eigenvalue of `gram` and mean of its diagonal. */
  readonly largest: number;
  readonly mean: number;
}

/** A block is inverted whole, with matrices between its frames: 256 MiB each for so many. */
const MOST_FRAMES = 8192;
/** The largest eigenvalue is approached from below: steps are shorter by this factor. */
const SAFETY = 1.05;
const POWER_ITERATIONS = 40;

/** Makes a model of its two matrices; `dispose` frees them. */
export async function inversionModel(
  backend: Backend,
  kernel: Float64Array,
  projection: Float32Array,
  gram: Float32Array,
  [height, width]: readonly [number, number],
  options: OpOptions,
): Promise<InversionModel & { dispose(): void }> {
  const pixels = height * width;
  const held = backend.scope(() => ({
    projection: backend.tensor(projection, [projection.length / pixels, pixels]),
    gram: backend.tensor(gram, [pixels, pixels]),
    neighbours: backend.tensor(pixelRoughness(height, width), [pixels, pixels]),
  }));
  const dispose = () => {
    held.neighbours.dispose();
    held.projection.dispose();
    held.gram.dispose();
  };
  try {
    let trace = 0;
    for (let p = 0; p < pixels; p++) trace += gram[p * pixels + p]!;
    const largest = await largestEigenvalueOf(held.gram, options);
    return { kernel, ...held, largest, mean: trace / pixels, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** DᵀD of the differences between pixels that share an edge. */
function pixelRoughness(height: number, width: number): Float32Array {
  const pixels = height * width;
  const form = new Float32Array(pixels * pixels);
  const join = (a: number, b: number) => {
    form[a * pixels + a]! += 1;
    form[b * pixels + b]! += 1;
    form[a * pixels + b]! -= 1;
    form[b * pixels + a]! -= 1;
  };
  for (let p = 0; p < pixels; p++) {
    if (p % width < width - 1) join(p, p + 1);
    if (p + width < pixels) join(p, p + width);
  }
  return form;
}

/** By power iteration, of a symmetric matrix without negative eigenvalues. */
async function largestEigenvalueOf(matrix: Tensor, options: OpOptions): Promise<number> {
  const size = matrix.shape[0]!;
  let vector = new Float32Array(size).fill(1 / Math.sqrt(size));
  let eigenvalue = 0;
  for (let i = 0; i < POWER_ITERATIONS; i++) {
    const [image] = (await matrix.backend.compute(() => [
      gemm(matrix.backend.tensor(vector, [1, size]), matrix, options),
    ])) as [Float32Array];
    eigenvalue = Math.sqrt(image.reduce((sum, value) => sum + value * value, 0));
    if (!(eigenvalue > 0)) return 0;
    vector = image.map((value) => value / eigenvalue);
  }
  return eigenvalue;
}

/**
 * Frames of one block whose predicted responses fit best: the minimum over S of
 *
 *   ½ Σ-weighted ‖M (Y - H S Wᵀ)‖² + ½ ridge ‖S‖² + ½ smoothTime ‖D S‖² + ½ smoothSpace ‖S Gᵀ‖²
 *
 * within the bounds, where H is the convolution in time (with the frames before the block as further unknowns), W the
 * receptive fields, D the differences of successive frames and G those of neighbouring pixels. Accelerated projected
 * gradients (Nesterov; FISTA, Beck & Teboulle 2009) with a fixed number of iterations. Space and time are apart, so a
 * step costs two matrix products: HᵀMH S WᵀΣ⁻¹W. Several penalties are solved side by side.
 *
 * @param responses [volumes, voxels], baseline subtracted
 * @returns [volumes, pixels] for each of the penalties
 * @throws INVALID_ARGUMENT for a block of too many volumes, and where the frames are not finite numbers; CANCELLED
 */
export async function invertBlock(
  model: InversionModel,
  responses: Float32Array,
  penalties: readonly Penalties[],
  settings: InversionSettings,
  options: OpOptions,
): Promise<Float32Array[]> {
  const { projection, gram } = model;
  const { backend } = gram;
  const [voxels, pixels] = projection.shape as [number, number];
  const volumes = responses.length / voxels;
  checkLength(volumes, model.kernel.length - 1);
  const { signal } = options;
  const time = await timeSystem(volumes, model.kernel, settings.blockDrift, signal);
  const matrices = await timeMatrices(time, signal);
  const { frames, lead } = time;
  const count = penalties.length;
  const width = count * pixels;
  const unit = model.mean * time.mean;
  // Curvatures of the penalised problems, from above; all take the shortest of their steps.
  const penalty = (of: (penalty: Penalties) => number) => unit * Math.max(...penalties.map(of));
  const curvature =
    SAFETY * model.largest * time.largest +
      penalty(({ ridge }) => ridge) +
      4 * penalty(({ smoothTime }) => smoothTime) +
      8 * penalty(({ smoothSpace }) => smoothSpace) || 1;
  const step = 1 / curvature;
  // A strongly convex problem has a best momentum, which the schedule of FISTA grows up to.
  const root = Math.sqrt(step * unit * Math.min(...penalties.map(({ ridge }) => ridge)));
  const limit = (1 - root) / (1 + root);
  const perColumn = (of: (penalty: Penalties) => number) => {
    const values = new Float32Array(width);
    penalties.forEach((penalty, k) => {
      values.fill(step * unit * of(penalty), k * pixels, (k + 1) * pixels);
    });
    return backend.tensor(values, [1, width]);
  };
  const held = backend.scope(() => {
    const seen = gemm(backend.tensor(responses, [volumes, voxels]), projection, options);
    const adjoint = backend.tensor(matrices.adjoint, [frames, volumes]);
    // The same right side for every penalty.
    const copies = new Float32Array(pixels * width);
    for (let k = 0; k < count; k++) {
      for (let p = 0; p < pixels; p++) copies[p * width + k * pixels + p] = step;
    }
    return {
      timeGram: backend.tensor(matrices.gram, [frames, frames]),
      roughness: backend.tensor(matrices.roughness, [frames, frames]),
      target: gemm(gemm(adjoint, seen, options), backend.tensor(copies, [pixels, width]), options),
      keep: perColumn(({ ridge }) => 1 / step / unit - ridge),
      smoothTime: perColumn(({ smoothTime }) => smoothTime),
      smoothSpace: perColumn(({ smoothSpace }) => smoothSpace),
    };
  });
  const inTime = penalties.some(({ smoothTime }) => smoothTime > 0);
  const inSpace = penalties.some(({ smoothSpace }) => smoothSpace > 0);
  const flat = (tensor: Tensor) => tensor.reshape(frames * count, pixels);
  const wide = (tensor: Tensor) => tensor.reshape(frames, width);
  let x = backend.zeros([frames, width]);
  let v = backend.zeros([frames, width]);
  const breathe = pacer(signal, 'the inversion');
  try {
    for (let i = 0, t = 1; i < settings.iterations; i++) {
      await breathe();
      const next = (1 + Math.sqrt(1 + 4 * t * t)) / 2;
      const momentum = Math.min(limit, (t - 1) / next);
      const [newX, newV] = backend.scope(() => {
        // One gradient step, each term added by the product that makes it.
        let moved = add(mul(v, held.keep, options), held.target, options);
        const convolved = flat(gemm(held.timeGram, v, options));
        moved = wide(gemm(convolved, gram, { ...options, alpha: -step, c: flat(moved) }));
        if (inTime) {
          const weighted = mul(v, held.smoothTime, options);
          moved = gemm(held.roughness, weighted, { ...options, alpha: -1, c: moved });
        }
        if (inSpace) {
          const weighted = flat(mul(v, held.smoothSpace, options));
          moved = wide(gemm(weighted, model.neighbours, { ...options, alpha: -1, c: flat(moved) }));
        }
        if (settings.bounds !== 'none') moved = maximum(moved, 0, options);
        if (settings.bounds === 'range') moved = minimum(moved, 1, options);
        return [moved, add(moved, mul(sub(moved, x, options), momentum, options), options)] as const;
      });
      x.dispose();
      v.dispose();
      [x, v] = [newX, newV];
      t = next;
    }
    const all = (await x.download()) as Float32Array;
    if (!all.every(Number.isFinite)) throw diverged();
    return penalties.map((_, k) => {
      const block = new Float32Array(volumes * pixels);
      for (let t = 0; t < volumes; t++) {
        const at = (lead + t) * width + k * pixels;
        block.set(all.subarray(at, at + pixels), t * pixels);
      }
      return block;
    });
  } finally {
    for (const tensor of [x, v, ...Object.values(held)]) tensor.dispose();
  }
}

function checkLength(volumes: number, lead: number): void {
  if (lead + volumes <= MOST_FRAMES) return;
  throw new F2iError('INVALID_ARGUMENT', 'a run is decoded whole; split this one', {
    field: 'runs',
    expected: `at most ${MOST_FRAMES - lead} volumes`,
    found: `${volumes}`,
  });
}

function diverged(): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'the inversion overflows', {
    field: 'betas',
    expected: 'responses on the scale of the training volumes, and an undamaged decoder',
    found: 'frames of NaN or infinity',
  });
}
