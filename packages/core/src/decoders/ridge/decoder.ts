import type { Backend } from '../../backend.ts';
import type { BundleContents } from '../../bundle/contents.ts';
import { lagVoxels } from '../../data/lags.ts';
import { takeRows } from '../../data/study/prepare.ts';
import { throwIfAborted } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { add, cast, gemm, type OpOptions, standardize } from '../../ops/index.ts';
import { checkOptions } from '../../options.ts';
import type { Rows } from '../../rows.ts';
import type { Tensor } from '../../tensor.ts';
import { betaExtents, checkFiniteBetas, chosenTrials } from '../checks.ts';
import type {
  Decoder,
  DecoderOutput,
  PredictOptions,
  Reconstruction,
  ReconstructOptions,
} from '../decoder.ts';
import { labelOf, outputSize } from '../decoder.ts';
import { OnDevice } from '../onDevice.ts';
import { Picture } from '../picture.ts';
import { refuseRepeats } from '../repeats.ts';
import { bandContributions } from './bandsOfModel.ts';
import { modelFromBundle, modelToBundle } from './bundle.ts';
import {
  type FitContext,
  fitRidgeModel,
  isPlain,
  RIDGE_OPTIONS,
  type RidgeDecoderOptions,
  type RidgeTrainingData,
} from './fitDecoder.ts';
import { copyColumns, moveTo } from './matrices.ts';
import type { RidgeModel } from './model.ts';
import { CONDITION_LIMIT } from './precision.ts';

/** Trials that are decoded together: enough to fill the matrix kernels, few enough to answer soon. */
const TRIALS_AT_ONCE = 32;
/** Bytes of weights in one tensor: WebGPU guarantees bindings of 128 MiB. */
const WEIGHT_BYTES = 128 * 2 ** 20;

/** Weights of some targets, on the device. */
interface WeightBlock {
  readonly from: number;
  readonly to: number;
  /** [lags x v, targets] or [n, targets] */
  readonly weights: Tensor;
  /** [targets] */
  readonly mean: Tensor;
}

/** What a decoder holds on its backend. */
interface DeviceWeights {
  readonly mean: Tensor;
  readonly std: Tensor;
  readonly training: Tensor | undefined;
  readonly blocks: readonly WeightBlock[];
}

/**
 * Linear decoder: ridge regression from voxels to the pixels of a picture, or to any features.
 *
 * @example
 * const decoder = await RidgeDecoder.fit(
 *   { voxels, targets: pictures, output: { kind: 'picture', shape: [15, 20], range: [0, 1] }, groups: sweeps },
 *   { lags: [2, 3, 4, 5] },
 *   { backend },
 * );
 * for await (const { image } of decoder.reconstruct(unseen)) show(image);
 */
export class RidgeDecoder implements Decoder {
  readonly kind = 'ridge';
  readonly backend: Backend;
  readonly model: RidgeModel;
  readonly warnings: readonly string[];
  readonly #weights: OnDevice<DeviceWeights>;

  private constructor(model: RidgeModel, backend: Backend) {
    this.model = model;
    this.backend = backend;
    this.#weights = new OnDevice(() => uploadModel(model, backend), freeWeights);
    this.warnings = [...model.warnings, ...deviceWarnings(model, backend)];
  }

  /**
   * Fits on training trials.
   *
   * @throws INVALID_ARGUMENT for NaN voxels (naming them), counts that do not match, impossible options; CANCELLED
   *   within a second of an abort
   */
  static async fit(
    data: RidgeTrainingData,
    options: RidgeDecoderOptions,
    context: FitContext,
  ): Promise<RidgeDecoder> {
    checkOptions(options, RIDGE_OPTIONS);
    return new RidgeDecoder(await fitRidgeModel(data, options, context), context.backend);
  }

  /** For `openBundle`. */
  static fromBundle(contents: BundleContents, file: string, backend: Backend): RidgeDecoder {
    return new RidgeDecoder(modelFromBundle(contents, file), backend);
  }

  toBundle(): BundleContents {
    return modelToBundle(this.model);
  }

  get voxels(): number {
    return this.model.input.voxels;
  }

  get output() {
    return this.model.output;
  }

