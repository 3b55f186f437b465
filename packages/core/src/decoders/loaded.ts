import type { BackendInfo } from '../backend.ts';
import type { BundleModel } from '../bundle/schema.ts';
import type { F2iError } from '../error.ts';
import type { Rows } from '../rows.ts';
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
  /** The device that it runs on, and those that were passed over. */
  readonly backend: { readonly name: string; readonly info: BackendInfo };
  /** Voxels of one row of betas. */
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
  /** Ends pending work with DISPOSED and frees the device's memory; twice is fine. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LoadProgress {
  readonly phase: 'read' | 'verify' | 'upload';
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}
