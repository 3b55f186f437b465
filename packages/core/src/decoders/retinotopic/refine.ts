import { nextTurn, pacer } from '../../data/pause.ts';
import { throwIfAborted } from '../../error.ts';
import { gemm, type OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { VisualExtent } from './fields.ts';
import { SMALLEST_OVERLAP } from './grid.ts';
import { FieldPainter, PRF_PARAMETERS, type PrfModel, prfBounds, spatialCount } from './prf.ts';

/** Fields and derivatives, and their predictions, that are held at once. */
const BLOCK_BYTES = 32 * 2 ** 20;
/** Damping: where it starts, and by what it changes after a step that helped and one that did not. */
const DAMPING = { start: 1e-2, success: 0.3, failure: 5 };

export interface RefineProblem {
  readonly model: PrfModel;
  readonly visual: VisualExtent;
  readonly size: readonly [height: number, width: number];
  /** [m, pixels] */
  readonly frames: Tensor;
  /** [n, m], drift removed */
  readonly convolution: Tensor;
  readonly signed: boolean;
}

export interface RefinedFields {
  /** [voxels, parameters] */
  readonly theta: Float64Array;
  /** Scale of the prediction. */
  readonly amplitude: Float64Array;
  /** Correlation over the rows; negative amplitudes count only where they are allowed. */
  readonly correlation: Float64Array;
}

/**
 * Levenberg-Marquardt on the parameters of each voxel's field, all voxels at a time: predictions and their derivatives
 * are matrix products on the device, the small systems are solved here in float64. The amplitude is not a parameter:
 * it is the least-squares one at every point (variable projection, Golub & Pereyra 1973, with Kaufman's Jacobian). A
 * step is taken only where it raises the correlation, so no voxel ends below its start.
 *
 * @param start [voxels, parameters]
 * @param responses [n, voxels], drift removed
 */
export async function refineFields(
  problem: RefineProblem,
  start: Float64Array,
  responses: Float32Array,
  iterations: number,
  options: OpOptions,
): Promise<RefinedFields> {
  const count = PRF_PARAMETERS[problem.model].length;
  const voxels = start.length / count;
  const n = problem.convolution.shape[0]!;
  const m = problem.frames.shape[0]!;
  const [height, width] = problem.size;
  const bytes = 4 * (spatialCount(problem.model) + 1) * Math.max(height * width, n, m);
  const atOnce = Math.max(1, Math.floor(BLOCK_BYTES / bytes));
  const theta = Float64Array.from(start);
  const amplitude = new Float64Array(voxels);
  const correlation = new Float64Array(voxels);
  for (let first = 0; first < voxels; first += atOnce) {
    const last = Math.min(voxels, first + atOnce);
    const some = new Float32Array(n * (last - first));
    for (let t = 0; t < n; t++) {
      some.set(responses.subarray(t * voxels + first, t * voxels + last), t * (last - first));
    }
    const part = theta.subarray(first * count, last * count);
    const block = await refineBlock(problem, part, some, iterations, options);
    amplitude.set(block.amplitude, first);
    correlation.set(block.correlation, first);
  }
  return { theta, amplitude, correlation };
}

/** Refines some voxels; `theta` is overwritten. */
async function refineBlock(
  problem: RefineProblem,
  theta: Float64Array,
  responses: Float32Array,
  iterations: number,
  options: OpOptions,
): Promise<Omit<RefinedFields, 'theta'>> {
  const { model, signed } = problem;
  const count = PRF_PARAMETERS[model].length;
  const voxels = theta.length / count;
  const { low, high } = prfBounds(model, problem.visual, ...problem.size);
  const trial = Float64Array.from(theta);
  const damping = new Float64Array(voxels).fill(DAMPING.start);
  const fit = new Float64Array(voxels).fill(Number.NEGATIVE_INFINITY);
  const amplitude = new Float64Array(voxels);
  const step = new Float64Array(count);
  let best: Products | undefined;
  for (let i = 0; ; i++) {
    throwIfAborted(options.signal, 'the refinement of receptive fields');
    // After the last step nobody asks for directions.
    const isLast = i === iterations;
    const products = await evaluate(problem, trial, responses, !isLast, options);
    best ??= products;
    for (let v = 0; v < voxels; v++) {
      const { pp, py, yy } = products.of(v);
      const scale = pp > 0 ? py / pp : 0;
      const share = pp > 0 && yy > 0 && (signed || py > 0) ? (py * py) / (pp * yy) : 0;
      if (share > fit[v]!) {
        fit[v] = share;
        amplitude[v] = share > 0 ? scale : 0;
        theta.set(trial.subarray(v * count, (v + 1) * count), v * count);
        if (!isLast) best.copy(v, products);
        if (i > 0) damping[v] = Math.max(1e-9, damping[v]! * DAMPING.success);
      } else {
        damping[v] = Math.min(1e9, damping[v]! * DAMPING.failure);
      }
    }
    if (isLast) break;
    for (let v = 0; v < voxels; v++) {
      if (!gaussNewtonStep(best, v, amplitude[v]!, damping[v]!, step)) step.fill(0);
      for (let j = 0; j < count; j++) {
        const moved = theta[v * count + j]! + step[j]!;
        trial[v * count + j] = Math.min(high[j]!, Math.max(low[j]!, moved));
      }
    }
    await nextTurn();
  }
  return { amplitude, correlation: fit.map((share) => Math.sqrt(Math.max(0, share))) };
}

/** Inner products of each voxel's prediction p, its derivatives d and its response y. */
class Products {
  /** [pairs, voxels]: (p, p), (p, y), (y, y), then for each derivative i (d_i, p), (d_i, y), (d_i, d_0..i). */
  readonly #values: Float64Array;
  readonly #voxels: number;
  readonly derivatives: number;

  constructor(derivatives: number, voxels: number) {
    this.derivatives = derivatives;
    this.#voxels = voxels;
    this.#values = new Float64Array(voxels * (3 + 2 * derivatives + (derivatives * (derivatives + 1)) / 2));
  }

  /** Adds one row of all voxels. */
  add(p: Float32Array, d: readonly Float32Array[], y: Float32Array): void {
    this.#addPair(0, p, p);
    this.#addPair(1, p, y);
    this.#addPair(2, y, y);
    for (const [i, derivative] of d.entries()) {
      this.#addPair(this.#at(i), derivative, p);
      this.#addPair(this.#at(i) + 1, derivative, y);
      for (let j = 0; j <= i; j++) this.#addPair(this.#at(i) + 2 + j, derivative, d[j]!);
    }
  }

  of(v: number) {
    return { pp: this.#get(0, v), py: this.#get(1, v), yy: this.#get(2, v) };
  }

  derivative(i: number, v: number) {
    return { dp: this.#get(this.#at(i), v), dy: this.#get(this.#at(i) + 1, v) };
  }

  between(i: number, j: number, v: number): number {
    return i >= j ? this.#get(this.#at(i) + 2 + j, v) : this.between(j, i, v);
  }

  copy(v: number, from: Products): void {
    if (from === this) return;
    for (let at = v; at < this.#values.length; at += this.#voxels) this.#values[at] = from.#values[at]!;
  }

  #at(i: number): number {
    return 3 + 2 * i + (i * (i + 1)) / 2;
  }

  #get(pair: number, v: number): number {
    return this.#values[pair * this.#voxels + v]!;
  }

  #addPair(pair: number, a: Float32Array, b: Float32Array): void {
    const values = this.#values;
    for (let v = 0, at = pair * this.#voxels; v < a.length; v++, at++) values[at]! += a[v]! * b[v]!;
  }
}

/** Solves `(JᵀJ + damping diag JᵀJ) step = Jᵀ(y - a p)`; false where there is nothing to solve. */
function gaussNewtonStep(
  products: Products,
  v: number,
  a: number,
  damping: number,
  step: Float64Array,
): boolean {
  const { derivatives } = products;
  const { pp } = products.of(v);
  if (!(pp > 0) || a === 0) return false;
  const matrix = new Float64Array(derivatives * derivatives);
  for (let i = 0; i < derivatives; i++) {
    const { dp, dy } = products.derivative(i, v);
    step[i] = a * (dy - a * dp);
    for (let j = 0; j <= i; j++) {
      const value = a * a * (products.between(i, j, v) - (dp * products.derivative(j, v).dp) / pp);
      matrix[i * derivatives + j] = value;
      matrix[j * derivatives + i] = value;
    }
  }
  for (let i = 0; i < derivatives; i++) matrix[i * derivatives + i]! *= 1 + damping;
  return solveSymmetric(matrix, step, derivatives);
}

/** Cholesky in place; a direction that changes nothing is not moved along. */
function solveSymmetric(matrix: Float64Array, b: Float64Array, size: number): boolean {
  const floor = 1e-14 * matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!(floor > 0)) return false;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j]!;
      for (let k = 0; k < j; k++) sum -= matrix[i * size + k]! * matrix[j * size + k]!;
      if (i === j) matrix[i * size + i] = sum > floor ? Math.sqrt(sum) : Number.POSITIVE_INFINITY;
      else
        matrix[i * size + j] =
          matrix[j * size + j] === Number.POSITIVE_INFINITY ? 0 : sum / matrix[j * size + j]!;
    }
  }
  for (let i = 0; i < size; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= matrix[i * size + k]! * b[k]!;
    b[i] = sum / matrix[i * size + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < size; k++) sum -= matrix[k * size + i]! * b[k]!;
    b[i] = sum / matrix[i * size + i]!;
  }
  return b.every(Number.isFinite);
}

