import type { Values } from '../../../data/matrix/matrix.ts';
import { type DType, dtypeOf } from '../../../dtype.ts';
import type { Tensor } from '../../../tensor.ts';
import { asType, roundedFor } from '../matrices.ts';
import type { Context } from './context.ts';

/**
 * Host memory through which blocks pass to the device: an array is lent to it, comes back, and is filled again. New arrays
 * for every block would cost page faults and garbage collections, as much time as some of the products.
 */
export class HostPool {
  readonly #context: Context;
  readonly #most: number;
  readonly #free: ArrayBuffer[] = [];

  /** @param most arrays that are kept for later */
  constructor(most: number, context: Context) {
    this.#most = most;
    this.#context = context;
  }

  /** Up to so many arrays that have come back. */
  take(count: number): ArrayBuffer[] {
    return this.#free.splice(0, count);
  }

  /** For arrays that were taken and not lent. */
  keep(buffer: ArrayBuffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer);
  }

  /**
   * Enqueues values as a tensor of the type of the computation. Their memory is detached.
   *
   * @param stored their type; half precision comes as raw patterns
   */
  upload(data: Values | Uint16Array, stored: DType, shape: readonly number[], dtype: DType): Tensor {
    const { backend, options } = this.#context;
    const values = stored === 'f64' ? roundedFor(dtype, data as Values) : data;
    const type = values === data ? stored : dtypeOf(values);
    const { tensor, returned } = backend.lend(ownBuffer(values), shape, type);
    // It never comes back from a backend that was disposed.
    void returned.then((buffer) => this.keep(buffer));
    const converted = asType(tensor, dtype, options);
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
