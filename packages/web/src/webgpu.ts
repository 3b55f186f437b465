import {
  type Attributes,
  asMatrix,
  Backend,
  type BackendInfo,
  bytesPerElement,
  type DeviceName,
  type DType,
  F2iError,
  formatPlace,
  type HostArray,
  hostArray,
  type OpCall,
  type Operand,
  type OpSpec,
  type Storage,
  sizeOf,
  type TensorSpec,
} from '@fmri2image/core';
import { type DeviceOptions, type OpenedDevice, openDevice } from './device.ts';
import { kernels } from './kernels/index.ts';
import type { Dispatch, Encoder, Kernel, KernelCall, KernelOperand, Matrix } from './kernels/kernel.ts';
import { type KernelLimits, limitsOf } from './limits.ts';
import { checkBackendOptions } from './options.ts';
import { type Binding, type Command, GpuStorage, OpRun } from './queue/commands.ts';
import { BufferPool, type PooledBuffer } from './queue/pool.ts';
import { Queue } from './queue/queue.ts';

export interface WebBackendOptions extends DeviceOptions {
  /** Ceiling of device memory in bytes; 0 (the default) for none. */
  memoryLimit?: number | undefined;
  /** Lower limits than the device's. For tests: every tiling path, on small shapes. */
  limits?: Partial<KernelLimits> | undefined;
}

/** Free buffers kept for reuse, in bytes. */
const KEEP_BYTES = 256 * 2 ** 20;

/**
 * Opens a WebGPU device and a backend on it.
 *
 * @throws F2iError UNSUPPORTED, saying what is missing, where there is no WebGPU, adapter or device; INVALID_ARGUMENT
 *   for an option that there is not, or a value that it does not take
 * @example const backend = await createWebBackend();
 */
export async function createWebBackend(options: WebBackendOptions = {}): Promise<WebGpuBackend> {
  checkBackendOptions(options);
  return new WebGpuBackend(await openDevice(options), options);
}

/**
 * The ops in WGSL on a WebGPU device: in browsers, and in Node through Dawn. f32 and i32, f16 and bf16 as storage;
 * needs no optional feature of WebGPU. Results are equal from run to run on one device.
 */
export class WebGpuBackend extends Backend {
  readonly name: DeviceName = 'webgpu';
  readonly info: BackendInfo;
  readonly lost: Promise<F2iError>;
  readonly #opened: OpenedDevice;
  readonly #limits: KernelLimits;
  readonly #queue: Queue;
  readonly #pool: BufferPool;

