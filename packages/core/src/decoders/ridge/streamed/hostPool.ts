import type { Backend } from '../../../backend.ts';
import type { Values } from '../../../data/matrix/matrix.ts';
import { type DType, dtypeOf } from '../../../dtype.ts';
import type { OpOptions } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import { asType, roundedFor } from '../matrices.ts';

/**
 * Host memory through which blocks pass to the device: an array is lent to it, comes back, and is filled again. New arrays
 * for every block would cost page faults and garbage collections, as much time as some of the products.
 */
export class HostPool {
  readonly #backend: Backend;
  readonly #options: OpOptions;
  /** By descending size. */
  #free: ArrayBuffer[] = [];
  #most = 3;
  #largest = Number.POSITIVE_INFINITY;

  constructor(backend: Backend, options: OpOptions) {
    this.#backend = backend;
    this.#options = options;
  }

  /** Keeps at most so many arrays for later, none of more bytes: what a plan of memory counts. */
  limit(most: number, largest: number): void {
    this.#most = most;
    this.#largest = largest;
    this.#free = this.#free.filter(({ byteLength }) => byteLength <= largest).slice(0, most);
  }

  /** Up to so many arrays that have come back, the largest ones. */
  take(count: number): ArrayBuffer[] {
    return this.#free.splice(0, count);
  }

  /** For arrays that were taken and not lent. */
  keep(buffer: ArrayBuffer): void {
    if (buffer.byteLength > this.#largest) return;
    this.#free.push(buffer);
    this.#free.sort((a, b) => b.byteLength - a.byteLength);
    this.#free.length = Math.min(this.#free.length, this.#most);
  }

  /**
   * Enqueues values as a tensor of the type of the computation. Their memory is detached.
   *
   * @param stored their type; half precision comes as raw patterns
   */
  upload(data: Values | Uint16Array, stored: DType, shape: readonly number[], dtype: DType): Tensor {
    const values = stored === 'f64' ? roundedFor(dtype, data as Values) : data;
    if (values !== data) {
      // A rounded copy is too short for the next block; the array that was read is not.
      if (data.buffer instanceof ArrayBuffer) this.keep(data.buffer);
      return this.#backend.adopt(ownBuffer(values), shape, dtypeOf(values));
    }
    const { tensor, returned } = this.#backend.lend(ownBuffer(values), shape, stored);
    // It never comes back from a backend that was disposed.
    void returned.then((buffer) => this.keep(buffer));
    const converted = asType(tensor, dtype, this.#options);
    if (converted !== tensor) tensor.dispose();
    return converted;
  }
}

/** The memory of an array that lies at its beginning; a copy where it does not. */
function ownBuffer(values: Values | Uint16Array): ArrayBuffer {
  const { buffer, byteOffset } = values;
  if (byteOffset === 0 && buffer instanceof ArrayBuffer) return buffer;
  return values.slice().buffer as ArrayBuffer;
}
