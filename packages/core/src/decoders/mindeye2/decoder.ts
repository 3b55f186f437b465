import type { Backend } from '../../backend.ts';
import type { BundleContents } from '../../bundle/contents.ts';
import type { OpenedWeights } from '../../bundle/open.ts';
import { recordedItem } from '../../diffusion/noise.ts';
import { drawPrior } from '../../diffusion/sample.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { gemm, ops } from '../../ops/index.ts';
import type { Rows } from '../../rows.ts';
import { sizeOf, type Tensor } from '../../tensor.ts';
import { matchWeights } from '../../weights/match.ts';
import { mindeye2 } from '../../weights/schemas/index.ts';
import { betaExtents, checkFiniteBetas } from '../checks.ts';
import type { ConvertedOptions } from '../converted.ts';
import {
  type Decoder,
  type DecoderOutput,
  type Features,
  outputSize,
  type PredictOptions,
  type Reconstruction,
  type ReconstructOptions,
} from '../decoder.ts';
import { checkMemory } from '../memory.ts';
import { precisionOf } from '../precision.ts';
import { averaging, batchesOf, chosenRepeats, type Repeats } from '../repeats.ts';
import { MindEye2Model } from './model.ts';
import { checkStage, memoryNeeded, outputOf, ROWS_AT_ONCE, sizesOf } from './stages.ts';

/** Ops that its stages run. */
const OPS = [
  'linear',
  'layer_norm',
  'group_norm',
  'conv2d',
  'attention',
  'permute',
  'upsample_nearest',
  'gemm',
];

/** Outputs of a reconstruction by name, the main one first. */
type Outputs = readonly (readonly [name: string, features: Features])[];

/**
 * MindEye2 (Scotti et al. 2024, arXiv:2403.11207) out of a converted checkpoint: voxels of one subject to tokens of
 * OpenCLIP bigG, a retrieval embedding, the latent of a blurry picture, and samples of the diffusion prior.
 *
 * Stages: `tokens` gives the backbone's tokens, `beside.retrieval`; `blurry` the latent [4, 28, 28]; `prior` a sample of
 * the prior, `beside.tokens`, `beside.retrieval` and, where the model has that branch, `beside.latent`. Outputs of repeats
 * are averaged, not responses, as the published evaluation does.
 */
export class MindEye2Decoder implements Decoder {
  readonly kind = 'mindeye2';
  readonly backend: Backend;
  readonly voxels: number;
  readonly output: DecoderOutput;
  readonly warnings: readonly string[];
  readonly #model: MindEye2Model;
  readonly #file: string;
  #disposed = false;

  private constructor(model: MindEye2Model, warnings: readonly string[], file: string) {
    this.#model = model;
    this.#file = file;
    this.backend = model.backend;
    this.voxels = model.sizes.positions * model.sizes.voxels;
    this.output = outputOf(model.stage, model.sizes);
    this.warnings = warnings;
  }

  /**
   * Puts what a stage needs on a device.
   *
   * @throws INVALID_ARGUMENT for a stage, precision or subject that there is not; UNSUPPORTED for a stage that the
   *   checkpoint has no weights of; OUT_OF_MEMORY, before anything is loaded, with what is needed and what there is;
   *   FORMAT, IO, CANCELLED
   */
  static async open(
    { weights, warnings }: OpenedWeights,
    file: string,
    backend: Backend,
    options: ConvertedOptions,
  ): Promise<MindEye2Decoder> {
    const { signal, onProgress, memory = {} } = options;
    const { dtype, arithmetic, warnings: emulated } = precisionOf(options.precision);
    const matched = matchWeights(weights, mindeye2);
    const sizes = sizesOf(matched, options.subject);
    const stage = checkStage(options.stage, sizes, file);
    const remedy = 'f16 and bf16 take half of f32, and the stage blurry the least';
    checkMemory(memoryNeeded(matched, stage, sizes, dtype), memory, backend, { file, remedy });
    const settings = { precision: dtype, arithmetic, signal, onProgress };
    const model = await MindEye2Model.load(weights, matched, backend, { sizes, stage }, settings);
    return new MindEye2Decoder(model, [...warnings, ...emulated], file);
  }

  /** A bundle of converted weights is not made by a decoder: `fmri2image convert` writes it, a copy of its folder is it. */
  toBundle(): BundleContents {
    throw new F2iError(
      'UNSUPPORTED',
      'converted weights are not written again: copy the folder of the bundle',
      {
        file: this.#file,
      },
    );
  }

