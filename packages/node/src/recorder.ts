/**
 * Backends that note what they are asked for, as a script of calls of the C ABI: for tests and benchmarks of machines without
 * Node. `CpuRecorder` also computes; `DryRecorder` does not, and answers with zeros.
 */
import {
  Backend,
  type BackendInfo,
  bytesPerElement,
  type DType,
  type F2iError,
  type HostArray,
  hostArray,
  type OpCall,
  type Operand,
  type OpSpec,
  type Shape,
  type Storage,
  sizeOf,
  Tensor,
  toNumbers,
} from '@fmri2image/core';
import { CpuBackend, type CpuOptions } from './cpu.ts';
import type { NativeStorage } from './native/arguments.ts';
import { encoders } from './native/encode.ts';
import { type Draw, Script } from './native/script.ts';

export { type Draw, Script } from './native/script.ts';

/** What was downloaded: where it lay, and its values. */
export interface Download {
  readonly operand: Operand;
  readonly values: HostArray;
  /** Of the script when it was read. */
  readonly position: number;
}

/** A tensor as ops see it. */
export function operandOf({ storage, offset, shape, dtype }: Tensor): Operand {
  return { storage, offset, shape, dtype };
}

export class CpuRecorder extends CpuBackend {
  readonly script = new Script();
  /** Since the last `forget()`. */
  readonly downloads: Download[] = [];

  /** Without graphs: a script has each op where it runs. */
  constructor(options: Omit<CpuOptions, 'graphs'> = {}) {
    super({ ...options, graphs: false });
  }

  /** Operands of a script are dense. */
  protected override get columnReaders(): ReadonlySet<string> {
    return new Set();
  }

  protected override allocate(byteLength: number): Storage {
    const made = super.allocate(byteLength);
    this.script.buffer((made as NativeStorage).handle, byteLength);
    return made;
  }

  protected override write(target: Storage, data: HostArray): void {
    super.write(target, data);
    this.script.data((target as NativeStorage).handle, data);
  }

  // Nothing writes to memory of the caller: its bytes now are those that ops will read.
  protected override adoptStorage(buffer: ArrayBuffer, dtype: DType): Storage {
    const made = super.adoptStorage(buffer, dtype);
    this.#noteMemory(made, buffer, buffer.byteLength);
    return made;
  }

  protected override lendStorage(buffer: ArrayBuffer, bytes: number) {
    const made = super.lendStorage(buffer, bytes);
    this.#noteMemory(made.storage, buffer, bytes);
    return made;
  }

  #noteMemory(made: Storage, buffer: ArrayBuffer, bytes: number): void {
    const { handle } = made as NativeStorage;
    this.script.buffer(handle, bytes);
    this.script.data(handle, new Uint8Array(buffer, 0, bytes));
  }

  protected override enqueueChecked(call: OpCall): void {
    super.enqueueChecked(call);
    this.script.call(call.op.name, call.inputs, call.outputs, call.attributes);
  }

  protected override async read(operand: Operand): Promise<HostArray> {
    // Noted at once: what is released afterwards is still there for the script.
    const handle = (operand.storage as NativeStorage).handle;
    const kept: Operand = { ...operand, storage: { ...operand.storage, handle } as NativeStorage };
    const position = this.script.position;
    const values = await super.read(operand);
    this.downloads.push({ operand: kept, values: values.slice(), position });
    return values;
  }

  override release(freed: Storage): void {
    const { handle } = freed as NativeStorage;
    if (handle !== 0 && !this.disposed) this.script.free(handle);
    super.release(freed);
  }
}

/** Takes every op, and computes none. */
export class DryRecorder extends Backend {
  readonly name = 'cpu' as const;
  readonly info: BackendInfo = { device: 'cpu', description: 'a script', rejected: [] };
  readonly lost = new Promise<F2iError>(() => {});
  readonly script = new Script();
  #handles = 0;
  #seed = 0;
  readonly #largest: number;

  /** @param largest bytes of an upload that are kept; larger ones are drawn where the script runs, as widely spread */
  constructor(largest = Number.POSITIVE_INFINITY) {
    super();
    this.#largest = largest;
  }

  /** A tensor whose values are drawn where the script runs. */
  drawn(kind: Draw, shape: Shape, dtype: DType): Tensor {
    const tensor = this.blank(shape, dtype);
    const { handle } = tensor.storage as NativeStorage;
    const cols = shape.at(-1) ?? 1;
    this.script.draw(handle, kind, sizeOf(shape) / cols, cols, dtype, ++this.#seed);
    return tensor;
  }

  /** A tensor that something is yet to be written to. */
  blank(shape: Shape, dtype: DType): Tensor {
    return new Tensor(this, this.allocate(Math.max(1, sizeOf(shape)) * bytesPerElement(dtype)), {
      shape,
      dtype,
    });
  }

  supports(op: OpSpec): true | string {
    return Object.hasOwn(encoders, op.name) || `scripts have no ${op.name}`;
  }

  protected allocate(byteLength: number): NativeStorage {
    const handle = ++this.#handles;
    this.script.buffer(handle, byteLength);
    return { references: 0, byteLength, handle };
  }

  protected write(target: Storage, data: HostArray, dtype: DType): void {
    const { handle } = target as NativeStorage;
    if (data.byteLength <= this.#largest) {
      this.script.data(handle, data);
      return;
    }
    const some = toNumbers(data.subarray(0, 65_536), dtype);
    const spread = Math.sqrt(some.reduce((sum, value) => sum + value * value, 0) / some.length);
    this.script.draw(handle, 'normal', 1, data.length, dtype, ++this.#seed, spread);
  }

  protected enqueueChecked(call: OpCall): void {
    this.script.call(call.op.name, call.inputs, call.outputs, call.attributes);
  }

  protected async read({ shape, dtype }: Operand): Promise<HostArray> {
    return hostArray(dtype, sizeOf(shape));
  }

  protected async waitAll(): Promise<void> {}
  protected async close(): Promise<void> {}

  release(freed: Storage): void {
    this.script.free((freed as NativeStorage).handle);
  }

  protected memory(): { liveBytes: number; peakBytes: number } {
    return { liveBytes: 0, peakBytes: 0 };
  }
}
