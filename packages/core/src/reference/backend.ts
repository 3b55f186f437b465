import {
  Backend,
  type BackendInfo,
  type DeviceName,
  type OpCall,
  type Operand,
  type RejectedDevice,
  type Storage,
} from '../backend.ts';
import { fromNumbers, toNumbers } from '../convert.ts';
import { bytesPerElement, type DType, type HostArray } from '../dtype.ts';
import { type ErrorDetails, F2iError } from '../error.ts';
import type { OpSpec } from '../ops/op.ts';
import { formatPlace } from '../place.ts';
import { sizeOf } from '../tensor.ts';
import { referenceKernels } from './index.ts';
import { DataError, type ReferenceKernel, type View } from './kernel.ts';
import { Queue } from './queue.ts';

export interface ReferenceOptions {
  /** Ceiling of the memory of tensors, in bytes; none by default. */
  memoryLimit?: number;
  /** Devices that were tried before, or are known to be missing. */
  rejected?: readonly RejectedDevice[];
  /** The kernel of each op by stem, when not the reference's own: for tests that need a wrong or incomplete backend. */
  kernels?: ReadonlyMap<string, ReferenceKernel>;
}

/** Values of one storage; a float64 array comes into being when the first queued write reaches it. */
interface ReferenceStorage extends Storage {
  readonly length: number;
  values: Float64Array | undefined;
  /** Why the values could not be produced. */
  failure: F2iError | undefined;
}

/**
 * The oracle: every op in plain float64 loops on the thread of the caller. Floats of all types are held as float64
 * and rounded to their type at download, so that a chain of f32 ops shows no error of its own. Slow, and asked for
 * by name only: `auto` never chooses it.
 */
export class ReferenceBackend extends Backend {
  readonly name: DeviceName = 'reference';
  readonly info: BackendInfo;
  readonly lost: Promise<F2iError> = new Promise(() => {});

  readonly #queue = new Queue();
  readonly #memoryLimit: number;
  readonly #kernels: ReadonlyMap<string, ReferenceKernel>;
  #liveBytes = 0;
  #peakBytes = 0;
  #failure: F2iError | undefined;

  constructor(options: ReferenceOptions = {}) {
    super();
    const { memoryLimit = Infinity, kernels = referenceKernels, rejected = [] } = options;
    const description = 'float64 reference in JavaScript, one thread';
    this.info = { device: 'reference', description, rejected, threads: 1 };
    this.#kernels = kernels;
    this.#memoryLimit = memoryLimit;
  }

  supports({ name }: OpSpec): true | string {
    return this.#kernels.has(name) || `the reference has no kernel for ${name}`;
  }

  protected allocate(byteLength: number, dtype: DType): ReferenceStorage {
    const length = byteLength / bytesPerElement(dtype);
    return { references: 0, byteLength: length * 8, length, values: undefined, failure: undefined };
  }

  protected write(storage: ReferenceStorage, data: HostArray, dtype: DType): void {
    const numbers = toNumbers(data, dtype);
    this.#queue.push({
      run: () => {
        storage.failure = this.#materialise(storage);
        this.#failure ??= storage.failure;
        storage.values?.set(numbers);
      },
    });
  }

  protected enqueueChecked(call: OpCall): void {
    this.#queue.push({ run: () => this.#execute(call) });
  }

  protected read(operand: Operand): Promise<HostArray> {
    return this.#wait(() => {
      const { failure } = operand.storage as ReferenceStorage;
      if (failure) throw failure;
      return fromNumbers(viewOf(operand).data, operand.dtype);
    });
  }

  protected waitAll(): Promise<void> {
    return this.#wait(() => {
      const failure = this.#failure;
      this.#failure = undefined;
      if (failure) throw failure;
    });
  }

  /** All releases that are queued have run when this resolves. */
  protected override async waitForRoom(bytes: number): Promise<void> {
    if (bytes > this.#memoryLimit) throw this.#outOfMemory(bytes);
    await this.#wait(() => {});
  }

  release(storage: Storage): void {
    const free = () => {
      const released = storage as ReferenceStorage;
      if (released.values) this.#liveBytes -= released.byteLength;
      released.values = undefined;
    };
    this.#queue.push({ run: free, drop: free });
  }

  protected async close(): Promise<void> {
    this.#queue.close();
  }

  protected memory(): { liveBytes: number; peakBytes: number } {
    return { liveBytes: this.#liveBytes, peakBytes: this.#peakBytes };
  }

  /** Queues `body` and starts working; settles with what it returns or throws. */
  #wait<T>(body: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        run: () => {
          try {
            resolve(body());
          } catch (error) {
            reject(error);
          }
        },
        drop: () => reject(new F2iError('DISPOSED', 'the reference backend was disposed during a wait')),
      });
      this.#queue.start();
    });
  }

  #execute(call: OpCall): void {
    const inherited = call.inputs.find((input) => input && (input.storage as ReferenceStorage).failure);
    let failure = inherited && (inherited.storage as ReferenceStorage).failure;
    if (!failure) {
      failure = this.#run(call);
      this.#failure ??= failure;
    }
    for (const output of call.outputs) (output.storage as ReferenceStorage).failure = failure;
  }

  /** What went wrong, if anything did. */
  #run({ op, inputs, outputs, attributes, signal, place }: OpCall): F2iError | undefined {
    // Formatting a stack costs more than a small op: only errors do it.
    const where = () => ({ op: op.name, backend: this.name, place: formatPlace(place) });
    if (signal?.aborted) {
      const cause = signal.reason;
      return new F2iError('CANCELLED', 'cancelled while it was queued', { ...where(), cause });
    }
    for (const output of outputs) {
      const failure = this.#materialise(output.storage as ReferenceStorage, where);
      if (failure) return failure;
    }
    try {
      const kernel = this.#kernels.get(op.name)!;
      kernel(
        inputs.map((input) => input && viewOf(input)),
        outputs.map(viewOf),
        attributes,
      );
      return undefined;
    } catch (cause) {
      return failureOf(cause, where());
    }
  }

  #materialise(storage: ReferenceStorage, where?: () => ErrorDetails): F2iError | undefined {
    if (this.#liveBytes + storage.byteLength > this.#memoryLimit) {
      return this.#outOfMemory(storage.byteLength, where?.());
    }
    try {
      storage.values = new Float64Array(storage.length);
    } catch {
      // The engine has a limit of its own.
      return this.#outOfMemory(storage.byteLength, where?.());
    }
    this.#liveBytes += storage.byteLength;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    return undefined;
  }

  #outOfMemory(bytes: number, where: ErrorDetails = { backend: this.name }): F2iError {
    return new F2iError('OUT_OF_MEMORY', 'the tensor does not fit under the memory ceiling', {
      ...where,
      expected: `at most ${this.#memoryLimit - this.#liveBytes} bytes (of ${this.#memoryLimit})`,
      found: `${bytes} bytes`,
    });
  }
}

/** The oracle on the caller's thread: see {@link ReferenceBackend}. */
export function createReferenceBackend(options?: ReferenceOptions): ReferenceBackend {
  return new ReferenceBackend(options);
}

function viewOf({ storage, offset, shape, dtype }: Operand): View {
  const { values } = storage as ReferenceStorage;
  return { data: values!.subarray(offset, offset + sizeOf(shape)), shape, dtype };
}

function failureOf(cause: unknown, where: ErrorDetails): F2iError {
  if (cause instanceof DataError)
    return new F2iError(cause.code, cause.message, { ...where, ...cause.details });
  const message = cause instanceof Error ? cause.message : String(cause);
  return new F2iError('INTERNAL', message, { ...where, cause });
}
