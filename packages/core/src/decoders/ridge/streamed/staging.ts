import { type MatrixSource, readBlocks, type Values } from '../../../data/matrix/matrix.ts';
import { type DType, dtypeOf } from '../../../dtype.ts';
import { throwIfAborted } from '../../../error.ts';
import type { Tensor } from '../../../tensor.ts';
import { asType, roundedFor } from '../matrices.ts';
import type { Context } from './context.ts';

/** Values of a block of columns as they were read: half precision as raw patterns. */
export interface HostBlock {
  readonly data: Values | Uint16Array;
  readonly dtype: DType;
}

/**
 * Host memory through which blocks of a source pass to the device: an array is lent to it, comes back, and is filled again.
 * New arrays for every block would cost page faults and garbage collections, as much time as some of the products.
 */
export class Staging {
  readonly #source: MatrixSource;
  readonly #context: Context;
  readonly #most: number;
  #free: ArrayBuffer[] = [];

  /** @param atOnce blocks that are read together */
  constructor(source: MatrixSource, atOnce: number, context: Context) {
    this.#source = source;
    this.#context = context;
    // One set of blocks is read while another is computed and a third one comes back.
    this.#most = 3 * atOnce;
  }

  /** Neighbouring blocks of columns of some rows. */
  async read(rows: ArrayLike<number>, edges: readonly number[]): Promise<HostBlock[]> {
    const { signal } = this.#context;
    throwIfAborted(signal, 'the ridge');
    const { halves } = this.#source;
    const offered = this.#free.splice(0, edges.length - 1);
    const blocks = halves
      ? await halves.readBlocks(rows, edges, signal, viewsOf(Uint16Array, offered))
      : await this.#readValues(rows, edges, offered);
    for (const buffer of offered) if (!blocks.some((block) => block.buffer === buffer)) this.#keep(buffer);
    return blocks.map((data) => ({ data, dtype: halves?.dtype ?? dtypeOf(data) }));
  }

  /** Enqueues the block as a tensor [rows, columns] of the type. */
  upload({ data, dtype: stored }: HostBlock, shape: readonly number[], dtype: DType): Tensor {
    const { backend, options } = this.#context;
    const values = stored === 'f64' ? roundedFor(dtype, data as Values) : data;
    const { tensor, returned } = backend.lend(
      ownBuffer(values),
      shape,
      values === data ? stored : dtypeOf(values),
    );
    // It never comes back from a backend that was disposed.
    void returned.then((buffer) => this.#keep(buffer));
    const converted = asType(tensor, dtype, options);
    if (converted !== tensor) tensor.dispose();
    return converted;
  }

  async #readValues(
    rows: ArrayLike<number>,
    edges: readonly number[],
    offered: readonly ArrayBuffer[],
  ): Promise<Values[]> {
    const into: Values[] = this.#wide ? viewsOf(Float64Array, offered) : viewsOf(Float32Array, offered);
    const blocks = await readBlocks(this.#source, rows, edges, this.#context.signal, into);
    this.#wide = blocks[0] instanceof Float64Array;
    return blocks;
  }

  /** Did the source give float64 so far? */
  #wide = false;

  #keep(buffer: ArrayBuffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer);
  }
}

function viewsOf<T>(Type: { new (buffer: ArrayBuffer): T }, buffers: readonly ArrayBuffer[]): T[] {
  return buffers.map((buffer) => new Type(buffer));
}

/** The memory of an array, which lies at its beginning: a copy where it does not. */
function ownBuffer(values: Values | Uint16Array): ArrayBuffer {
  const { buffer, byteOffset } = values;
  if (byteOffset === 0 && buffer instanceof ArrayBuffer) return buffer;
  return values.slice().buffer as ArrayBuffer;
}
