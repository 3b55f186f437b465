import type { BackendInfo, MemoryStats } from '../backend.ts';
import type { BundleModel } from '../bundle/schema.ts';
import type { DecodedLabel, DecoderOutput, Features, ReconstructOptions } from '../decoders/decoder.ts';
import type { LoadProgress } from '../decoders/loaded.ts';
import type { ErrorMessage } from './errors.ts';

/**
 * Messages between an application and the decoders in its worker. Each carries the version under `f2i`: the two sides
 * may come from different builds, and the application may send messages of its own over the same worker.
 */
export const PROTOCOL = 1;

/** Reconstructions that a worker may be ahead of the loop that reads them. */
export const WINDOW = 4;

/** Names a wait, and by the same text on both sides what belongs to it. */
export type Id = string;

/** Where a bundle comes from, as far as it can be sent; a `folder` stays, and is asked for its bytes. */
export type SourceMessage =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'folder'; readonly name: string };

export interface BetasMessage {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
  readonly runs: readonly (string | number)[] | undefined;
}

export type ToWorker =
  /** Asks for a sign of life. */
  | { readonly type: 'hello' }
  | {
      readonly type: 'load';
      readonly request: Id;
      readonly decoder: Id;
      readonly source: SourceMessage;
      readonly settings: object;
      /**
       * A lock to hold, before anything else, for as long as the worker lives: in browsers nothing else tells that it
       * was closed. None where the application has no locks, or is told.
       */
      readonly lock: string | undefined;
    }
  | { readonly type: 'predict'; readonly request: Id; readonly decoder: Id; readonly betas: BetasMessage }
  | ({
      readonly type: 'reconstruct';
      readonly request: Id;
      readonly decoder: Id;
      readonly betas: BetasMessage;
      readonly trials: readonly number[] | undefined;
    } & Pick<ReconstructOptions, 'repeats' | 'seed' | 'noise'>)
  /** The reader has taken one item. */
  | { readonly type: 'more'; readonly request: Id }
  | { readonly type: 'stats'; readonly request: Id; readonly decoder: Id }
  | { readonly type: 'dispose'; readonly request: Id; readonly decoder: Id }
  | { readonly type: 'abort'; readonly request: Id }
  | { readonly type: 'answer'; readonly call: Id; readonly value: unknown }
  | { readonly type: 'refusal'; readonly call: Id; readonly error: ErrorMessage };

export type FromWorker =
  /** From now on the worker listens: what was sent before may have been dropped, and is sent again. */
  | { readonly type: 'ready' }
  /** The lock of a load is held, or cannot be had here; comes before all that is said of the load. */
  | { readonly type: 'lock'; readonly lock: string; readonly held: boolean }
  /** The answer to `hello`. */
  | { readonly type: 'here' }
  | { readonly type: 'progress'; readonly request: Id; readonly progress: LoadProgress }
  | { readonly type: 'value'; readonly request: Id; readonly value: unknown }
  | { readonly type: 'item'; readonly request: Id; readonly item: ItemMessage }
  | { readonly type: 'failed'; readonly request: Id; readonly error: ErrorMessage }
  | { readonly type: 'lost'; readonly decoder: Id; readonly error: ErrorMessage }
  | { readonly type: 'ask'; readonly request: Id; readonly call: Id; readonly what: FolderQuestion };

/** What a worker asks a folder that stayed with the application. */
export type FolderQuestion =
  | { readonly ask: 'list' }
  | { readonly ask: 'open'; readonly path: string }
  | { readonly ask: 'read'; readonly file: number; readonly offset: number; readonly length: number };

/** The answer to `open`. */
export interface OpenedFile {
  readonly file: number;
  readonly name: string;
  readonly size: number;
}

/** The answer to `load`. */
export interface DecoderMessage {
  readonly kind: string;
  readonly model: BundleModel;
  readonly backend: { readonly name: string; readonly info: BackendInfo };
  readonly voxels: number;
  readonly output: DecoderOutput;
  readonly warnings: readonly string[];
}

/** One reconstruction. */
export interface ItemMessage {
  readonly trial: number;
  readonly image?: { data: Float32Array; shape: readonly number[]; range: readonly [number, number] };
  readonly trials?: readonly number[];
  readonly features?: Features;
  readonly label?: DecodedLabel;
  readonly beside?: Readonly<Record<string, Features>>;
}

export type StatsMessage = MemoryStats;

/** The content of a message of this protocol; undefined for the application's own. */
export function contentOf<M extends { type: string }>(
  data: unknown,
): { version: number; message: M } | undefined {
  const { f2i, message } = (data ?? {}) as { f2i?: unknown; message?: M };
  return typeof f2i === 'number' && typeof message?.type === 'string' ? { version: f2i, message } : undefined;
}

/** A part of a larger buffer is copied; an array with a buffer of its own can be handed over as it is. */
export function ownBuffer<A extends Float32Array | Float64Array | Uint8Array>(array: A): A {
  const whole = array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength;
  return (whole ? array : array.slice()) as A;
}
