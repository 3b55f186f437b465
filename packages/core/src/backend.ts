import { fromNumbers } from './convert.ts';
import {
  bytesPerElement,
  checkDType,
  checkHostArray,
  type DType,
  dtypeOf,
  type HostArray,
  hostArray,
} from './dtype.ts';
import { F2iError } from './error.ts';
import { Graph, type GraphBody, type GraphHost, type LaunchCall, type RecordedOps } from './graph.ts';
import { checkBody, checkResults } from './graphChecks.ts';
import { type Attributes, capturePlace, type OpOptions, type OpSpec } from './ops/op.ts';
import { slice, sliceSpec } from './ops/slice.ts';
import { checkShape, describe, type Shape, sizeOf, Tensor, type TensorSpec } from './tensor.ts';

export type DeviceName = 'cpu' | 'cuda' | 'webgpu' | 'reference';

export interface RejectedDevice {
  readonly device: DeviceName;
  /** Why `auto` did not choose it. */
  readonly reason: string;
}

export interface BackendInfo {
  readonly device: DeviceName;
  /** For people: "CPU, AVX-512, 2 threads". */
  readonly description: string;
  readonly rejected: readonly RejectedDevice[];
  /** What the device has found out about itself so far, for people: kernels that its own check found wrong and that are not used. */
  readonly remarks?: readonly string[];
  /**
   * Of a device with memory of its own, in bytes: what it has, and what no process used of it when it was opened; `free` is
   * absent where nobody knows.
   */
  readonly memory?: { readonly total: number; readonly free?: number };
  readonly threads?: number;
  readonly isa?: string;
  /** Largest single binding or allocation in bytes, where the device has such a limit. */
  readonly maxBufferBytes?: number;
}

export interface MemoryStats {
  /** Tensor handles not yet disposed. */
  readonly liveTensors: number;
  /** Storage held by this backend, in bytes. */
  readonly liveBytes: number;
  readonly peakBytes: number;
}

/** Memory of one or more tensors; backends extend it with their own handle. */
export interface Storage {
  /** Tensor handles that share it. */
  references: number;
  readonly byteLength: number;
}

/** A tensor in lent memory. */
export interface Loan {
  readonly tensor: Tensor;
  /** Settles once work no longer needs the memory. As long as the tensor lives, it alone does not keep a process running. */
  readonly returned: Promise<ArrayBuffer>;
}

/** One operand as a backend sees it. */
export interface Operand extends TensorSpec {
  readonly storage: Storage;
  /** First element inside the storage, in elements. */
  readonly offset: number;
  /** Elements from a row of a matrix to the next one, where they do not lie next to each other. */
  readonly rowStride?: number | undefined;
}

/** A checked op, ready to be enqueued. Absent optional inputs are undefined. */
export interface OpCall<A extends Attributes = Attributes> {
  readonly op: OpSpec<A>;
  readonly inputs: readonly (Operand | undefined)[];
  readonly outputs: readonly Operand[];
  readonly attributes: A;
  readonly signal: AbortSignal | undefined;
  /** Captured where the op was called; its `stack` is only formatted when an error needs it. */
  readonly place: { readonly stack?: string | undefined };
}

const NO_OPS: ReadonlySet<string> = new Set();

/**
 * A device with an in-order queue. Ops enqueue and return at once; only `download`, `sync`, `prepare` and `ready`
 * wait. An execution error poisons what depends on it and rejects at the next wait.
 */
export abstract class Backend {
  abstract readonly name: DeviceName;
  abstract readonly info: BackendInfo;
  /** Resolves when the device is lost (a GPU reset, a closed worker); never for most backends. */
  abstract readonly lost: Promise<F2iError>;

  readonly #live = new Set<Tensor>();
  readonly #scopes: Set<Tensor>[] = [];
  /** Bodies of graphs that run now, one inside the other. */
  #bodies = 0;
  #closed = false;

