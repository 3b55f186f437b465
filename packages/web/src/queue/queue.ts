import { type ErrorCode, F2iError, formatPlace } from '@fmri2image/core';
import { BufferUsage, MAP_READ } from '../gpu.ts';
import { Batch, StatusPages, UniformSlots } from './batch.ts';
import { type Command, type GpuStorage, OpRun, type Pending } from './commands.ts';
import { PipelineCache } from './pipelines.ts';
import type { PooledBuffer } from './pool.ts';
import type { Program } from './program.ts';
import { Waiters } from './waiters.ts';

/** Batches that the device may have before it: enough to stay busy, few enough for an abort to be felt. */
const MAX_IN_FLIGHT = 3;
/** A batch should keep the device busy for about this long, in milliseconds. */
const BATCH_MS = [8, 30] as const;
/** Commands that may wait before the first batch goes out without waiting for the end of the caller's turn. */
const EAGER_COMMANDS = 192;
/** Uploads that may be under way at once before `room()` waits. */
const MAX_UPLOAD_BYTES = 256 * 2 ** 20;

const LARGEST_STAGING = 64 * 2 ** 20;

/**
 * The in-order queue. Commands are recorded at once and handed to the device in batches: at the end of the caller's
 * turn, a few batches ahead of the device. What has not been handed over can still be dropped by an abort, and an op
 * whose input has failed is not run.
 */
export class Queue {
  readonly #device: GPUDevice;
  readonly #pipelines: PipelineCache;
  readonly #uniforms: UniformSlots;
  readonly #statusPages: StatusPages;
  readonly #waiters = new Waiters();

  #commands: Command[] = [];
  #head = 0;
  /** Sequence number of the next recorded command; those below `#handedOver` are the device's. */
  #recorded = 1;
  #handedOver = 1;
  #scheduled = false;

  #inFlight = 0;
  /** Bytes of uploads that the device may not have taken yet, and those of them that nothing waits for. */
  #uploading = 0;
  #unmarked = 0;
  readonly #unsettled = new Set<Batch>();
  /** Work of the next batch, adapted to the speed of the device. */
  #budget: number;
  #lastDone = 0;
  #firstFailure: { failure: F2iError; sequence: number } | undefined;
  /** Resolved when all that was recorded before has been handed over. */
  readonly #drained: { sequence: number; resolve(): void }[] = [];

  /** @param budget flops of the first batch */
  constructor(device: GPUDevice, budget: number) {
    this.#device = device;
    this.#budget = budget;
    this.#pipelines = new PipelineCache(device);
    this.#uniforms = new UniformSlots(device, this.#pipelines.plainLayout);
    this.#statusPages = new StatusPages(device, this.#pipelines.statusLayout, this.#uniforms);
  }

  // ---- recording ------------------------------------------------------------------------------------------------