/** Products of predictions, responses and, if wanted, derivatives at some parameters. */
async function evaluate(
  problem: RefineProblem,
  theta: Float64Array,
  responses: Float32Array,
  withDerivatives: boolean,
  options: OpOptions,
): Promise<Products> {
  const { model, visual, size, frames, convolution } = problem;
  const { backend } = frames;
  const count = PRF_PARAMETERS[model].length;
  const voxels = theta.length / count;
  const n = convolution.shape[0]!;
  const rows = withDerivatives ? 1 + spatialCount(model) : 1;
  const painter = new FieldPainter(model, visual, ...size);
  const fields = new Float32Array(rows * voxels * painter.pixels);
  const breathe = pacer(options.signal, 'the refinement of receptive fields');
  for (let v = 0; v < voxels; v++) {
    painter.paint(theta.subarray(v * count, (v + 1) * count), fields, v, rows, voxels);
    if (v % 16 === 0) await breathe();
  }
  const columns = rows * voxels;
  let predicted: Float32Array;
  let width = columns;
  if (model === 'css') {
    const [linear] = await backend.compute(() => {
      const painted = backend.adopt(fields.buffer, [columns, painter.pixels], 'f32');
      return [gemm(frames, painted, { ...options, transB: true })];
    });
    const powers = raise(linear as Float32Array, theta, voxels, rows);
    width = (withDerivatives ? 5 : 1) * voxels;
    [predicted] = (await backend.compute(() => {
      const raised = backend.adopt(powers.buffer as ArrayBuffer, [frames.shape[0]!, width], 'f32');
      return [gemm(convolution, raised, options)];
    })) as [Float32Array];
  } else {
    [predicted] = (await backend.compute(() => {
      const painted = backend.adopt(fields.buffer, [columns, painter.pixels], 'f32');
      const shown = gemm(convolution, frames, options);
      return [gemm(shown, painted, { ...options, transB: true })];
    })) as [Float32Array];
  }
  const derivatives = withDerivatives ? count : 0;
  const products = new Products(derivatives, voxels);
  for (let t = 0; t < n; t++) {
    const row = predicted.subarray(t * width, (t + 1) * width);
    const d = Array.from({ length: derivatives }, (_, j) => row.subarray((j + 1) * voxels, (j + 2) * voxels));
    products.add(row.subarray(0, voxels), d, responses.subarray(t * voxels, (t + 1) * voxels));
    await breathe();
  }
  return products;
}

