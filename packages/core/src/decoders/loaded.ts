import type { Backend, BackendInfo, MemoryStats } from '../backend.ts';
import type { BundleModel } from '../bundle/schema.ts';
import type { F2iError } from '../error.ts';
import type { Rows } from '../rows.ts';
import type { WorkerLike } from '../worker/port.ts';
import type { DecoderOutput, PredictOptions, Reconstruction, ReconstructOptions } from './decoder.ts';

/**
 * A decoder that `loadDecoder` opened from a bundle: the same in Node and in the browser, in this thread or in a
 * worker. It owns its device, unless it was given one.
 */
export interface LoadedDecoder {
  /** Name of its kind in bundles: `ridge`, `retinotopic`. */
  readonly kind: string;
  /** What `model.json` says: identity (`contentHash`), ledger, input, terms of the data. */
  readonly model: BundleModel;
  /** The device that it runs on, and those that were passed over (`info.rejected`). */
  readonly backend: { readonly name: string; readonly info: BackendInfo };
  /**
   * Values of one row of betas: a voxel each, or one for each voxel and delay where the preparation reads a time series
   * at several delays (`rowOfInput(model.input)` tells them apart).
   */
  readonly voxels: number;
  readonly output: DecoderOutput;
  /** Sentences that a report must show. */
  readonly warnings: readonly string[];
  /**
   * Resolves with DEVICE_LOST or WORKER_LOST when the device is lost or the worker ends by itself; waits then reject
   * with the same error. Never resolves after a plain `dispose()`, never rejects.
   */
  readonly lost: Promise<F2iError>;

  /** Outputs of all rows at once, [n, ...output.shape] row-major. */
  predict(betas: Rows, options?: PredictOptions): Promise<Float32Array>;
  /**
   * One reconstruction after the other. Leaving the loop, or an abort, frees what is still under way.
   *
   * @example for await (const { trial, image } of decoder.reconstruct(betas, { signal })) show(trial, image);
   */
  reconstruct(betas: Rows, options?: ReconstructOptions): AsyncGenerator<Reconstruction, void, void>;
  /** What its device holds now: tensors not yet freed, bytes, and the most there were. */
  stats(): Promise<MemoryStats>;
  /** Ends pending work with DISPOSED and frees the device's memory; twice is fine. A worker stays with the caller. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How far `loadDecoder` is in one phase; `done` never shrinks within a phase. */
export interface LoadProgress {
  /** `read`: bytes of the weights that arrived; `verify`: those whose checksum holds; `upload`: those on the device. */
  readonly phase: 'read' | 'verify' | 'upload';
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

export const PRECISIONS = ['f32', 'f16', 'bf16', 'autocast-f16'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Options of `loadDecoder` that mean the same everywhere; each package adds those of its devices. */
export interface LoadOptions {
  /** Ends the loading with CANCELLED; a decoder that is already loaded has signals of its own. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  /**
   * How far a model of several stages goes (MindEye2: `tokens`, `blurry`, `prior`); its first one by default. Weights of
   * other stages are not loaded.
   */
  stage?: string | undefined;
  /**
   * Type of matrices on the device (`f32`, `f16`, `bf16`; as they are stored by default), or `autocast-f16`: PyTorch's
   * autocast, emulated, not verified against a run on a GPU. For converted checkpoints.
   */
  precision?: Precision | undefined;
  /** Number of the subject, from 0, where a published model was trained on several and has layers of each. */
  subject?: number | undefined;
  /** A backend of the application, shared with it: not disposed with the decoder. Not together with `worker`. */
  backend?: Backend | undefined;
  /**
   * A worker of the application that runs the entry `worker` of this package: the decoder lives in it, and is freed in
   * it by `dispose()`; the worker itself stays with the application. It may hold several decoders.
   */
  worker?: WorkerLike | undefined;
  /**
   * Milliseconds that a worker may say nothing at all before the loading ends with WORKER_LOST: 30 000 unless given. A
   * worker that has begun to load has no limit.
   */
  workerTimeout?: number | undefined;
}
