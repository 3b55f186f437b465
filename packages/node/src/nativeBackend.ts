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
  type LaunchCall,
  type OpCall,
  type Operand,
  type OpSpec,
  type RecordedOps,
  type Shape,
  type Storage,
  sizeOf,
  Tensor,
  type TensorSpec,
} from '@fmri2image/core';
import {
  DEVICES,
  ISAS,
  type Isa,
  type NativeContext,
  type NativeInfo,
  PRECISIONS,
  type Precision,
} from './native/addon.ts';
import { Arguments, MOST_OPERANDS, type NativeStorage } from './native/arguments.ts';
import { encoders } from './native/encode.ts';
import { isNativeError, translate } from './native/failure.ts';
import { loadAddon } from './native/load.ts';
import { type Enqueued, GraphPlaces, Places } from './native/places.ts';
import { Tokens } from './native/tokens.ts';

/** Queued ops at which `ready()` waits: more would only hold memory. */
const DEEP_QUEUE = 4096;

/** What a context of the native core is opened with. */
export interface Opening {
  readonly device: 'cpu' | 'cuda';
  readonly threads?: number | undefined;
  readonly isa?: Isa | undefined;
  readonly memoryLimit?: number | undefined;
  /** Of a GPU, and the path of the library that drives it. */
  readonly index?: number | undefined;
  readonly library?: string | undefined;
  readonly precision?: Precision | undefined;
  /** Whether work that repeats itself is recorded: `Backend.graph`. */
  readonly graphs?: boolean | undefined;
}

/** A context of the native core as a backend, on whichever device it was opened. */
export abstract class NativeBackend extends Backend {
  readonly name: 'cpu' | 'cuda';
  readonly lost: Promise<F2iError>;

  readonly #native: NativeContext;
  readonly #opened: BackendInfo;
  /** `#opened` with the last remark of the device. */
  #remarked: BackendInfo | undefined;
  readonly #arguments = new Arguments();
  readonly #places = new Places();
  readonly #tokens: Tokens;
  /** Ops that the device has, as far as they have been asked for. */
  readonly #supported = new Map<string, true | string>();
  /** Of the ops that are recorded now. */
  #recorded: GraphPlaces | undefined;
  /** Tag of the next op; those below it have been enqueued. */
  #tag = 1;
  /** Failures that a wait has reported; while there are none, what has run needs no place any more. */
  #failures = 0;
  /** A buffer that nothing poisons, to wait for a point of the queue. */
  readonly #marker: number;
  #lose!: (error: F2iError) => void;

