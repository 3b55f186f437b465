import type { Backend } from '../../backend.ts';
import type { BundleContents } from '../../bundle/contents.ts';
import { takeRows } from '../../data/study/prepare.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { add, cast, gemm, linear, ops } from '../../ops/index.ts';
import type { Rows } from '../../rows.ts';
import type { Tensor } from '../../tensor.ts';
import { betaExtents, checkFiniteBetas, chosenTrials } from '../checks.ts';
import {
  type Decoder,
  type DecoderOutput,
  type Features,
  outputSize,
  type PredictOptions,
  type Reconstruction,
  type ReconstructOptions,
} from '../decoder.ts';
import { refuseRepeats } from '../repeats.ts';
import { finishPredictions } from './finish.ts';
import type { MatrixPart } from './matrices.ts';
import { HEADS_KIND, type HeadConfig, type HeadStatistics, type HeadsConfig, targetsOf } from './model.ts';

/** Targets that are computed at once; a block of predictions of one row is never more. */
const TARGETS_AT_ONCE = 4096;
/** Bytes of one batch of predictions. */
const BATCH_BYTES = 64 * 2 ** 20;

/** A design on a device and on the host. */
export interface LoadedDesign {
  readonly columns: Int32Array;
  readonly mean: Float32Array;
  readonly std: Float32Array;
  readonly center: Float32Array;
  /** Training rows, transposed: [voxels, rows]; of dual heads. */
  readonly training: readonly MatrixPart[] | undefined;
}

export interface LoadedHead {
  /** [targets, training rows or voxels] */
  readonly weights: readonly MatrixPart[];
  readonly statistics: HeadStatistics;
}

export interface LoadedHeads {
  readonly config: HeadsConfig;
  readonly designs: readonly LoadedDesign[];
  readonly heads: readonly LoadedHead[];
}

/** Raw predictions of some targets of one head. */
export interface HeadBlock {
  readonly head: HeadConfig;
  readonly statistics: HeadStatistics;
  readonly from: number;
  readonly to: number;
  /** [rows, to - from], with the mean of the targets, not renormalised. */
  readonly values: Float32Array | Float64Array;
}

