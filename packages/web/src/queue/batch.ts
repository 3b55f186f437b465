import { F2iError } from '@fmri2image/core';
import { BufferUsage, MAP_READ } from '../gpu.ts';
import type { Command, OpRun, Pending } from './commands.ts';
import { type PipelineCache, STATUS_BYTES } from './pipelines.ts';
import { PARAM_WORDS } from './program.ts';

/** Dispatches of one batch: the slots of the uniform buffer. */
const MAX_DISPATCHES = 128;
/** Ops of one batch that can fail on their values. */
const MAX_STATUS = 32;
const SLOT_BYTES = PARAM_WORDS * 4;
/** Words of a failure slot that shaders write. */
const STATUS_WORDS = 4;

/**
 * The params of a batch's dispatches. One buffer serves all batches: it is rewritten in queue order, before the
 * batch that reads it. The last slot holds the serial number of the batch.
 */
export class UniformSlots {
  readonly words = new Uint32Array(MAX_DISPATCHES * PARAM_WORDS);
  readonly buffer: GPUBuffer;
  readonly bindGroup: GPUBindGroup;
  readonly #queue: GPUQueue;

  constructor(device: GPUDevice, layout: GPUBindGroupLayout) {
    this.#queue = device.queue;
    this.buffer = device.createBuffer({
      size: (MAX_DISPATCHES + 1) * SLOT_BYTES,
      usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST | BufferUsage.COPY_SRC,
    });
    this.bindGroup = device.createBindGroup({ layout, entries: [this.entry] });
  }

  get entry(): GPUBindGroupEntry {
    return { binding: 0, resource: { buffer: this.buffer, size: SLOT_BYTES } };
  }

  get serialSource(): { from: GPUBuffer; fromOffset: number } {
    return { from: this.buffer, fromOffset: MAX_DISPATCHES * SLOT_BYTES };
  }

  upload(dispatches: number, serial: number): void {
    if (dispatches > 0) this.#queue.writeBuffer(this.buffer, 0, this.words, 0, dispatches * PARAM_WORDS);
    this.#queue.writeBuffer(this.buffer, MAX_DISPATCHES * SLOT_BYTES, new Uint32Array([serial]));
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

interface StatusPage {
  readonly buffer: GPUBuffer;
  readonly staging: GPUBuffer;
  readonly bindGroup: GPUBindGroup;
}

/** Failure slots of the ops of a batch, and the buffers through which they are read back. */
export class StatusPages {
  readonly #all: StatusPage[] = [];
  readonly #free: StatusPage[] = [];
  readonly #device: GPUDevice;
  readonly #layout: GPUBindGroupLayout;
  readonly #uniforms: UniformSlots;

  constructor(device: GPUDevice, layout: GPUBindGroupLayout, uniforms: UniformSlots) {
    this.#device = device;
    this.#layout = layout;
    this.#uniforms = uniforms;
  }

  take(): StatusPage {
    const free = this.#free.pop();
    if (free) return free;
    const size = MAX_STATUS * STATUS_BYTES;
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ: READ } = BufferUsage;
    const buffer = this.#device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    const page = {
      buffer,
      staging: this.#device.createBuffer({ size, usage: READ | COPY_DST }),
      bindGroup: this.#device.createBindGroup({
        layout: this.#layout,
        entries: [this.#uniforms.entry, { binding: 1, resource: { buffer, size: STATUS_BYTES } }],
      }),
    };
    this.#all.push(page);
    return page;
  }

  give(page: StatusPage): void {
    this.#free.push(page);
  }

  destroy(): void {
    for (const { buffer, staging } of this.#all) {
      buffer.destroy();
      staging.destroy();
    }
  }
}

let nextSerial = 1;

/** Commands that are submitted together, and what became of them. */
export class Batch implements Pending {
  /** From 1, as a word: it travels through the device. */
  readonly serial = nextSerial++ >>> 0;
  failure: F2iError | undefined;
  settled = false;
  /** Resolves, never rejects, when the batch has run and its failures are known. */
  done: Promise<void> = Promise.resolve();
  dispatches = 0;

  /** Ops that end here. */
  readonly ended: OpRun[] = [];
  readonly #touched = new Set<OpRun>();
  readonly #slots: OpRun[] = [];
  #page: StatusPage | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;

  readonly #device: GPUDevice;
  readonly #pipelines: PipelineCache;
  readonly #uniforms: UniformSlots;
  readonly #statusPages: StatusPages;