  /** @param describe what was opened, for `info` */
  protected constructor(opening: Opening, describe: (opened: NativeInfo) => BackendInfo) {
    super();
    const {
      device,
      threads = 0,
      isa = 'auto',
      memoryLimit = 0,
      index = 0,
      library,
      precision = 'f32',
      graphs = false,
    } = opening;
    this.name = device;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    const addon = loadAddon();
    try {
      this.#native = new addon.Context(
        this.#arguments.values,
        threads,
        ISAS.indexOf(isa),
        memoryLimit,
        DEVICES.indexOf(device),
        index,
        library,
        PRECISIONS.indexOf(precision),
      );
      this.#marker = this.#native.adopt(new ArrayBuffer(8), 8, 0);
      this.#opened = describe(this.#native.info());
    } catch (error) {
      throw translate(error, device);
    }
    this.#tokens = new Tokens(this.#native);
    if (graphs) this.record = (enqueue) => this.#record(enqueue);
  }

  /** What was opened, and what the device has found out about itself since. */
  get info(): BackendInfo {
    const remark = this.disposed ? '' : this.#native.remark();
    if (remark === '') return this.#opened;
    if (this.#remarked?.remarks?.[0] !== remark) this.#remarked = { ...this.#opened, remarks: [remark] };
    return this.#remarked!;
  }

  supports(op: OpSpec, inputs: readonly (TensorSpec | undefined)[], _attributes: Attributes): true | string {
    if (inputs.length >= MOST_OPERANDS)
      return `the ${this.name} backend takes fewer than ${MOST_OPERANDS} operands`;
    let supported = this.#supported.get(op.name);
    if (supported === undefined) {
      supported = this.#has(op.name) || `the ${this.name} backend has no ${op.name}`;
      this.#supported.set(op.name, supported);
    }
    return supported;
  }

  #has(op: string): boolean {
    return Object.hasOwn(encoders, op) && this.#now(() => this.#native.supports(op));
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
    this.assertNoBody('mapFile');
    const tag = this.#upload('map_file', this.mapFile);
    const handle = this.#now(() => this.#native.mapFile(path, offset, byteLength, tag));
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
    const tag = this.#upload('upload', this.write);
    this.#now(() => this.#native.write((target as NativeStorage).handle, 0, data, tag));
  }

  protected override adoptStorage(buffer: ArrayBuffer, dtype: DType): Storage {
    // An empty array has no memory to adopt.
    const memory = buffer.byteLength > 0 ? buffer : new ArrayBuffer(bytesPerElement(dtype));
    const tag = this.#upload('upload', this.adoptStorage);
    return storage(
      this.#now(() => this.#native.adopt(memory, memory.byteLength, tag)),
      memory.byteLength,
    );
  }

  protected override lendStorage(
    buffer: ArrayBuffer,
    bytes: number,
  ): { storage: Storage; returned: Promise<ArrayBuffer> } {
    const tag = this.#upload('upload', this.lendStorage);
    let handle = 0;
    const returned = new Promise<ArrayBuffer>((resolve) => {
      handle = this.#now(() => this.#native.adopt(buffer, bytes, tag, resolve));
    });
    this.#stayUntilHere();
    const lent: NativeStorage = { ...storage(handle, bytes), lent: true };
    return { storage: lent, returned };
  }

  /** The tag of a call that brings memory to the device, which may fail when its turn comes: as an op, it has a place. */
  #upload(op: string, below: (...args: never[]) => unknown): number {
    const place: { stack?: string } = {};
    Error.captureStackTrace(place, below);
    const tag = this.#tag++;
    this.#places.add({ tag, op, place, signal: undefined });
    return tag;
  }

  /** Keeps the process until the queue comes to this point, as a wait does: a promise of lent memory alone would not. */
  #stayUntilHere(): void {
    this.#native.wait(this.#marker).catch(() => {}); // what failed is told by the waits of users
  }

  protected enqueueChecked(call: OpCall): void {
    const tag = this.#tag++;
    const op = call.op.name;
    const entry = { tag, op, place: call.place, signal: call.signal };
    try {
      this.#arguments.begin(tag, this.#tokens.of(call.signal, tag));
      encoders[op]!(this.#native, this.#arguments, call);
    } catch (error) {
      throw this.#translated(error, entry);
    }
    (this.#recorded ?? this.#places).add(entry);
  }

  #record(enqueue: () => void): RecordedOps {
    const places = new GraphPlaces();
    this.#now(() => this.#native.beginGraph());
    this.#recorded = places;
    try {
      enqueue();
    } catch (error) {
      if (!this.disposed) this.#now(() => this.#native.dropGraph());
      throw error;
    } finally {
      this.#recorded = undefined;
    }
    const graph = this.#now(() => this.#native.endGraph());
    this.#places.keep(places);
    return {
      launch: (call) => this.#launch(graph, places, call),
      dispose: () => {
        this.#places.letGo(places);
        if (!this.disposed) this.#native.destroyGraph(graph);
      },
    };
  }

  #launch(graph: number, places: GraphPlaces, { signal }: LaunchCall): void {
    const tag = this.#tag++; // of no op: the signal is listened to until it has run
    this.#now(() => this.#native.launchGraph(graph, this.#tokens.of(signal, tag)));
    places.signal = signal;
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
    if (native.lent) this.#stayUntilHere();
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

  /** The public form of a native error. One that says that the device is lost resolves `lost`. */
  #translated(error: unknown, origin?: Enqueued | undefined): unknown {
    const translated = translate(error, this.name, origin);
    if (translated instanceof F2iError && translated.code === 'DEVICE_LOST') this.#lose(translated);
    return translated;
  }

  /** A native call outside of an op. */
  #now<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw this.#translated(error);
    }
  }

  /** A wait; when it settles, everything that was enqueued before it has run. */
  async #later<T>(call: () => Promise<T>): Promise<T> {
    const last = this.#tag - 1;
    try {
      return await call();
    } catch (error) {
      this.#failures++;
      throw this.#translated(error, isNativeError(error) ? this.#places.find(error.tag) : undefined);
    } finally {
      if (!this.disposed) this.#tokens.finished(last);
    }
  }
}

function storage(handle: number, byteLength: number): NativeStorage {
  return { references: 0, byteLength, handle };
}
