import { BufferUsage } from '../gpu.ts';

/** A GPU buffer and the last place in the queue that uses it. */
export interface PooledBuffer {
  readonly gpu: GPUBuffer;
  /** Bytes of its size class. */
  readonly size: number;
  /** Sequence number of the last recorded command that touches it; 0 for none. */
  lastUse: number;
}

const SMALLEST = 256;
const USAGE = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/** Four classes per power of two: at most a fifth of a buffer is slack. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST) return SMALLEST;
  const quarter = 2 ** Math.floor(Math.log2(bytes - 1)) / 4;
  const step = Math.max(quarter, SMALLEST);
  return Math.ceil(bytes / step) * step;
}

/**
 * Buffers by size class. Commands are recorded and run in one order, so a buffer that is released in that order can
 * be handed out again at once: whatever still reads it comes earlier in the queue.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #free = new Map<number, PooledBuffer[]>();
  #freeBytes = 0;
  #heldBytes = 0;
  #peakBytes = 0;
  /** Called with buffers that are to be destroyed in queue order. */
  readonly #retire: (buffer: PooledBuffer) => void;
  readonly ceiling: number;
  /** Free buffers kept for reuse. */
  readonly #keepBytes: number;

  constructor(device: GPUDevice, ceiling: number, keepBytes: number, retire: (buffer: PooledBuffer) => void) {
    this.#device = device;
    this.ceiling = ceiling;
    this.#keepBytes = keepBytes;
    this.#retire = retire;
  }

  /** Bytes in use, without those kept for reuse. */
  get liveBytes(): number {
    return this.#heldBytes - this.#freeBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Undefined where the ceiling has no room; `failed` is called later if the device had none. */
  take(bytes: number, failed: (error: GPUError) => void): PooledBuffer | undefined {
    const size = sizeClass(bytes);
    const kept = this.#free.get(size)?.pop();
    if (kept) {
      this.#freeBytes -= size;
      this.#note();
      return kept;
    }
    if (this.#heldBytes + size > this.ceiling) this.#trim(this.ceiling - size);
    if (this.#heldBytes + size > this.ceiling) return undefined;
    this.#device.pushErrorScope('out-of-memory');
    const gpu = this.#device.createBuffer({ size, usage: USAGE });
    this.#device.popErrorScope().then(
      (error) => error && failed(error),
      () => {}, // the device was lost: every wait says so
    );
    this.#heldBytes += size;
    this.#note();
    return { gpu, size, lastUse: 0 };
  }

  give(buffer: PooledBuffer): void {
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
    this.#freeBytes += buffer.size;
    if (this.#freeBytes > this.#keepBytes) this.#trim(this.#heldBytes - (this.#freeBytes - this.#keepBytes));
  }

  clear(): void {
    this.#trim(0);
  }

  /** Retires free buffers, the largest first, until no more than `target` bytes are held. */
  #trim(target: number): void {
    const sizes = [...this.#free.keys()].sort((a, b) => b - a);
    for (const size of sizes) {
      const list = this.#free.get(size)!;
      while (this.#heldBytes > target && list.length > 0) {
        this.#heldBytes -= size;
        this.#freeBytes -= size;
        this.#retire(list.pop()!);
      }
    }
  }

  #note(): void {
    if (this.liveBytes > this.#peakBytes) this.#peakBytes = this.liveBytes;
  }
}