  async prepare({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#weights.get();
    throwIfAborted(signal, 'uploading weights');
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    const design = this.#design(betas, options);
    const n = design.shape[0]!;
    const size = outputSize(this.output);
    const values = new Float32Array(n * size);
    for (let start = 0; start < n; start += TRIALS_AT_ONCE) {
      const trials = range(start, Math.min(n, start + TRIALS_AT_ONCE));
      values.set(await this.#decode(design, trials, options.signal), start * size);
    }
    return values;
  }

  /**
   * What each band of voxels adds to the predictions of all rows: [n, ...output.shape] each, which with the mean of the
   * training targets sum up to them (unclipped).
   *
   * @throws UNSUPPORTED for a decoder that was fitted without bands
   */
  async predictBands(
    betas: Rows,
    options: PredictOptions = {},
  ): Promise<{ readonly name: string; readonly values: Float32Array }[]> {
    return bandContributions(this.model, this.#design(betas, options), this.backend, options.signal);
  }

  async *reconstruct(
    betas: Rows,
    options: ReconstructOptions = {},
  ): AsyncGenerator<Reconstruction, void, void> {
    const design = this.#design(betas, options);
    refuseRepeats(this.kind, options);
    const trials = chosenTrials(options.trials, design.shape[0]!);
    const { output } = this;
    const size = outputSize(output);
    for (let start = 0; start < trials.length; start += TRIALS_AT_ONCE) {
      const some = trials.slice(start, start + TRIALS_AT_ONCE);
      const values = await this.#decode(design, some, options.signal);
      for (const [i, trial] of some.entries()) {
        throwIfAborted(options.signal, 'reconstruction');
        const data = values.slice(i * size, (i + 1) * size);
        yield { trial, ...reconstructionOf(output, data) };
      }
    }
  }

  dispose(): void {
    this.#weights.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Rows as the weights take them: for decoders with lags, each with its neighbours of the same run. */
  #design(betas: Rows, { runs, signal }: PredictOptions): Rows {
    this.#weights.assertAlive();
    throwIfAborted(signal, 'reconstruction');
    betaExtents(betas, this.voxels);
    const { lags } = this.model;
    return isPlain(lags) ? betas : lagVoxels(betas, lags, runs);
  }

  /** Values of some trials, [trials, output], clipped if they are pictures. */
  async #decode(
    design: Rows,
    trials: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    throwIfAborted(signal, 'reconstruction');
    const { output } = this.model;
    const { data } = takeRows(design, trials);
    const width = data.length / trials.length;
    checkFiniteBetas(data, trials, width);
    const held = await this.#weights.get();
    const { backend } = this;
    const downloads = backend.scope(() => {
      const x = backend.tensor(data, [trials.length, width]);
      let z = standardize(x, { mean: held.mean, std: held.std, signal });
      if (held.training) {
        if (held.training.dtype !== z.dtype) z = cast(z, held.training.dtype, { signal });
        z = gemm(z, held.training, { transB: true, signal });
      }
      return held.blocks.map(({ weights, mean }) => predictBlock(z, weights, mean, { signal }).download());
    });
    const parts = (await Promise.all(downloads)) as Float32Array[];
    const size = outputSize(output);
    const values = new Float32Array(trials.length * size);
    held.blocks.forEach(({ from, to }, b) => {
      const part = parts[b]!;
      for (let i = 0; i < trials.length; i++) {
        values.set(part.subarray(i * (to - from), (i + 1) * (to - from)), i * size + from);
      }
    });
    if (output.kind === 'picture') clip(values, output.range);
    return values;
  }
}

/** Values of one trial as what they are. */
function reconstructionOf(output: DecoderOutput, data: Float32Array): Omit<Reconstruction, 'trial'> {
  if (output.kind === 'picture') return { image: new Picture(data, output.shape, output.range) };
  if (output.kind === 'labels') return { label: labelOf(output.names, data) };
  return { features: { data, shape: output.shape } };
}

function freeWeights({ mean, std, training, blocks }: DeviceWeights): void {
  for (const tensor of [mean, std, training, ...blocks.flatMap((block) => [block.weights, block.mean])]) {
    tensor?.dispose();
  }
}

async function uploadModel(model: RidgeModel, backend: Backend): Promise<DeviceWeights> {
  const { weights, trainingVoxels, targetMean, voxelMean, voxelStd } = model;
  // Dual weights of an ill-conditioned fit cancel each other: they are applied in the arithmetic they came from.
  const dtype = weights instanceof Float64Array && hasFloat64(backend) ? 'f64' : 'f32';
  const targets = targetMean.length;
  const rows = weights.length / targets;
  const width = voxelMean.length;
  const blocks: WeightBlock[] = [];
  const mean = backend.tensor(voxelMean, [width]);
  const std = backend.tensor(voxelStd, [width]);
  try {
    const atOnce = Math.max(1, Math.floor(WEIGHT_BYTES / (rows * weights.BYTES_PER_ELEMENT)));
    for (let from = 0; from < targets; from += atOnce) {
      const to = Math.min(targets, from + atOnce);
      const values = await copyColumns(weights, targets, from, to);
      const block = backend.scope(() => ({
        weights: moveTo(backend, values, [rows, to - from], dtype, {}),
        mean: moveTo(backend, targetMean.slice(from, to), [to - from], dtype, {}),
      }));
      blocks.push({ from, to, ...block });
    }
    const copy = trainingVoxels && (await copyColumns(trainingVoxels, width, 0, width));
    const training = copy && backend.scope(() => moveTo(backend, copy, [rows, width], dtype, {}));
    return { mean, std, training, blocks };
  } catch (error) {
    freeWeights({ mean, std, training: undefined, blocks });
    throw error;
  }
}

/** Predictions in float32, whatever they were computed in. */
function predictBlock(z: Tensor, weights: Tensor, mean: Tensor, options: OpOptions): Tensor {
  const same = z.dtype === weights.dtype ? z : cast(z, weights.dtype, options);
  const values = add(gemm(same, weights, options), mean, options);
  return values.dtype === 'f32' ? values : cast(values, 'f32', options);
}

function deviceWarnings({ storage, weights, report }: RidgeModel, backend: Backend): string[] {
  const bound = typeof report.conditionBound === 'number' ? report.conditionBound : 0;
  if (storage === 'primal' || !(weights instanceof Float64Array) || hasFloat64(backend)) return [];
  if (bound <= CONDITION_LIMIT) return [];
  return [
    `fitted in float64 (condition number up to ${bound.toExponential(1)}), but ${backend.name} applies its dual weights in float32: store it primal for such devices`,
  ];
}

function clip(values: Float32Array, [low, high]: readonly [number, number]): void {
  for (let i = 0; i < values.length; i++) values[i] = Math.min(high, Math.max(low, values[i]!));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