  push(command: Command): void {
    const sequence = this.#recorded++;
    this.#commands.push(command);
    if (command.kind === 'dispatch' || command.kind === 'series') {
      for (const { buffer } of command.bindings) buffer.lastUse = sequence;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#pump();
      });
    } else if (isWhole(command) && this.#commands.length - this.#head >= EAGER_COMMANDS) {
      this.#pump();
    }
  }

  /** Copies bytes into a buffer, after everything recorded so far that uses it. */
  write(buffer: PooledBuffer, bytes: Uint8Array<ArrayBuffer>): void {
    this.#uploading += bytes.byteLength;
    this.#unmarked += bytes.byteLength;
    if (this.#unmarked > MAX_UPLOAD_BYTES / 16) this.#markUploads();
    if (buffer.lastUse < this.#handedOver) {
      const whole = bytes.byteLength & ~3;
      this.#device.queue.writeBuffer(buffer.gpu, 0, bytes, 0, whole);
      if (whole < bytes.byteLength) {
        const tail = new Uint8Array(4);
        tail.set(bytes.subarray(whole));
        this.#device.queue.writeBuffer(buffer.gpu, whole, tail);
      }
      return;
    }
    const size = (bytes.byteLength + 3) & ~3;
    const staging = this.#device.createBuffer({ size, usage: BufferUsage.COPY_SRC, mappedAtCreation: true });
    new Uint8Array(staging.getMappedRange()).set(bytes);
    staging.unmap();
    this.#copy(undefined, staging, 0, buffer, 0, size);
    this.push({ kind: 'destroy', buffer: staging });
  }

  /** Copies bytes between buffers, as a part of an op. */
  copy(
    op: OpRun,
    from: PooledBuffer,
    fromOffset: number,
    to: PooledBuffer,
    toOffset: number,
    bytes: number,
  ): void {
    from.lastUse = this.#recorded;
    this.#copy(op, from.gpu, fromOffset, to, toOffset, bytes);
  }

  #copy(
    op: OpRun | undefined,
    from: GPUBuffer,
    fromOffset: number,
    to: PooledBuffer,
    toOffset: number,
    bytes: number,
  ): void {
    to.lastUse = this.#recorded;
    this.push({ kind: 'copy', op, from, fromOffset, to: to.gpu, toOffset, bytes });
  }

  // ---- waiting --------------------------------------------------------------------------------------------------

  /** Bytes [start, start + bytes) of a storage, after everything recorded so far; rejects if they have failed. */
  async read(storage: GpuStorage, start: number, bytes: number): Promise<ArrayBuffer> {
    const op = new OpRun('download', {}, undefined, [storage], []);
    const first = start & ~3;
    const end = (start + bytes + 3) & ~3;
    const parts: { staging: GPUBuffer; size: number }[] = [];
    this.push({ kind: 'begin', op });
    if (storage.buffer) {
      for (let at = first; at < end; at += LARGEST_STAGING) {
        const size = Math.min(LARGEST_STAGING, end - at);
        const staging = this.#device.createBuffer({
          size: size + 4,
          usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
        });
        parts.push({ staging, size });
        const common = { kind: 'copy', op, to: staging } as const;
        this.push({ ...common, from: storage.buffer.gpu, fromOffset: at, toOffset: 0, bytes: size });
        storage.buffer.lastUse = this.#recorded - 1;
        // The batch's serial number behind the data proves that the copy was really run.
        this.push({ ...common, ...this.#uniforms.serialSource, toOffset: size, bytes: 4 });
      }
    }
    this.push({ kind: 'end', op });
    try {
      await this.#handedOverAll();
      const batch = op.batch;
      this.#throwIfFailed(storage);
      if (batch) await this.#waiters.until(batch.done);
      await this.#settle(storage.pending ?? []);
      this.#throwIfFailed(storage);
      const result = new Uint8Array(end - first);
      let at = 0;
      for (const { staging, size } of parts) {
        await this.#waiters.until(staging.mapAsync(MAP_READ));
        const mapped = staging.getMappedRange();
        const serial = new Uint32Array(mapped, size, 1)[0];
        if (serial !== batch?.serial) {
          throw this.#waiters.ended ?? internal('the device did not run a download', 'download');
        }
        result.set(new Uint8Array(mapped, 0, size), at);
        at += size;
      }
      return result.buffer.slice(start - first, start - first + bytes);
    } finally {
      for (const { staging } of parts) staging.destroy();
    }
  }

  prepare(programs: Iterable<Program>): Promise<void> {
    const compiled = this.#pipelines.prepare(programs).catch((cause: Error) => {
      throw new F2iError('INTERNAL', `a shader does not compile: ${cause.message}`, {
        backend: 'webgpu',
        cause,
      });
    });
    return this.#waiters.until(compiled);
  }

  /** Everything recorded so far has run. Rejects with the first failure since the last call. */
  async idle(): Promise<void> {
    await this.#handedOverAll();
    await this.#settle(this.#unsettled);
    const first = this.#firstFailure;
    this.#firstFailure = undefined;
    if (first) throw first.failure;
  }

  /** Waits while more uploads or batches are under way than the device should have before it. */
  async room(bytes: number): Promise<void> {
    await this.#handedOverAll();
    while (this.#uploading > 0 && this.#uploading + bytes > MAX_UPLOAD_BYTES) {
      this.#markUploads();
      await this.#waiters.until(this.#device.queue.onSubmittedWorkDone());
    }
  }

  #markUploads(): void {
    const bytes = this.#unmarked;
    this.#unmarked = 0;
    const arrived = () => {
      this.#uploading -= bytes;
    };
    if (bytes > 0) this.#device.queue.onSubmittedWorkDone().then(arrived, arrived);
  }

  #throwIfFailed(storage: GpuStorage): void {
    if (this.#waiters.ended) throw this.#waiters.ended;
    const failure = storage.verdict();
    if (failure) throw failure;
  }

  async #settle(pending: Iterable<Pending>): Promise<void> {
    const batches = [...pending].filter((part) => part instanceof Batch);
    const ops = [...pending].filter((part) => part instanceof OpRun);
    for (const op of ops) if (op.batch) batches.push(op.batch);
    await Promise.all(batches.map((batch) => this.#waiters.until(batch.done)));
  }

  #handedOverAll(): Promise<void> {
    this.#pump();
    if (this.#head >= this.#commands.length) return this.#waiters.until(Promise.resolve());
    return this.#waiters.until(
      new Promise((resolve) => this.#drained.push({ sequence: this.#recorded, resolve })),
    );
  }

  // ---- the end --------------------------------------------------------------------------------------------------

  /** Drops what has not been handed over; every wait, now and later, rejects with the error. */
  end(error: F2iError): void {
    const dropped = this.#commands.slice(this.#head);
    this.#commands = [];
    this.#head = 0;
    this.#handedOver = this.#recorded;
    this.#waiters.end(error);
    for (const command of dropped) if (command.kind === 'destroy') command.buffer.destroy();
  }

  destroyBuffers(): void {
    this.#uniforms.destroy();
    this.#statusPages.destroy();
  }

  // ---- handing over ---------------------------------------------------------------------------------------------

  #pump(): void {
    if (this.#waiters.ended) {
      this.end(this.#waiters.ended);
      return;
    }
    while (this.#head < this.#commands.length && this.#inFlight < MAX_IN_FLIGHT) this.#submit();
    if (this.#head >= this.#commands.length) {
      this.#commands = [];
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#commands = this.#commands.slice(this.#head);
      this.#head = 0;
    }
    while (this.#drained.length > 0 && this.#drained[0]!.sequence <= this.#handedOver) {
      this.#drained.shift()!.resolve();
    }
  }

  /** Builds one batch from the head of the queue and submits it. */
  #submit(): void {
    const batch = new Batch(this.#device, this.#pipelines, this.#uniforms, this.#statusPages);
    const doomed: GPUBuffer[] = [];
    let cost = 0;
    for (let command = this.#peek(); command; command = this.#peek()) {
      if (command.kind === 'dispatch') {
        if (!batch.accepts(command.op) || (cost > 0 && cost + command.cost > this.#budget)) break;
      }
      this.#take();
      switch (command.kind) {
        case 'begin':
          this.#admit(command.op, batch);
          break;
        case 'end':
          this.#finish(command.op, batch);
          break;
        case 'dispatch':
          if (this.#alive(command.op)) {
            batch.dispatch(command);
            cost += command.cost;
          }
          break;
        case 'copy':
          if (!command.op || this.#alive(command.op)) batch.copy(command);
          break;
        case 'destroy':
          doomed.push(command.buffer);
      }
    }
    const started = performance.now();
    this.#inFlight++;
    this.#unsettled.add(batch);
    batch.submit((failure, op) => this.note(failure, op));
    for (const buffer of doomed) buffer.destroy();
    const next = () => {
      this.#inFlight--;
      this.#unsettled.delete(batch);
      this.#adapt(cost, performance.now() - Math.max(started, this.#lastDone));
      this.#lastDone = performance.now();
      this.#pump();
    };
    batch.done.then(next, next);
  }

  /** The next command; of a series, its next dispatch. */
  #peek(): Exclude<Command, { kind: 'series' }> | undefined {
    for (let command = this.#commands[this.#head]; command; command = this.#commands[this.#head]) {
      if (command.kind !== 'series') return command;
      if (this.#alive(command.op)) {
        command.next ??= command.dispatches.next().value;
        if (command.next) return command.next;
      }
      this.#head++;
      this.#handedOver++;
    }
    return undefined;
  }

  /** Takes what `#peek` has shown. */
  #take(): void {
    const command = this.#commands[this.#head]!;
    if (command.kind === 'series') {
      delete command.next;
      return;
    }
    this.#head++;
    this.#handedOver++;
  }

  /** Judges an op when its turn comes: aborted, or computed from something that has failed, it is not run. */
  #admit(op: OpRun, batch: Batch): void {
    if (!this.#alive(op)) return;
    for (const input of op.inputs) {
      const failure = input.verdict();
      if (failure) {
        op.fail(failure);
        return;
      }
    }
    for (const output of op.outputs) {
      if (output.failure) {
        op.fail(this.#placed(output.failure, op));
        return;
      }
      output.pending = new Set();
      for (const input of op.inputs) for (const part of input.pending ?? []) output.pending.add(part);
      output.pending.add(batch);
      if (op.explain) output.pending.add(op);
    }
  }

  #finish(op: OpRun, batch: Batch): void {
    if (op.failure) return;
    op.batch = batch;
    batch.ended.push(op);
  }

  #alive(op: OpRun): boolean {
    if (op.failure) return false;
    if (!op.signal?.aborted) return true;
    const failure = failureOf('CANCELLED', 'cancelled while it was queued', op, op.signal.reason);
    op.fail(failure);
    this.note(failure, op);
    return false;
  }

  /** An allocation failure, told with the op whose result has no room. */
  #placed(failure: F2iError, op: OpRun): F2iError {
    if (failure.op !== undefined || failure.code !== 'OUT_OF_MEMORY') return failure;
    const { expected, found, cause } = failure;
    const placed = new F2iError(failure.code, 'no room for its result', {
      op: op.name,
      backend: 'webgpu',
      expected,
      found,
      place: formatPlace(op.place),
      cause,
    });
    for (const output of op.outputs) if (output.failure) output.failure = placed;
    this.note(placed, op);
    return placed;
  }

  /** Keeps the failure that came first in the queue, not the one that was heard of first. */
  note(failure: F2iError, op: OpRun | undefined): void {
    const sequence = op?.sequence ?? 0;
    if (this.#firstFailure && this.#firstFailure.sequence <= sequence) return;
    this.#firstFailure = { failure, sequence };
  }

  #adapt(cost: number, elapsed: number): void {
    if (cost < this.#budget / 2) return;
    const [least, most] = BATCH_MS;
    if (elapsed < least) this.#budget = Math.min(this.#budget * 2, 1e13);
    else if (elapsed > most) this.#budget = Math.max(this.#budget / 2, 1e6);
  }
}

/**
 * Whether what was recorded so far ends with it. What an op copies must not be torn from its end: a download knows by the
 * batch of its end that its copies were run.
 */
function isWhole({ kind }: Command): boolean {
  return kind === 'end' || kind === 'destroy';
}

export function failureOf(code: ErrorCode, message: string, op: OpRun, cause?: unknown): F2iError {
  return new F2iError(code, message, {
    op: op.name,
    backend: 'webgpu',
    place: formatPlace(op.place),
    cause,
  });
}

function internal(message: string, op: string): F2iError {
  return new F2iError('INTERNAL', message, { op, backend: 'webgpu' });
}
