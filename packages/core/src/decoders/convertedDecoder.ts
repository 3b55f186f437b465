import { arrival } from '../arrival.ts';
import type { Backend } from '../backend.ts';
import type { BundleContents } from '../bundle/contents.ts';
import { checkRecordedNoise, type RecordedNoise, recordedItem } from '../diffusion/noise.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { add, gemm, type OpOptions, ops } from '../ops/index.ts';
import type { Rows } from '../rows.ts';
import { sizeOf, type Tensor } from '../tensor.ts';
import { betaExtents, checkFiniteBetas } from './checks.ts';
import {
  type Decoder,
  type DecoderOutput,
  type Features,
  outputSize,
  type PredictOptions,
  type Reconstruction,
  type ReconstructOptions,
} from './decoder.ts';
import { averaging, batchesOf, chosenRepeats, type Repeats } from './repeats.ts';

/** Outputs by name, the main one first. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

export interface SampleOptions extends OpOptions {
  readonly seed: number | undefined;
  /** Number of what is sampled, for the seed: its row of the betas. */
  readonly item: number;
  readonly noise: RecordedNoise | undefined;
}

/** A published model on a device, as far as one stage goes: what a decoder of its kind computes. */
export interface ConvertedModel {
  readonly backend: Backend;
  /** Values of a row of betas. */
  readonly voxels: number;
  /** Of the main output; with `sample`, of the samples. */
  readonly output: DecoderOutput;
  /** What is averaged over repeats, as published. */
  readonly averages: 'outputs' | 'responses';
  /** Rows of betas that go through it at once. */
  readonly rowsAtOnce: number;
  /** Stems of the ops that it runs. */
  readonly ops: readonly string[];
  /** Outputs of rows, each by itself: [n, voxels] to [n, ...] each. */
  outputs(x: Tensor, options: OpOptions): NamedTensors;
  /** Where the main output is drawn, given the others of one row ([1, ...] each): its name and values, [1, ...]. */
  readonly sample?:
    | {
        readonly name: string;
        draw(outputs: NamedTensors, options: SampleOptions): Promise<Tensor>;
      }
    | undefined;
  dispose(): void;
}

type NamedFeatures = readonly (readonly [name: string, features: Features])[];

/** A decoder out of a converted checkpoint: repeats, batches and checks, the same for all published models. */
export class ConvertedDecoder implements Decoder {
  readonly kind: string;
  readonly warnings: readonly string[];
  readonly #model: ConvertedModel;
  readonly #file: string;
  #disposed = false;

  /**
   * @param model disposed with the decoder
   * @param file of the bundle, for errors
   */
  constructor(kind: string, model: ConvertedModel, warnings: readonly string[], file: string) {
    this.kind = kind;
    this.#model = model;
    this.warnings = warnings;
    this.#file = file;
  }

  get backend(): Backend {
    return this.#model.backend;
  }

  get voxels(): number {
    return this.#model.voxels;
  }

  get output(): DecoderOutput {
    return this.#model.output;
  }