export interface BlockOptions {
  /** Targets of a head that are not wanted, for an earlier run made them: from 0 to here. */
  readonly from?: ((head: string) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Several ridge regressions of one recording: voxels to tokens, latents, embeddings. The first head is the main output,
 * the others stand `beside` it. Each trial is decoded by itself.
 */
export class RidgeHeadsDecoder implements Decoder {
  readonly kind = HEADS_KIND;
  readonly backend: Backend;
  readonly voxels: number;
  readonly output: DecoderOutput;
  readonly warnings: readonly string[];
  readonly config: HeadsConfig;
  readonly #loaded: LoadedHeads;
  readonly #file: string;
  #disposed = false;

  /** @param loaded disposed with the decoder */
  constructor(
    loaded: LoadedHeads,
    model: { readonly voxels: number; readonly output: DecoderOutput },
    backend: Backend,
    warnings: readonly string[],
    file: string,
  ) {
    this.#loaded = loaded;
    this.config = loaded.config;
    this.backend = backend;
    this.voxels = model.voxels;
    this.output = model.output;
    this.#file = file;
    const transductive = loaded.config.heads.filter(({ renormalise }) => renormalise === 'test-predictions');
    this.warnings = [
      ...warnings,
      ...transductive.map(
        ({ name }) =>
          `head ${name}: trials are decoded one by one, renormalised by training predictions; --renormalise test-predictions of reconstruct does as published`,
      ),
    ];
  }

  /** Weights of any size are not written again: a copy of the folder is the bundle. */
  toBundle(): BundleContents {
    throw new F2iError('UNSUPPORTED', 'the weights are not written again: copy the folder of the bundle', {
      file: this.#file,
    });
  }

  async prepare({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#assertAlive();
    await this.backend.prepare(['linear', 'gemm', 'add'].map((name) => ops.get(name)!));
    throwIfAborted(signal, 'preparing');
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    const [count] = betaExtents(betas, this.voxels);
    const size = outputSize(this.output);
    const values = new Float32Array(count * size);
    for await (const { trial, features } of this.reconstruct(betas, options)) {
      values.set(features!.data, trial * size);
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
    refuseRepeats(this.kind, options);
    const trials = chosenTrials(options.trials, count);
    const { heads } = this.config;
    const values = heads.reduce((sum, head) => sum + targetsOf(head), 0);
    const atOnce = Math.max(1, Math.floor(BATCH_BYTES / (4 * values)));
    for (let start = 0; start < trials.length; start += atOnce) {
      const batch = trials.slice(start, start + atOnce);
      const made = new Map(
        heads.map((head) => [head.name, new Float32Array(batch.length * targetsOf(head))]),
      );
      for await (const block of this.blocks(takeRows(betas, batch), { signal })) {
        place(block, batch.length, made.get(block.head.name)!);
      }
      for (const [i, trial] of batch.entries()) {
        this.#assertAlive();
        throwIfAborted(signal, 'reconstruction');
        const all = heads.map((head): [string, Features] => {
          const size = targetsOf(head);
          const data = made.get(head.name)!.slice(i * size, (i + 1) * size);
          return [head.name, { data: this.#finite(data), shape: head.shape }];
        });
        const [[, features], ...beside] = all as [[string, Features], ...[string, Features][]];
        yield { trial, features, ...(beside.length > 0 && { beside: Object.fromEntries(beside) }) };
      }
    }
  }

  /**
   * Raw predictions of all rows, head by head, by ascending blocks of targets: weights are read once, whatever the number
   * of rows.
   *
   * @throws INVALID_ARGUMENT for other numbers of voxels, or responses that are not finite
   */
  async *blocks(betas: Rows, options: BlockOptions = {}): AsyncGenerator<HeadBlock, void, void> {
    this.#assertAlive();
    const [count] = betaExtents(betas, this.voxels);
    const { signal, from: first = () => 0 } = options;
    checkFiniteBetas(
      betas.data,
      Array.from({ length: count }, (_, i) => i),
      this.voxels,
    );
    const { designs, heads: loaded, config } = this.#loaded;
    for (const [d, design] of designs.entries()) {
      const own = config.heads.flatMap((head, h) => (head.design === d ? [{ head, ...loaded[h]! }] : []));
      if (own.every(({ head }) => first(head.name) >= targetsOf(head))) continue;
      const inputs = new Inputs(
        preparedRows(betas, design, config.designs[d]!.unitVoxels),
        count,
        design,
        this.backend,
      );
      try {
        for (const { head, weights, statistics } of own) {
          const isIntercept = config.designs[d]!.intercept;
          for (const { from, to, part } of blocksOf(weights, first(head.name))) {
            throwIfAborted(signal, 'reconstruction');
            this.#assertAlive();
            const x = inputs.of(head.storage, part.tensor.dtype);
            const [values] = (await this.backend.compute(() => [
              linear(x, part.tensor.rows(from - part.from, to - part.from), { signal }),
            ])) as [Float32Array | Float64Array];
            if (isIntercept) addMean(values, statistics.target_mean.subarray(from, to));
            yield { head, statistics: slices(statistics, from, to), from, to, values };
          }
        }
      } finally {
        inputs.dispose();
      }
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    disposeHeads(this.#loaded);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #finite(data: Float32Array): Float32Array {
    if (data.every(Number.isFinite)) return data;
    throw new F2iError('FORMAT', 'the decoder gives NaN or infinity: are its weights whole?', {
      file: this.#file,
    });
  }

  #assertAlive(): void {
    if (this.#disposed) throw new F2iError('DISPOSED', 'the decoder was used after dispose()');
  }
}

/** Frees what is on a device. */
export function disposeHeads({ designs, heads }: Pick<LoadedHeads, 'designs' | 'heads'>): void {
  for (const { tensor } of designs.flatMap(({ training }) => training ?? [])) tensor.dispose();
  for (const { tensor } of heads.flatMap(({ weights }) => weights)) tensor.dispose();
}

/** What weights are applied to: rows of voxels, or their products with the training rows, in the type of the weights. */
class Inputs {
  readonly #rows: Float32Array;
  readonly #count: number;
  readonly #design: LoadedDesign;
  readonly #backend: Backend;
  readonly #made = new Map<string, Tensor>();

  constructor(rows: Float32Array, count: number, design: LoadedDesign, backend: Backend) {
    this.#rows = rows;
    this.#count = count;
    this.#design = design;
    this.#backend = backend;
  }

  /** [rows, voxels] of primal heads, [rows, training rows] of dual ones. */
  of(storage: HeadConfig['storage'], dtype: Tensor['dtype']): Tensor {
    const key = `${storage} ${dtype}`;
    let tensor = this.#made.get(key);
    if (!tensor) {
      tensor = this.#backend.scope(() => (storage === 'dual' ? this.#kernel(dtype) : this.#voxels(dtype)));
      this.#made.set(key, tensor);
    }
    return tensor;
  }

  #voxels(dtype: Tensor['dtype'], from = 0, to = this.#design.columns.length): Tensor {
    const width = this.#design.columns.length;
    const data = new Float32Array(this.#count * (to - from));
    for (let row = 0; row < this.#count; row++) {
      data.set(this.#rows.subarray(row * width + from, row * width + to), row * (to - from));
    }
    const x = this.#backend.tensor(data, [this.#count, to - from]);
    return dtype === 'f64' ? cast(x, 'f64') : x;
  }

  /** Products with the training rows, summed over parts of the voxels; in float64 in small parts, which are copied. */
  #kernel(dtype: Tensor['dtype']): Tensor {
    let sum: Tensor | undefined;
    for (const part of this.#design.training!) {
      const step = dtype === 'f64' ? 1024 : part.to - part.from;
      for (let from = part.from; from < part.to; from += step) {
        const to = Math.min(part.to, from + step);
        const product = this.#backend.scope(() => {
          const rows = part.tensor.rows(from - part.from, to - part.from);
          return gemm(this.#voxels(dtype, from, to), dtype === 'f64' ? cast(rows, 'f64') : rows);
        });
        const next = sum ? add(sum, product) : product;
        if (next !== product) product.dispose();
        sum = next;
      }
    }
    return sum!;
  }

  dispose(): void {
    for (const tensor of this.#made.values()) tensor.dispose();
  }
}

/** Voxels of a design, normalised, of length 1 where it asks for that, and centred: [rows, voxels]. */
function preparedRows(
  { data, shape }: Rows,
  { columns, mean, std, center }: LoadedDesign,
  unit: boolean,
): Float32Array {
  const [rows, all] = shape as [number, number];
  const width = columns.length;
  const prepared = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const own = prepared.subarray(row * width, (row + 1) * width);
    for (let v = 0; v < width; v++) {
      const value = data[row * all + columns[v]!]!;
      // A voxel without spread is ignored. Of rows that are normalised before, means are 0 and spreads 1, or as bands weigh.
      own[v] = std[v]! > 0 ? (value - mean[v]!) / std[v]! : 0;
    }
    const norm = unit ? Math.sqrt(own.reduce((sum, value) => sum + value * value, 0)) : 1;
    for (let v = 0; v < width; v++) own[v] = (norm > 0 ? own[v]! / norm : 0) - center[v]!;
  }
  return prepared;
}

/** Blocks at the same places whatever the parts and the beginning, so that numbers are the same. */
function* blocksOf(
  parts: readonly MatrixPart[],
  first: number,
): Generator<{ from: number; to: number; part: MatrixPart }> {
  for (const part of parts) {
    for (let from = part.from; from < part.to; from += TARGETS_AT_ONCE) {
      const to = Math.min(part.to, from + TARGETS_AT_ONCE);
      if (from >= first) yield { from, to, part };
    }
  }
}

function addMean(values: Float32Array | Float64Array, mean: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i]! += mean[i % mean.length]!;
}

const slices = (statistics: HeadStatistics, from: number, to: number) =>
  Object.fromEntries(
    Object.entries(statistics).map(([name, values]) => [name, values.subarray(from, to)]),
  ) as HeadStatistics;

/** Puts a block where it belongs in the predictions of its head, renormalised as single trials can be. */
function place({ head, statistics, from, to, values }: HeadBlock, rows: number, all: Float32Array): void {
  const renormalise = head.renormalise === 'none' ? 'none' : 'stored-training';
  const finished = finishPredictions(values, rows, { renormalise, statistics });
  const size = targetsOf(head);
  for (let row = 0; row < rows; row++) {
    all.set(finished.subarray(row * (to - from), (row + 1) * (to - from)), row * size + from);
  }
}