  /** True, or the reason why this backend cannot run the op on such inputs. */
  abstract supports(
    op: OpSpec,
    inputs: readonly (TensorSpec | undefined)[],
    attributes: Attributes,
  ): true | string;
  /** Uninitialised storage, allocated in queue order. Failure to allocate surfaces at a wait. */
  protected abstract allocate(byteLength: number, dtype: DType): Storage;
  /** Copies `data` before it returns. */
  protected abstract write(storage: Storage, data: HostArray, dtype: DType): void;
  protected abstract enqueueChecked(call: OpCall): void;
  /** @param reuse memory that the result may take over, if it is of its size; it is detached then */
  protected abstract read(operand: Operand, reuse?: ArrayBuffer | undefined): Promise<HostArray>;
  protected abstract waitAll(): Promise<void>;
  /** Backends whose queue or memory can be full override this; see `ready`. */
  protected async waitForRoom(_bytes: number): Promise<void> {}
  protected abstract close(): Promise<void>;
  /** Records the ops that `enqueue` enqueues, none of which runs; where it throws, nothing is recorded. See `graph`. */
  protected record?: (enqueue: () => void) => RecordedOps;
  /** Called by tensors when their last handle goes. Freed in queue order. */
  abstract release(storage: Storage): void;
  protected abstract memory(): { liveBytes: number; peakBytes: number };

  /**
   * Uploads a copy of `data`: a host array of the type (raw patterns for `f16` and `bf16`), or plain numbers, which
   * are converted to it (f32 when none is named).
   *
   * @throws F2iError INVALID_ARGUMENT if shape, type and data do not fit each other
   */
  tensor(data: HostArray | readonly number[], shape: Shape, dtype?: DType): Tensor {
    this.assertNoBody('tensor');
    const plain = Array.isArray(data);
    const type = dtype ?? (plain ? 'f32' : dtypeOf(data as HostArray));
    checkDType(type);
    const array = plain ? fromNumbers(Float64Array.from(data), type) : (data as HostArray);
    checkHostArray(array, type);
    checkLength(array.length, { shape, dtype: type });
    const storage = this.allocate(Math.max(1, array.length) * bytesPerElement(type), type);
    this.write(storage, array, type);
    return new Tensor(this, storage, { shape, dtype: type });
  }

  /**
   * Takes over an ArrayBuffer without copying where the device can; the buffer is detached in every case, so that
   * no one can write to memory that queued work reads. A buffer that is refused stays with the caller.
   *
   * @throws F2iError INVALID_ARGUMENT if shape, type and buffer do not fit each other
   */
  adopt(buffer: ArrayBuffer, shape: Shape, dtype: DType): Tensor {
    this.assertNoBody('adopt');
    checkDType(dtype);
    checkLength(buffer.byteLength / bytesPerElement(dtype), { shape, dtype });
    const owned = structuredClone(buffer, { transfer: [buffer] });
    const storage = this.adoptStorage(owned, dtype);
    return new Tensor(this, storage, { shape, dtype });
  }

  /**
   * Lends an ArrayBuffer to a tensor, which has its values from the beginning of it, without copying where the device can.
   * The buffer is detached, and comes back when no work needs it any more: for memory that is filled again and again, since
   * new memory costs page faults and work for the garbage collector.
   *
   * @returns the tensor, and the memory once it is free: at the latest when the tensor was disposed and what used it has
   *   run; never if the backend is disposed before
   * @throws F2iError INVALID_ARGUMENT if the buffer is too small for the shape
   */
  lend(buffer: ArrayBuffer, shape: Shape, dtype: DType): Loan {
    this.assertNoBody('lend');
    checkDType(dtype);
    checkShape(shape);
    const bytes = sizeOf(shape) * bytesPerElement(dtype);
    if (bytes > buffer.byteLength || bytes === 0) {
      throw new F2iError('INVALID_ARGUMENT', 'shape does not fit the memory', {
        expected: `1 to ${buffer.byteLength} bytes`,
        found: describe({ shape, dtype }),
      });
    }
    const owned = structuredClone(buffer, { transfer: [buffer] });
    const { storage, returned } = this.lendStorage(owned, bytes, dtype);
    return { tensor: new Tensor(this, storage, { shape, dtype }), returned };
  }

  /**
   * A tensor whose values are bytes of a file, mapped read-only; only devices that read the host's memory have it. The
   * file must not change while the tensor lives.
   *
   * @param offset of the first value, in bytes: a multiple of an element's
   * @throws F2iError IO if the file cannot be read or is too short
   */
  mapFile?(path: string, offset: number, shape: Shape, dtype: DType): Tensor;