/**
 * Compressive summation of overlaps z: zⁿ, and its derivatives by x, y, ln size and ln n.
 *
 * @param linear [m, rows voxels]: z, and with four rows its derivatives by x, y and ln size
 * @returns [m, voxels], or [m, 5 voxels]
 */
function raise(linear: Float32Array, theta: Float64Array, voxels: number, rows: number): Float32Array {
  const m = linear.length / (rows * voxels);
  const width = (rows === 1 ? 1 : 5) * voxels;
  const out = new Float32Array(m * width);
  const exponents = Float64Array.from({ length: voxels }, (_, v) => Math.exp(theta[4 * v + 3]!));
  for (let t = 0; t < m; t++) {
    for (let v = 0; v < voxels; v++) {
      const from = t * rows * voxels + v;
      const to = t * width + v;
      const exponent = exponents[v]!;
      const z = Math.max(linear[from]!, SMALLEST_OVERLAP);
      const power = z ** exponent;
      out[to] = power;
      if (rows === 1) continue;
      const slope = linear[from]! > SMALLEST_OVERLAP ? (exponent * power) / z : 0;
      for (let j = 1; j <= 3; j++) out[to + j * voxels] = slope * linear[from + j * voxels]!;
      out[to + 4 * voxels] = exponent * Math.log(z) * power;
    }
  }
  return out;
}