  constructor(device: GPUDevice, pipelines: PipelineCache, uniforms: UniformSlots, pages: StatusPages) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#uniforms = uniforms;
    this.#statusPages = pages;
    device.pushErrorScope('internal');
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
  }

  /** Whether there is a slot for one more dispatch of the op. */
  accepts(op: OpRun): boolean {
    if (this.dispatches === MAX_DISPATCHES) return false;
    return !op.explain || this.#slots.length < MAX_STATUS || this.#slots.includes(op);
  }

  dispatch({ op, program, bindings, params, groups }: Command & { kind: 'dispatch' }): void {
    this.#touch(op);
    const slot = program.status ? this.#statusSlot(op) : 0;
    this.#uniforms.words.set(params, this.dispatches * PARAM_WORDS);
    this.#pass ??= this.#commands.beginComputePass();
    const pass = this.#pass;
    pass.setPipeline(this.#pipelines.get(program));
    const uniformOffset = this.dispatches++ * SLOT_BYTES;
    if (program.status) pass.setBindGroup(0, this.#page!.bindGroup, [uniformOffset, slot * STATUS_BYTES]);
    else pass.setBindGroup(0, this.#uniforms.bindGroup, [uniformOffset]);
    const entries = bindings.map(({ buffer, offset, size }, binding) => ({
      binding,
      resource: { buffer: buffer.gpu, offset, size },
    }));
    const layout = this.#pipelines.storageLayout(program.access);
    pass.setBindGroup(1, this.#device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(...groups);
  }

  copy({ op, from, fromOffset, to, toOffset, bytes }: Command & { kind: 'copy' }): void {
    if (op) this.#touch(op);
    this.#endPass();
    this.#commands.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
  }

  /** Hands everything to the device. `note` hears of failures of the batch and of its ops. */
  submit(note: (failure: F2iError, op: OpRun | undefined) => void): void {
    this.#endPass();
    const page = this.#page;
    let status: Promise<Uint32Array> | undefined;
    const work: Promise<unknown>[] = [];
    if (this.#encoder) {
      const used = this.#slots.length * STATUS_BYTES;
      if (page) this.#encoder.copyBufferToBuffer(page.buffer, 0, page.staging, 0, used);
      this.#uniforms.upload(this.dispatches, this.serial);
      this.#device.queue.submit([this.#encoder.finish()]);
      if (page) {
        status = page.staging.mapAsync(MAP_READ, 0, used).then(() => {
          const words = new Uint32Array(page.staging.getMappedRange(0, used)).slice();
          page.staging.unmap();
          this.#statusPages.give(page);
          return words;
        });
      }
      work.push(this.#device.queue.onSubmittedWorkDone());
    }
    const scopes = [1, 2, 3].map(() => this.#device.popErrorScope());
    // Failing promises mean a lost device, which every wait reports by itself.
    this.done = Promise.allSettled([Promise.all(scopes), status, ...work]).then(([errors, words]) => {
      const error =
        errors.status === 'fulfilled' ? (errors.value as (GPUError | null)[]).find(Boolean) : null;
      if (error) this.#fail(error, note);
      if (words.status === 'fulfilled' && words.value) this.#judge(words.value as Uint32Array, note);
      for (const op of this.ended) op.settle();
      this.settled = true;
      // Tensors may remember this batch for long: it must not hold on to what they were made from.
      this.#touched.clear();
      this.ended.length = 0;
      this.#slots.length = 0;
      this.#encoder = undefined;
    });
  }

  #fail(error: GPUError, note: (failure: F2iError, op: OpRun | undefined) => void): void {
    const names = [...new Set([...this.#touched].map((op) => op.name))].join(', ');
    const memory = 'GPUOutOfMemoryError' in globalThis && error instanceof GPUOutOfMemoryError;
    const code = memory || /out of memory/i.test(error.message) ? 'OUT_OF_MEMORY' : 'INTERNAL';
    this.failure = new F2iError(code, `the device rejected a batch of work (${names}): ${error.message}`, {
      backend: 'webgpu',
      cause: error,
    });
    note(this.failure, [...this.#touched][0]);
    for (const op of this.#touched) op.fail(this.failure);
  }

  #judge(words: Uint32Array, note: (failure: F2iError, op: OpRun | undefined) => void): void {
    this.#slots.forEach((op, slot) => {
      const status = words.subarray((slot * STATUS_BYTES) / 4).subarray(0, STATUS_WORDS);
      op.progress = status[3]!;
      if (status[0] === 0 || op.failure) return;
      const failure = op.explain!(status);
      note(failure, op);
      op.fail(failure);
    });
  }

  /** Remembers that the op's outputs depend on this batch. */
  #touch(op: OpRun): void {
    if (this.#touched.has(op)) return;
    this.#touched.add(op);
    for (const output of op.outputs) output.pending?.add(this);
  }

  #statusSlot(op: OpRun): number {
    const known = this.#slots.indexOf(op);
    if (known >= 0) return known;
    if (!this.#page) {
      this.#page = this.#statusPages.take();
      this.#endPass();
      this.#commands.clearBuffer(this.#page.buffer);
    }
    return this.#slots.push(op) - 1;
  }

  get #commands(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}