  /**
   * A tensor in memory that stays the caller's; only devices that read the host's memory have it. As long as the tensor or
   * work on it lives, nobody may write to the memory or transfer it: for those who alone have it.
   *
   * @throws F2iError INVALID_ARGUMENT if shape, type and buffer do not fit each other
   */
  share?(buffer: ArrayBuffer, shape: Shape, dtype: DType): Tensor;

  /** Backends that can use host memory in place override this; the default uploads. */
  protected adoptStorage(buffer: ArrayBuffer, dtype: DType): Storage {
    const storage = this.allocate(Math.max(bytesPerElement(dtype), buffer.byteLength), dtype);
    this.write(storage, hostArray(dtype, buffer), dtype);
    return storage;
  }

  /** Backends that can use host memory in place override this; the default uploads, and gives it back at once. */
  protected lendStorage(
    buffer: ArrayBuffer,
    bytes: number,
    dtype: DType,
  ): { storage: Storage; returned: Promise<ArrayBuffer> } {
    const storage = this.allocate(bytes, dtype);
    this.write(storage, hostArray(dtype, buffer, 0, bytes / bytesPerElement(dtype)), dtype);
    return { storage, returned: Promise.resolve(buffer) };
  }

  /** @throws F2iError OUT_OF_MEMORY if the host cannot hold so many */
  zeros(shape: Shape, dtype: DType = 'f32'): Tensor {
    this.assertOpen();
    checkDType(dtype);
    checkShape(shape);
    return this.tensor(hostZeros({ shape, dtype }), shape, dtype);
  }