  async prepare({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#assertAlive();
    await this.backend.prepare(OPS.map((name) => ops.get(name)!));
    throwIfAborted(signal, 'preparing');
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    const size = outputSize(this.output);
    const values = new Float32Array(betas.shape[0]! * size);
    let at = 0;
    for await (const { features } of this.reconstruct(betas, options)) {
      values.set(features!.data, at);
      at += size;
    }
    return values;
  }

  async *reconstruct(
    betas: Rows,
    options: ReconstructOptions = {},
  ): AsyncGenerator<Reconstruction, void, void> {
    this.#assertAlive();
    const { signal } = options;
    throwIfAborted(signal, 'reconstruction');
    const [count] = betaExtents(betas, this.voxels);
    const chosen = chosenRepeats(options, count);
    const hasRepeats = options.repeats !== undefined;
    let done = 0;
    for (const batch of batchesOf(chosen, ROWS_AT_ONCE)) {
      for await (const outputs of this.#outputs(betas, batch, options, done)) {
        this.#assertAlive();
        throwIfAborted(signal, 'reconstruction');
        const { trials } = chosen[done++]!;
        const [[, features], ...others] = outputs as [Outputs[number], ...Outputs];
        yield {
          trial: trials[0]!,
          ...(hasRepeats && { trials }),
          features,
          ...(others.length > 0 && { beside: Object.fromEntries(others) }),
        };
      }
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Outputs of each reconstruction of a batch, means over its repeats. */
  async *#outputs(
    betas: Rows,
    batch: readonly Repeats[],
    options: ReconstructOptions,
    first: number,
  ): AsyncGenerator<Outputs, void, void> {
    const { signal } = options;
    const { backend } = this;
    const means = this.#means(betas, batch, signal);
    const named = Object.entries(means) as [string, Tensor][];
    try {
      const values = await Promise.all(named.map(([, tensor]) => tensor.download()));
      const outputs = batch.map((_, i) =>
        named.map(([name, { shape }], o): [string, Features] => {
          const [, ...own] = shape;
          const data = (values[o] as Float32Array).slice(i * sizeOf(own), (i + 1) * sizeOf(own));
          return [name, { data: this.#finite(data), shape: own }];
        }),
      );
      const { prior } = this.#model;
      for (const [i, { trials }] of batch.entries()) {
        if (!prior) {
          yield outputs[i]!;
          continue;
        }
        const noise = options.noise && recordedItem(options.noise, first + i);
        const brain = means.tokens!.rows(i, i + 1);
        const sampled = await drawPrior(prior, brain, {
          seed: options.seed,
          items: [trials[0]!],
          noise,
          signal,
        });
        const [data] = await backend.compute(() => [sampled.reshape(...sampled.shape)]);
        sampled.dispose();
        brain.dispose();
        const sample = { data: this.#finite(data as Float32Array), shape: this.output.shape };
        yield [['prior', sample], ...outputs[i]!];
      }
    } finally {
      for (const [, tensor] of named) tensor.dispose();
    }
  }

  /** [reconstructions, ...] of each output, on the device. */
  #means(betas: Rows, batch: readonly Repeats[], signal: AbortSignal | undefined): Record<string, Tensor> {
    const { backend, voxels } = this;
    const rows = batch.flatMap((one) => one.rows);
    const data = new Float32Array(rows.length * voxels);
    for (const [i, row] of rows.entries()) {
      data.set(betas.data.subarray(row * voxels, (row + 1) * voxels), i * voxels);
    }
    checkFiniteBetas(data, rows, voxels);
    const isPlain = batch.every((one) => one.rows.length === 1);
    return backend.scope(() => {
      const outputs = this.#model.outputs(backend.tensor(data, [rows.length, voxels]), { signal });
      if (isPlain) return { ...outputs };
      const shares = backend.tensor(averaging(batch), [batch.length, rows.length]);
      return Object.fromEntries(
        Object.entries(outputs as Record<string, Tensor>).map(([name, tensor]) => {
          const [, ...own] = tensor.shape;
          const mean = gemm(shares, tensor.reshape(rows.length, sizeOf(own)), { signal });
          return [name, mean.reshape(batch.length, ...own)];
        }),
      );
    });
  }

  #finite(data: Float32Array): Float32Array {
    if (data.every(Number.isFinite)) return data;
    throw new F2iError('FORMAT', 'the model gives NaN or infinity: are its weights whole?', {
      file: this.#file,
    });
  }

  #assertAlive(): void {
    if (this.#disposed) throw new F2iError('DISPOSED', 'the decoder was used after dispose()');
  }
}
