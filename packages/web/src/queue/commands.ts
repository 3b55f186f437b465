import type { F2iError, OpCall, Storage } from '@fmri2image/core';
import type { Batch } from './batch.ts';
import type { PooledBuffer } from './pool.ts';
import type { Program } from './program.ts';

/** Something whose outcome is known only later: a submitted batch, or an op that can fail on its values. */
export interface Pending {
  failure: F2iError | undefined;
  settled: boolean;
}

/** Memory of one or more tensors. */
export class GpuStorage implements Storage {
  references = 0;
  readonly byteLength: number;
  /** Absent where there was no room for it; `failure` says so. */
  buffer: PooledBuffer | undefined;
  /** Why the values are not what they should be, as far as is known. */
  failure: F2iError | undefined;
  /** What the values depend on and is still to be known. */
  pending: Set<Pending> | undefined;

  constructor(byteLength: number, buffer: PooledBuffer | undefined) {
    this.byteLength = byteLength;
    this.buffer = buffer;
  }

  /** The failure, once everything that is settled has been looked at. */
  verdict(): F2iError | undefined {
    if (this.failure) return this.failure;
    if (!this.pending) return undefined;
    for (const part of this.pending) {
      if (part.failure) {
        this.failure = part.failure;
        this.pending = undefined;
        return this.failure;
      }
      if (part.settled) this.pending.delete(part);
    }
    if (this.pending.size === 0) this.pending = undefined;
    return undefined;
  }
}

let nextSequence = 1;

/** One enqueued op on its way through the queue. */
export class OpRun implements Pending {
  readonly name: string;
  readonly place: OpCall['place'];
  readonly signal: AbortSignal | undefined;
  inputs: readonly GpuStorage[];
  outputs: readonly GpuStorage[];
  /** Turns what a shader wrote into its failure slot into an error; absent for ops that cannot fail on values. */
  readonly explain: ((status: Uint32Array) => F2iError) | undefined;
  /** Place in the queue. */
  readonly sequence = nextSequence++;
  /** The batch with its last command. */
  batch: Batch | undefined;
  /** What its shaders have last told of their progress. */
  progress = 0;
  failure: F2iError | undefined;
  settled = false;

  constructor(
    name: string,
    place: OpCall['place'],
    signal: AbortSignal | undefined,
    inputs: readonly GpuStorage[],
    outputs: readonly GpuStorage[],
    explain?: (status: Uint32Array) => F2iError,
  ) {
    this.name = name;
    this.place = place;
    this.signal = signal;
    this.inputs = inputs;
    this.outputs = outputs;
    this.explain = explain;
  }

  /** Nothing more can become of it; it lets go of its operands. */
  settle(): void {
    this.settled = true;
    this.inputs = [];
    this.outputs = [];
  }

  fail(failure: F2iError): void {
    if (this.failure) return;
    this.failure = failure;
    for (const output of this.outputs) output.failure ??= failure;
  }
}

/** A part of a buffer as a shader sees it. */
export interface Binding {
  readonly buffer: PooledBuffer;
  /** In bytes, a multiple of the binding alignment. */
  readonly offset: number;
  readonly size: number;
}

export type Command =
  /** Precedes the commands of an op: its inputs are judged here, in queue order. */
  | { readonly kind: 'begin'; readonly op: OpRun }
  | { readonly kind: 'end'; readonly op: OpRun }
  | {
      readonly kind: 'dispatch';
      readonly op: OpRun;
      readonly program: Program;
      readonly bindings: readonly Binding[];
      readonly params: readonly number[];
      readonly groups: readonly [number, number, number];
      readonly cost: number;
    }
  /** Dispatches that are made one by one as the device takes them. */
  | {
      readonly kind: 'series';
      readonly op: OpRun;
      readonly bindings: readonly Binding[];
      readonly dispatches: Iterator<Command & { readonly kind: 'dispatch' }>;
      /** Made, and not yet taken. */
      next?: Command & { readonly kind: 'dispatch' };
    }
  | {
      readonly kind: 'copy';
      readonly op: OpRun | undefined;
      readonly from: GPUBuffer;
      readonly fromOffset: number;
      readonly to: GPUBuffer;
      readonly toOffset: number;
      readonly bytes: number;
    }
  | { readonly kind: 'destroy'; readonly buffer: GPUBuffer };