  /** Runs an op whose inputs have been checked; used by `runOp`, not by users. */
  enqueue<A extends Attributes>(
    op: OpSpec<A>,
    inputs: readonly (Tensor | undefined)[],
    attributes: A,
    outputs: readonly TensorSpec[],
    signal: AbortSignal | undefined,
    place: OpCall['place'],
  ): Tensor[] {
    this.assertOpen();
    const reason = this.supports(op as OpSpec, inputs, attributes);
    if (reason !== true) {
      throw new F2iError('UNSUPPORTED', reason, { op: op.name, backend: this.name });
    }
    const copies: Tensor[] = [];
    const readable = (tensor: Tensor): Tensor => {
      if (tensor.rowStride === undefined || this.columnReaders.has(op.name)) return tensor;
      copies.push(this.#dense(tensor, { signal, place }));
      return copies.at(-1)!;
    };
    const tensors: Tensor[] = [];
    try {
      const operands = inputs.map((t) => t && operandOf(readable(t)));
      for (const spec of outputs) tensors.push(this.#blank(spec));
      this.enqueueChecked({
        op: op as unknown as OpSpec,
        inputs: operands,
        outputs: tensors.map(operandOf),
        attributes,
        signal,
        place,
      });
    } catch (error) {
      for (const tensor of tensors) tensor.dispose();
      throw error;
    } finally {
      for (const copy of copies) copy.dispose();
    }
    return tensors;
  }

  /** Names of the ops that read matrices with a `rowStride`; where there are any, `slice` along columns does, too. */
  protected get columnReaders(): ReadonlySet<string> {
    return NO_OPS;
  }

  /** As `Tensor.columns`. */
  columns(tensor: Tensor, start: number, end: number): Tensor {
    this.assertOpen();
    if (tensor.shape.length !== 2) {
      throw new F2iError('INVALID_ARGUMENT', 'columns: not a matrix', {
        expected: 'two axes; slice(x, axis, start, end) takes parts of others',
        found: describe(tensor),
      });
    }
    if (this.columnReaders.size === 0) return slice(tensor, 1, start, end);
    const [spec] = sliceSpec.infer([tensor], { axis: 1, start, end });
    const stride = tensor.rowStride ?? tensor.shape[1];
    return new Tensor(this, tensor.storage, spec!, tensor.offset + start, stride);
  }

  /** A dense copy, for tensors: of a view of columns whose rows must lie next to each other. */
  dense(view: Tensor): Tensor {
    this.assertOpen();
    return this.#dense(view, { signal: undefined, place: capturePlace(this.dense) });
  }

  #dense(tensor: Tensor, call: LaunchCall): Tensor {
    const copy = this.#blank(tensor);
    try {
      this.#copy(tensor, copy, call);
      return copy;
    } catch (error) {
      copy.dispose();
      throw error;
    }
  }

  /** As `Tensor.download`. */
  async download(tensor: Tensor, reuse?: HostArray | undefined): Promise<HostArray> {
    this.assertNoBody('download');
    const whole = reuse && reuse.byteLength === reuse.buffer.byteLength;
    const memory = whole && reuse.buffer instanceof ArrayBuffer ? reuse.buffer : undefined;
    if (tensor.rowStride === undefined) return this.#untilDisposed(this.read(operandOf(tensor), memory));
    const copy = this.#dense(tensor, { signal: undefined, place: capturePlace(this.download) });
    const values = this.read(operandOf(copy), memory);
    copy.dispose();
    return this.#untilDisposed(values);
  }

  /** Waits until all enqueued work is done; rejects with the first failure since the last `sync()`. */
  async sync(): Promise<void> {
    this.assertNoBody('sync');
    await this.#untilDisposed(this.waitAll());
  }

  /** Compiles what the given ops need, ahead of their first use. */
  async prepare(_ops: readonly OpSpec[]): Promise<void> {}

  /** Waits for room for `bytes` more under the memory ceiling. */
  async ready(bytes = 0): Promise<void> {
    this.assertNoBody('ready');
    await this.#untilDisposed(this.waitForRoom(bytes));
  }

  /**
   * Runs `body` (which must be synchronous: ops only enqueue) and disposes every tensor made inside it, apart from
   * those in its result (a tensor, or tensors anywhere inside arrays and plain objects).
   */
  scope<T>(body: () => T): T {
    const made = new Set<Tensor>();
    this.#scopes.push(made);
    let kept: Set<Tensor> | undefined;
    try {
      const result = body();
      if (result instanceof Promise) {
        throw new F2iError('INVALID_ARGUMENT', 'scope() takes a synchronous function: ops only enqueue');
      }
      kept = new Set(tensorsIn(result));
      return result;
    } finally {
      this.#scopes.pop();
      const outer = this.#scopes.at(-1);
      for (const tensor of made) {
        if (kept?.has(tensor)) outer?.add(tensor);
        else tensor.dispose();
      }
    }
  }

  /**
   * Runs `body` like `scope()`, and downloads the tensors that it returns. Nothing of it stays on the device,
   * whether the work succeeds, fails or is cancelled.
   *
   * @example const [values] = await backend.compute(() => [gemm(a, b)]);
   */
  async compute<const T extends readonly Tensor[]>(body: () => T): Promise<{ [K in keyof T]: HostArray }> {
    const downloads = this.scope(() => body().map((tensor) => tensor.download()));
    return (await Promise.all(downloads)) as { [K in keyof T]: HostArray };
  }

  /**
   * Work that repeats itself on operands of the same shapes, such as the evaluations of a sampler. Where it pays, the ops of
   * `body` are recorded at the first launch and enqueued as one from then on: on a GPU, a CUDA graph. Elsewhere each launch
   * runs the body. The results are the same to the bit.
   *
   * Each of these is an INVALID_ARGUMENT of `launch`: a body that returns something other than a list of tensors of this
   * backend, or is asynchronous; a call of anything but ops in it; inputs that are no list of tensors (`launch([x])`).
   *
   * A graph may hold memory for itself (what its body needs at once, its inputs and results), counted against the ceiling
   * until it is disposed; where there is no room for that, its ops take theirs as they run. A signal cancels launches that are
   * queued; one that a GPU has begun ends first.
   *
   * @example
   * const evaluation = backend.graph(([x], options) => [linear(x!, weight, options)]);
   * for (const x of inputs) results.push(...evaluation.launch([x]));
   * evaluation.dispose(); // or `using evaluation = ...`, where the language has it
   * @throws F2iError INVALID_ARGUMENT if the body is no function; DISPOSED
   */
  graph(body: GraphBody): Graph {
    this.assertOpen();
    checkBody(body);
    return new Graph(() => this.#graphHost(), body);
  }

  #graphHost(): GraphHost {
    this.assertOpen();
    return {
      backend: this,
      blank: (spec) => this.#blank(spec),
      copy: (from, to, call) => this.#copy(from, to, call),
      run: (body, inputs, options) => this.#runBody(body, inputs, options),
      // Inside another body, its ops are ops of that one.
      record: this.#bodies === 0 ? this.record : undefined,
    };
  }

  #runBody(body: GraphBody, inputs: readonly Tensor[], options: OpOptions): Tensor[] {
    this.#bodies++;
    try {
      // Handles of their own, so that a body may dispose what it is given, and give it back; dense, whatever was recorded.
      const call = { signal: options.signal, place: capturePlace(this.#runBody) };
      const own = (tensor: Tensor) =>
        tensor.rowStride === undefined ? tensor.reshape(...tensor.shape) : this.#dense(tensor, call);
      return this.scope(() => {
        const results = body(inputs.map(own), options);
        checkResults(results, this);
        return results.map(own);
      });
    } finally {
      this.#bodies--;
    }
  }

  #blank({ shape, dtype }: TensorSpec): Tensor {
    const bytes = Math.max(1, sizeOf(shape)) * bytesPerElement(dtype);
    return new Tensor(this, this.allocate(bytes, dtype), { shape, dtype });
  }

  #copy(from: Tensor, to: Tensor, call: LaunchCall): void {
    const isView = from.rowStride !== undefined;
    const [x, y] = [from, to].map((tensor) =>
      isView ? operandOf(tensor) : { ...operandOf(tensor), shape: [tensor.size] },
    );
    const attributes = { axis: isView ? 1 : 0, start: 0, end: isView ? from.shape[1]! : from.size };
    const op = sliceSpec as unknown as OpSpec;
    this.enqueueChecked({ op, inputs: [x], outputs: [y!], attributes, ...call });
  }