  /** A bundle of converted weights is not made by a decoder: `fmri2image convert` writes it, a copy of its folder is it. */
  toBundle(): BundleContents {
    throw new F2iError(
      'UNSUPPORTED',
      'converted weights are not written again: copy the folder of the bundle',
      { file: this.#file },
    );
  }

  async prepare({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#assertAlive();
    await this.backend.prepare(this.#model.ops.map((name) => ops.get(name)!));
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
    if (options.noise !== undefined) this.#checkNoise(options.noise, chosen.length);
    const hasRepeats = options.repeats !== undefined;
    let done = 0;
    for (const batch of batchesOf(chosen, this.#model.rowsAtOnce)) {
      for await (const [[, features], ...others] of this.#outputs(betas, batch, options, done)) {
        this.#assertAlive();
        throwIfAborted(signal, 'reconstruction');
        const { trials } = chosen[done++]!;
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

  /** Outputs of each reconstruction of a batch. */
  async *#outputs(
    betas: Rows,
    batch: readonly Repeats[],
    { seed, noise, signal }: ReconstructOptions,
    first: number,
  ): AsyncGenerator<[NamedFeatures[number], ...NamedFeatures], void, void> {
    const { sample } = this.#model;
    const named = Object.entries(await this.#means(betas, batch, signal));
    try {
      const values = await Promise.all(named.map(([, tensor]) => tensor.download()));
      for (const [i, { trials }] of batch.entries()) {
        const outputs = named.map(([name, { shape }], o): NamedFeatures[number] => {
          const [, ...own] = shape;
          const data = (values[o] as Float32Array).slice(i * sizeOf(own), (i + 1) * sizeOf(own));
          return [name, { data: this.#finite(data), shape: own }];
        });
        const drawn = sample && {
          seed,
          item: trials[0]!,
          noise: noise && recordedItem(noise, first + i),
          signal,
        };
        const all = drawn ? [await this.#drawn(named, i, drawn), ...outputs] : outputs;
        yield all as [NamedFeatures[number], ...NamedFeatures];
      }
    } finally {
      for (const [, tensor] of named) tensor.dispose();
    }
  }

  async #drawn(
    named: readonly (readonly [string, Tensor])[],
    i: number,
    options: SampleOptions,
  ): Promise<NamedFeatures[number]> {
    const own = named.map(([name, tensor]) => [name, tensor.rows(i, i + 1)] as const);
    const { name, draw } = this.#model.sample!;
    let drawn: Tensor | undefined;
    try {
      drawn = await draw(Object.fromEntries(own), options);
      const data = this.#finite((await drawn.download()) as Float32Array);
      return [name, { data, shape: this.output.shape }];
    } finally {
      drawn?.dispose();
      for (const [, tensor] of own) tensor.dispose();
    }
  }

  /** Recorded noise is of exactly the reconstructions that were asked for, and there is something to draw. */
  #checkNoise(noise: RecordedNoise, reconstructions: number): void {
    const fail = (message: string, field: string, expected: string, found: string) =>
      new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
    if (!this.#model.sample) {
      throw fail('this stage draws no noise', 'noise', 'nothing', 'recorded noise');
    }
    checkRecordedNoise(noise);
    const [items = 0] = noise.initial.shape;
    if (items === reconstructions) return;
    throw fail(
      'recorded noise has an item for each reconstruction, in their order',
      'noise.initial',
      `${reconstructions} items`,
      `${items}`,
    );
  }

  /** [reconstructions, ...] of each output, on the device; of outputs or of responses, as published. */
  async #means(
    betas: Rows,
    batch: readonly Repeats[],
    signal: AbortSignal | undefined,
  ): Promise<NamedTensors> {
    const model = this.#model;
    if (model.averages === 'outputs') {
      return this.#summed(betas, batch, (x) => model.outputs(x, { signal }), signal);
    }
    const { responses } = await this.#summed(betas, batch, (x) => ({ responses: x }), signal);
    try {
      return this.backend.scope(() => ({ ...model.outputs(responses!, { signal }) }));
    } finally {
      responses!.dispose();
    }
  }

  /**
   * What `each` makes of rows, averaged over repeats. Rows go there `rowsAtOnce` at a time: more repeats of one stimulus
   * are a sum over pieces, so that memory does not grow with their number.
   */
  async #summed(
    betas: Rows,
    batch: readonly Repeats[],
    each: (x: Tensor) => NamedTensors,
    signal: AbortSignal | undefined,
  ): Promise<NamedTensors> {
    const { backend, voxels } = this;
    const { rowsAtOnce } = this.#model;
    const rows = batch.flatMap((one) => one.rows);
    const isPlain = batch.every((one) => one.rows.length === 1);
    let sums: NamedTensors = {};
    try {
      for (let from = 0; from < rows.length; from += rowsAtOnce) {
        const before = sums;
        // The device is done with a piece before the next one takes memory.
        for (const tensor of Object.values(before)) await arrival(tensor);
        this.#assertAlive();
        throwIfAborted(signal, 'reconstruction');
        const piece = rows.slice(from, from + rowsAtOnce);
        const data = new Float32Array(piece.length * voxels);
        for (const [i, row] of piece.entries()) {
          data.set(betas.data.subarray(row * voxels, (row + 1) * voxels), i * voxels);
        }
        checkFiniteBetas(data, piece, voxels);
        sums = backend.scope(() => {
          const made = { ...each(backend.tensor(data, [piece.length, voxels])) };
          if (isPlain) return made;
          const shares = averaging(batch, from, piece.length);
          const weights = backend.tensor(shares, [batch.length, piece.length]);
          const means = Object.entries(made).map(([name, y]) => {
            const [, ...own] = y.shape;
            const flat = gemm(weights, y.reshape(piece.length, sizeOf(own)), { signal });
            const mean = flat.reshape(batch.length, ...own);
            return [name, before[name] ? add(before[name], mean, { signal }) : mean];
          });
          return Object.fromEntries(means) as NamedTensors;
        });
        for (const tensor of Object.values(before)) tensor.dispose();
      }
    } catch (error) {
      for (const tensor of Object.values(sums)) tensor.dispose();
      throw error;
    }
    return sums;
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
