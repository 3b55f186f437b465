import {
  type Attributes,
  Backend,
  type BackendInfo,
  bytesPerElement,
  checkDType,
  checkShape,
  type DType,
  describe,
  F2iError,
  type HostArray,
  hostArray,
  type OpCall,
  type Operand,
  type OpSpec,
  type RejectedDevice,
  type Shape,
  type Storage,
  sizeOf,
  Tensor,
  type TensorSpec,
} from '@fmri2image/core';
import { ISAS, type Isa, type NativeContext } from './native/addon.ts';
import { Arguments, MOST_OPERANDS, type NativeStorage } from './native/arguments.ts';
import { encoders } from './native/encode.ts';
import { isNativeError, translate } from './native/failure.ts';
import { loadAddon } from './native/load.ts';
import { Places } from './native/places.ts';
import { Tokens } from './native/tokens.ts';

export interface CpuOptions {
  /** Threads that compute, including the queue's; all cores this process may use by default. */
  threads?: number | undefined;
  /** `auto` (the default) takes the best one, or what the environment variable F2I_ISA says. */
  isa?: Isa | undefined;
  /**
   * Ceiling of tensors and workspace in bytes; adopted and mapped memory does not count. None by default. `loadDecoder` counts
   * the weights of a published model against it as well, before it loads them.
   */
  memoryLimit?: number | undefined;
  /** What `device: 'auto'` tried before. */
  rejected?: readonly RejectedDevice[] | undefined;
}

const ISA_TITLES: Readonly<Record<Isa, string>> = {
  auto: 'automatic',
  portable: 'portable',
  avx2: 'AVX2',
  avx512: 'AVX-512',
};

/** Queued ops at which `ready()` waits: more would only hold memory. */
const DEEP_QUEUE = 4096;

/**
 * The native core on the CPU. Calls enqueue and return in microseconds, whatever they compute; one exception is
 * `tensor(data)`, which copies its data before it returns (about 0.3 s a GB): give large arrays to `adopt`.
 */
export class CpuBackend extends Backend {
  readonly name = 'cpu' as const;
  readonly info: BackendInfo;
  /** A CPU is not lost. */
  readonly lost = new Promise<F2iError>(() => {});

  readonly #native: NativeContext;
  readonly #arguments = new Arguments();
  readonly #places = new Places();
  readonly #tokens: Tokens;
  /** Tag of the next op; those below it have been enqueued. */
  #tag = 1;
  /** Failures that a wait has reported; while there are none, what has run needs no place any more. */
  #failures = 0;
  /** A buffer that nothing poisons, to wait for a point of the queue. */
  readonly #marker: number;

  constructor(options: CpuOptions = {}) {
    super();
    const { threads = 0, isa = 'auto', memoryLimit = 0, rejected = [] } = options;
    checkOptions(threads, isa, memoryLimit);
    const addon = loadAddon();
    try {
      this.#native = new addon.Context(this.#arguments.values, threads, ISAS.indexOf(isa), memoryLimit);
      this.#marker = this.#native.adopt(new ArrayBuffer(8));
    } catch (error) {
      throw translate(error);
    }
    this.#tokens = new Tokens(this.#native);
    const chosen = this.#native.info();
    const isaName = ISAS[chosen.isa] ?? 'auto';
    this.info = {
      device: 'cpu',
      description: `CPU, ${ISA_TITLES[isaName]}, ${chosen.threads} ${chosen.threads === 1 ? 'thread' : 'threads'}`,
      rejected,
      threads: chosen.threads,
      isa: isaName,
    };
  }

  supports(op: OpSpec, inputs: readonly (TensorSpec | undefined)[], _attributes: Attributes): true | string {
    if (inputs.length >= MOST_OPERANDS) return `the cpu backend takes fewer than ${MOST_OPERANDS} operands`;
    return Object.hasOwn(encoders, op.name) || `the cpu backend has no ${op.name}`;
  }

  /**
   * A tensor whose values are bytes of a file, mapped read-only: weights larger than memory never pass through
   * JavaScript.
   *
   * @param path of a file that must not change while the tensor lives
   * @param offset of the first value, in bytes
   * @throws F2iError IO if the file cannot be read or is too short
   */
  override mapFile(path: string, offset: number, shape: Shape, dtype: DType): Tensor {
    checkDType(dtype);
    checkShape(shape);
    const elementBytes = bytesPerElement(dtype);
    const byteLength = sizeOf(shape) * elementBytes;
    const whole = Number.isSafeInteger(byteLength) && byteLength > 0;
    if (!whole || !Number.isSafeInteger(offset) || offset < 0 || offset % elementBytes !== 0) {
      throw new F2iError('INVALID_ARGUMENT', 'not a range of a file that can be mapped', {
        file: path,
        expected: `at least one element at an offset that is a multiple of ${elementBytes}`,
        found: `${describe({ shape, dtype })} at ${offset}`,
      });
    }
    this.assertOpen();
    const handle = this.#now(() => this.#native.mapFile(path, offset, byteLength));
    return new Tensor(this, storage(handle, byteLength), { shape, dtype });
  }