  /** See {@link createWebBackend}. */
  constructor(opened: OpenedDevice, options: WebBackendOptions = {}) {
    super();
    this.#opened = opened;
    this.#limits = { ...limitsOf(opened.device, opened.software), ...options.limits };
    this.#queue = new Queue(opened.device, this.#limits.maxDispatchFlops / 10);
    this.#pool = new BufferPool(opened.device, options.memoryLimit || Infinity, KEEP_BYTES, ({ gpu }) =>
      this.#queue.push({ kind: 'destroy', buffer: gpu }),
    );
    this.info = {
      device: 'webgpu',
      description: `WebGPU, ${opened.description}`,
      rejected: [],
      maxBufferBytes: this.#limits.maxBufferBytes,
    };
    this.lost = opened.device.lost.then(({ message, reason }) => {
      // Our own dispose() destroys the device as well; then nobody waits for this.
      if (this.disposed) return new Promise<F2iError>(() => {});
      const error = new F2iError(
        'DEVICE_LOST',
        `the GPU device was lost (${reason || 'unknown'}): ${message}`,
        {
          backend: 'webgpu',
        },
      );
      this.#queue.end(error);
      return error;
    });
  }

  supports(op: OpSpec, inputs: readonly (TensorSpec | undefined)[], attributes: Attributes): true | string {
    const kernel = kernels.get(op.name);
    if (!kernel) return `WebGPU has no kernel for ${op.name}`;
    const allowed = kernel.dtypes ?? ['f32'];
    for (const input of inputs) {
      if (!input || allowed.includes(input.dtype)) continue;
      if (input.dtype === 'f64') return 'WGSL has no 64-bit floats; use f32, or the cpu backend';
      return `${op.name} on WebGPU takes ${allowed.join(', ')}, not ${input.dtype}`;
    }
    return kernel.refuses?.(inputs, attributes, this.#limits) ?? true;
  }

  protected allocate(byteLength: number, _dtype: DType): GpuStorage {
    const storage = new GpuStorage(byteLength, undefined);
    storage.buffer = this.#take(byteLength, (failure) => {
      storage.failure ??= failure;
    });
    return storage;
  }

  /** A buffer; undefined, or useless in the end, when `failed` is called. */
  #take(bytes: number, failed: (failure: F2iError) => void): PooledBuffer | undefined {
    const { maxBufferBytes } = this.#limits;
    if (bytes > maxBufferBytes) {
      failed(outOfMemory(`at most ${maxBufferBytes} bytes (the device's largest buffer)`, bytes));
      return undefined;
    }
    const buffer = this.#pool.take(bytes, (error) => failed(outOfMemory('room on the device', bytes, error)));
    if (!buffer) {
      const room = Math.max(0, this.#pool.ceiling - this.#pool.liveBytes);
      failed(outOfMemory(`at most ${room} bytes (of a ceiling of ${this.#pool.ceiling})`, bytes));
    }
    return buffer;
  }

  protected write(storage: Storage, data: HostArray, _dtype: DType): void {
    const { buffer, failure } = storage as GpuStorage;
    if (!buffer) {
      if (failure) this.#queue.note(failure, undefined);
      return;
    }
    if (data.byteLength === 0) return;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    try {
      this.#queue.write(buffer, bytes);
    } catch (error) {
      // Mapping a staging buffer throws where the browser's own memory is short.
      const refused = outOfMemory('room to stage an upload', data.byteLength, error);
      (storage as GpuStorage).failure ??= refused;
      this.#queue.note(refused, undefined);
    }
  }

  protected enqueueChecked(call: OpCall): void {
    const kernel = kernels.get(call.op.name)!;
    const storages = (operands: readonly (Operand | undefined)[]) =>
      operands.flatMap((operand) => (operand ? [operand.storage as GpuStorage] : []));
    const outputs = storages(call.outputs);
    const op: OpRun = new OpRun(
      call.op.name,
      call.place,
      call.signal,
      storages(call.inputs),
      outputs,
      explainer(kernel, call),
    );
    this.#queue.push({ kind: 'begin', op });
    // Without storage there is nothing to record: the op fails when its turn comes.
    const complete = [...op.inputs, ...outputs].every(({ buffer }) => buffer !== undefined);
    if (complete) this.#record(kernel, call, op);
    this.#queue.push({ kind: 'end', op });
  }

  #record(kernel: Kernel, call: OpCall, op: OpRun): void {
    const taken: PooledBuffer[] = [];
    const scratch = (rows: number, cols: number, dtype: Matrix['dtype'] = 'f32'): Matrix => {
      const bytes = Math.max(1, rows * cols) * bytesPerElement(dtype);
      const buffer = this.#take(bytes, (failure) => {
        for (const output of op.outputs) output.failure ??= failure;
      });
      if (!buffer) throw new NoScratch();
      taken.push(buffer);
      return { buffer, dtype, offset: 0, rows, cols, ld: cols };
    };
    const encoder: Encoder = {
      limits: this.#limits,
      scratch,
      constants: (values) => {
        const matrix = scratch(1, values.length, values instanceof Float32Array ? 'f32' : 'i32');
        if (values.length > 0) this.#queue.write(matrix.buffer, new Uint8Array(values.slice().buffer));
        return matrix;
      },
      copy: (from, to) => {
        const bytes = bytesPerElement(from.dtype);
        const length = from.rows * from.cols * bytes;
        if (length > 0)
          this.#queue.copy(op, from.buffer, from.offset * bytes, to.buffer, to.offset * bytes, length);
      },
      dispatch: (program, bindings, params, groups, cost) => {
        checkLimits(this.#limits, program.name, bindings, groups);
        this.#queue.push({ kind: 'dispatch', op, program, bindings, params, groups, cost });
      },
      series: (windows, make) => {
        this.#queue.push({
          kind: 'series',
          op,
          bindings: windows,
          dispatches: dispatchesOf(
            op,
            make(() => op.progress),
            this.#limits,
          ),
        });
      },
    };
    const kernelCall: KernelCall = {
      inputs: call.inputs.map((operand) => operand && operandOf(operand)),
      outputs: call.outputs.map(operandOf),
      attributes: call.attributes,
    };
    try {
      kernel.encode(kernelCall, encoder);
    } catch (error) {
      if (!(error instanceof NoScratch)) throw error;
    }
    for (const buffer of taken) this.#pool.give(buffer);
  }

  protected async read(operand: Operand): Promise<HostArray> {
    const bytes = bytesPerElement(operand.dtype);
    const length = sizeOf(operand.shape) * bytes;
    const data = await this.#queue.read(operand.storage as GpuStorage, operand.offset * bytes, length);
    return hostArray(operand.dtype, data);
  }

  protected waitAll(): Promise<void> {
    return this.#queue.idle();
  }

  /** Compiles the pipelines of the ops, in parallel and without holding up the queue. */
  override async prepare(ops: readonly OpSpec[]): Promise<void> {
    const programs = new Set(ops.flatMap((op) => kernels.get(op.name)?.programs(this.#limits) ?? []));
    await this.#queue.prepare(programs);
  }

  /** Waits while the device has more uploads or batches before it than it should. */
  protected override async waitForRoom(bytes: number): Promise<void> {
    if (bytes > this.#pool.ceiling) throw outOfMemory(`at most ${this.#pool.ceiling} bytes`, bytes);
    await this.#queue.room(bytes);
  }

  release(storage: Storage): void {
    const { buffer } = storage as GpuStorage;
    (storage as GpuStorage).buffer = undefined;
    if (buffer) this.#pool.give(buffer);
  }

  protected async close(): Promise<void> {
    this.#queue.end(new F2iError('DISPOSED', 'the webgpu backend was disposed', { backend: 'webgpu' }));
    this.#pool.clear();
    this.#queue.destroyBuffers();
    if (this.#opened.owned) this.#opened.device.destroy();
  }

  protected memory(): { liveBytes: number; peakBytes: number } {
    return { liveBytes: this.#pool.liveBytes, peakBytes: this.#pool.peakBytes };
  }
}

function* dispatchesOf(
  op: OpRun,
  made: Iterator<Dispatch>,
  limits: KernelLimits,
): Generator<Command & { kind: 'dispatch' }> {
  for (let next = made.next(); !next.done; next = made.next()) {
    const { windows: bindings, ...rest } = next.value;
    checkLimits(limits, rest.program.name, bindings, rest.groups);
    yield { kind: 'dispatch', op, bindings, ...rest };
  }
}

/** A kernel must keep to the limits, be they lower than the device's. */
function checkLimits(
  { maxBindingBytes, maxWorkgroups }: KernelLimits,
  name: string,
  bindings: readonly Binding[],
  groups: readonly number[],
): void {
  const [bytes, most] = [Math.max(...bindings.map(({ size }) => size)), Math.max(...groups)];
  if (bytes <= maxBindingBytes && most <= maxWorkgroups) return;
  throw new F2iError('INTERNAL', `${name} exceeds the device's limits`, {
    backend: 'webgpu',
    expected: `bindings of ${maxBindingBytes} bytes and ${maxWorkgroups} workgroups a dimension at most`,
    found: `${bytes} bytes, ${most} workgroups`,
  });
}

/** Ends the recording of an op for whose intermediate results there is no room. */
class NoScratch extends Error {}

function operandOf({ storage, offset, shape, dtype }: Operand): KernelOperand {
  const [rows, cols] = asMatrix(shape);
  return { buffer: (storage as GpuStorage).buffer!, dtype, offset, shape, rows, cols, ld: cols };
}

function explainer(kernel: Kernel, call: OpCall): ((status: Uint32Array) => F2iError) | undefined {
  if (!kernel.explain) return undefined;
  return (status) => {
    const { code, message, expected, found } = kernel.explain!(status);
    const place = formatPlace(call.place);
    return new F2iError(code, message, { op: call.op.name, backend: 'webgpu', expected, found, place });
  };
}

function outOfMemory(expected: string, bytes: number, cause?: unknown): F2iError {
  return new F2iError('OUT_OF_MEMORY', 'the tensor does not fit into device memory', {
    backend: 'webgpu',
    expected,
    found: `${bytes} bytes`,
    cause,
  });
}
