import type { Backend } from '../../backend.ts';
import type { BundleContents } from '../../bundle/contents.ts';
import { stretches } from '../../data/lags.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import type { Rows } from '../../rows.ts';
import { betaExtents, chosenTrials } from '../checks.ts';
import type { Decoder, PredictOptions, Reconstruction, ReconstructOptions } from '../decoder.ts';
import { outputSize } from '../decoder.ts';
import { OnDevice } from '../onDevice.ts';
import { Picture } from '../picture.ts';
import { refuseRepeats } from '../repeats.ts';
import { modelFromBundle, modelToBundle } from './bundle.ts';
import { responsesOf } from './choose.ts';
import type { HrfCurve, ReceptiveFields, RetinotopicMaps } from './fields.ts';
import { fitRetinotopicModel, type RetinotopicFitContext } from './fitDecoder.ts';
import { type InversionModel, inversionModel, invertBlock } from './inversion.ts';
import type { RetinotopicModel } from './model.ts';
import type { RetinotopicDecoderOptions, RetinotopicTrainingData } from './options.ts';
import { PRF_PARAMETERS } from './prf.ts';

/**
 * Decoder of continuous stimuli through population receptive fields: each voxel's field is fitted on training volumes,
 * and the frames of a block are those that explain the responses of all voxels and volumes best (docs/retinotopic.md).
 *
 * Rows are successive volumes. A run is one block: its frames are found together, from its own volumes alone.
 *
 * @example
 * const decoder = await RetinotopicDecoder.fit(
 *   { voxels, targets: frames, runs: sweeps, repetitionTime: 1.3 },
 *   { prf: 'gaussian' },
 *   { backend },
 * );
 * for await (const { image } of decoder.reconstruct(unseen, { runs })) show(image);
 */
export class RetinotopicDecoder implements Decoder, RetinotopicMaps {
  readonly kind = 'retinotopic';
  readonly backend: Backend;
  readonly model: RetinotopicModel;
  readonly #matrices: OnDevice<InversionModel & { dispose(): void }>;

  private constructor(model: RetinotopicModel, backend: Backend) {
    this.model = model;
    this.backend = backend;
    const { kernel, projection, gram, output } = model;
    const [height, width] = output.shape as [number, number];
    this.#matrices = new OnDevice(
      () => inversionModel(backend, kernel, projection, gram, [height, width], {}),
      (held) => held.dispose(),
    );
  }

  /**
   * Fits on training volumes.
   *
   * @throws INVALID_ARGUMENT for NaN voxels (naming them), counts that do not match, impossible options, voxels that
   *   do not follow the stimulus; CANCELLED within a second of an abort
   */
  static async fit(
    data: RetinotopicTrainingData,
    options: RetinotopicDecoderOptions,
    context: RetinotopicFitContext,
  ): Promise<RetinotopicDecoder> {
    return new RetinotopicDecoder(await fitRetinotopicModel(data, options, context), context.backend);
  }

  /** For `openBundle`. */
  static fromBundle(contents: BundleContents, file: string, backend: Backend): RetinotopicDecoder {
    return new RetinotopicDecoder(modelFromBundle(contents, file), backend);
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

  get warnings(): readonly string[] {
    return this.model.warnings;
  }

  get hrf(): HrfCurve {
    return this.model.curve;
  }

  receptiveFields(): ReceptiveFields {
    const { visual, theta, amplitude, correlation, voxel, config } = this.model;
    const names: readonly string[] = PRF_PARAMETERS[config.prf];
    const read = (parameter: string, change = (value: number) => value) => {
      const at = names.indexOf(parameter);
      if (at < 0) return undefined;
      return Float32Array.from(voxel, (_, v) => change(theta[v * names.length + at]!));
    };
    return {
      ...visual,
      x: read('x')!,
      y: read('y')!,
      size: read('ln size', Math.exp)!,
      amplitude,
      exponent: read('ln exponent', Math.exp),
      surroundSize: read('ln of surround size / size', Math.exp),
      surroundVolume: read('surround volume'),
      correlation,
      voxel,
    };
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    const blocks = this.#blocks(betas, options);
    const size = outputSize(this.output);
    const values = new Float32Array(betas.shape[0]! * size);
    for (const block of blocks) {
      values.set(await this.#decode(betas, block, options.signal), block.start * size);
    }
    return values;
  }

  async *reconstruct(
    betas: Rows,
    options: ReconstructOptions = {},
  ): AsyncGenerator<Reconstruction, void, void> {
    const blocks = this.#blocks(betas, options);
    refuseRepeats(this.kind, options);
    const trials = chosenTrials(options.trials, betas.shape[0]!);
    const { shape, range } = this.output;
    const size = outputSize(this.output);
    // A block is decoded when its first trial comes, and kept until its last one has.
    const left = new Map<Block, number>();
    const blockOf = (trial: number) => blocks.find(({ start, end }) => trial >= start && trial < end)!;
    for (const trial of trials) left.set(blockOf(trial), (left.get(blockOf(trial)) ?? 0) + 1);
    const decoded = new Map<Block, Float32Array>();
    for (const trial of trials) {
      throwIfAborted(options.signal, 'reconstruction');
      const block = blockOf(trial);
      const frames = decoded.get(block) ?? (await this.#decode(betas, block, options.signal));
      decoded.set(block, frames);
      const at = (trial - block.start) * size;
      yield { trial, image: new Picture(frames.slice(at, at + size), shape, range) };
      left.set(block, left.get(block)! - 1);
      if (left.get(block) === 0) decoded.delete(block);
    }
  }

  async prepare(): Promise<void> {
    await this.#matrices.get();
  }

  dispose(): void {
    this.#matrices.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #blocks(betas: Rows, { runs, signal }: PredictOptions): Block[] {
    this.#matrices.assertAlive();
    throwIfAborted(signal, 'reconstruction');
    const [n] = betaExtents(betas, this.voxels);
    if (runs && runs.length !== n) {
      throw new F2iError('INVALID_ARGUMENT', 'one run label for each volume', {
        field: 'runs',
        expected: `${n}`,
        found: `${runs.length}`,
      });
    }
    return runs ? stretches(runs) : [{ start: 0, end: n }];
  }

  /** Frames of one block, [volumes, pixels], within the range. */
  async #decode(betas: Rows, { start, end }: Block, signal: AbortSignal | undefined): Promise<Float32Array> {
    throwIfAborted(signal, 'reconstruction');
    const { model } = this;
    const rows = Array.from({ length: end - start }, (_, i) => start + i);
    const responses = responsesOf(betas.data, this.voxels, rows, model);
    const bad = responses.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      const { length } = model.voxel;
      throw new F2iError('INVALID_ARGUMENT', 'the betas hold NaN or infinity', {
        field: 'betas',
        expected: 'finite responses',
        found: `voxel ${model.voxel[bad % length]} in trial ${start + Math.floor(bad / length)}`,
      });
    }
    const [frames] = await invertBlock(await this.#matrices.get(), responses, [model.config], model.config, {
      signal,
    });
    const [black, white] = model.output.range;
    return frames!.map((value) => Math.min(white, Math.max(black, black + value * (white - black))));
  }
}

/** Rows [start, end) of one run. */
interface Block {
  readonly start: number;
  readonly end: number;
}