  protected allocate(byteLength: number): Storage {
    // Under the tag of the op that will fill it: an error of memory then names that op and its place.
    return storage(
      this.#now(() => this.#native.createBuffer(byteLength, this.#tag)),
      byteLength,
    );
  }

  protected write(target: Storage, data: HostArray): void {
    const place: { stack?: string } = {};
    Error.captureStackTrace(place, this.write);
    const tag = this.#tag++;
    this.#places.add({ tag, op: 'upload', place, signal: undefined });
    this.#now(() => this.#native.write((target as NativeStorage).handle, 0, data, tag));
  }

  protected override adoptStorage(buffer: ArrayBuffer, dtype: DType): Storage {
    // An empty array has no memory to adopt.
    const memory = buffer.byteLength > 0 ? buffer : new ArrayBuffer(bytesPerElement(dtype));
    return storage(
      this.#now(() => this.#native.adopt(memory)),
      memory.byteLength,
    );
  }

  protected enqueueChecked(call: OpCall): void {
    const tag = this.#tag++;
    const op = call.op.name;
    const entry = { tag, op, place: call.place, signal: call.signal };
    try {
      this.#arguments.begin(tag, this.#tokens.of(call.signal, tag));
      encoders[op]!(this.#native, this.#arguments, call);
    } catch (error) {
      throw translate(error, entry);
    }
    this.#places.add(entry);
  }

  protected async read(
    { storage, offset, shape, dtype }: Operand,
    reuse?: ArrayBuffer | undefined,
  ): Promise<HostArray> {
    const size = sizeOf(shape);
    const bytes = bytesPerElement(dtype);
    // Detached from whoever had it, so that nobody can move it away while the queue writes to it.
    const taken =
      reuse?.byteLength === size * bytes ? structuredClone(reuse, { transfer: [reuse] }) : undefined;
    const array = await this.#later(() =>
      this.#native.read((storage as NativeStorage).handle, offset * bytes, size * bytes, taken),
    );
    return hostArray(dtype, array, 0, size);
  }

  protected async waitAll(): Promise<void> {
    const last = this.#tag - 1;
    await this.#later(() => this.#native.sync());
    // Nothing is left whose failure could still be found out.
    if (this.#failures === 0) this.#places.forget(last);
  }

  /**
   * Waits for room for `bytes` more under the ceiling, and for a queue that is not deep: called between blocks, it
   * keeps a long computation from holding more than it needs. What is already enqueued sets the order, so an op
   * that does not fit when its turn comes still fails.
   */
  protected override async waitForRoom(bytes: number): Promise<void> {
    for (;;) {
      this.assertOpen();
      const { queuedOps, liveBytes, memoryLimit } = this.#native.info();
      const fits = memoryLimit === 0 || liveBytes + bytes <= memoryLimit;
      if (queuedOps === 0 || (fits && queuedOps < DEEP_QUEUE)) return;
      await this.#later(() => this.#native.wait(this.#marker));
    }
  }

  release(freed: Storage): void {
    const native = freed as NativeStorage;
    if (native.handle === 0 || this.disposed) return;
    this.#native.destroyBuffer(native.handle);
    native.handle = 0;
  }

  protected async close(): Promise<void> {
    this.#tokens.close();
    await this.#native.close();
    this.#places.forget(this.#tag);
  }

  protected memory(): { liveBytes: number; peakBytes: number } {
    if (this.disposed) return { liveBytes: 0, peakBytes: 0 };
    const { liveBytes, peakBytes } = this.#native.info();
    return { liveBytes, peakBytes };
  }

  /** A native call outside of an op. */
  #now<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw translate(error);
    }
  }

  /** A wait; when it settles, everything that was enqueued before it has run. */
  async #later<T>(call: () => Promise<T>): Promise<T> {
    const last = this.#tag - 1;
    try {
      return await call();
    } catch (error) {
      this.#failures++;
      throw translate(error, isNativeError(error) ? this.#places.find(error.tag) : undefined);
    } finally {
      if (!this.disposed) this.#tokens.finished(last);
    }
  }
}

function storage(handle: number, byteLength: number): NativeStorage {
  return { references: 0, byteLength, handle };
}

function checkOptions(threads: number, isa: Isa, memoryLimit: number): void {
  const bad = (field: string, expected: string, found: unknown) =>
    new F2iError('INVALID_ARGUMENT', 'not a usable option', { field, expected, found: String(found) });
  if (!Number.isInteger(threads) || threads < 0 || threads > 1024) {
    throw bad('threads', 'an integer from 1 to 1024, or 0 for all cores', threads);
  }
  if (!ISAS.includes(isa)) throw bad('isa', ISAS.join(', '), isa);
  if (!Number.isSafeInteger(memoryLimit) || memoryLimit < 0)
    throw bad('memoryLimit', 'bytes, 0 for none', memoryLimit);
}