  stats(): MemoryStats {
    return { liveTensors: this.#live.size, ...this.memory() };
  }

  /** The handles not yet disposed, oldest first: to name leaks. */
  liveTensors(): readonly Tensor[] {
    return [...this.#live];
  }

  /** Drops queued work and frees everything. Calling it twice is fine. */
  async dispose(): Promise<void> {
    if (this.#closed) return;
    for (const tensor of [...this.#live]) tensor.dispose();
    this.#closed = true;
    await this.close();
  }

  get disposed(): boolean {
    return this.#closed;
  }

  /** For tensors. */
  track(tensor: Tensor): void {
    this.#live.add(tensor);
    this.#scopes.at(-1)?.add(tensor);
  }

  untrack(tensor: Tensor): void {
    this.#live.delete(tensor);
    this.#scopes.at(-1)?.delete(tensor);
  }

  /** Throws DISPOSED after `dispose()`. */
  protected assertOpen(): void {
    if (this.#closed) throw new F2iError('DISPOSED', `the ${this.name} backend was used after dispose()`);
  }

  /** Throws INVALID_ARGUMENT while the body of a graph runs: only ops belong into it. */
  protected assertNoBody(call: string): void {
    this.assertOpen();
    if (this.#bodies === 0) return;
    throw new F2iError('INVALID_ARGUMENT', 'the body of a graph runs ops alone', {
      expected: 'data as inputs, and results that are downloaded outside',
      found: `${call}()`,
    });
  }

  /** A device cancels the waits that `dispose()` finds pending; they reject with DISPOSED, whatever the device. */
  async #untilDisposed<T>(wait: Promise<T>): Promise<T> {
    try {
      return await wait;
    } catch (cause) {
      if (!this.#closed || !(cause instanceof F2iError) || cause.code !== 'CANCELLED') throw cause;
      const { name: backend } = this;
      throw new F2iError('DISPOSED', `the ${backend} backend was disposed during a wait`, { backend, cause });
    }
  }
}

function operandOf(tensor: Tensor): Operand {
  const { storage, offset, shape, dtype, rowStride } = tensor;
  return { storage, offset, shape, dtype, rowStride };
}

/** Throws INVALID_ARGUMENT unless a shape has so many elements. */
export function checkLength(length: number, spec: TensorSpec): void {
  checkShape(spec.shape);
  if (sizeOf(spec.shape) !== length) {
    throw new F2iError('INVALID_ARGUMENT', 'shape does not fit the data', {
      expected: `${length} elements`,
      found: describe(spec),
    });
  }
}

function hostZeros(spec: TensorSpec): HostArray {
  try {
    return hostArray(spec.dtype, sizeOf(spec.shape));
  } catch (cause) {
    throw new F2iError('OUT_OF_MEMORY', 'the host cannot hold the tensor', { found: describe(spec), cause });
  }
}

function* tensorsIn(value: unknown): Generator<Tensor> {
  if (value instanceof Tensor) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item);
  else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) yield* tensorsIn(item);
}
