import { type MatrixSource, readBlocks, type Values } from '../../../data/matrix/matrix.ts';
import { type DType, dtypeOf } from '../../../dtype.ts';
import type { Tensor } from '../../../tensor.ts';
import type { Context } from './context.ts';
import type { HostPool } from './hostPool.ts';

/** Values of a block of columns as they were read: half precision as raw patterns. */
export interface HostBlock {
  readonly data: Values | Uint16Array;
  readonly dtype: DType;
}

/** Reads blocks of a source, through the same memory, and uploads them. */
export class Staging {
  readonly #source: MatrixSource;
  readonly #signal: AbortSignal | undefined;
  readonly #pool: HostPool;
  /** One set of blocks is read while another one is computed. */
  readonly #most: number;
  /** Bytes of a block so far: arrays of voxels may be larger. */
  #largest = 0;
  /** Did the source give float64 so far? */
  #wide = false;

  /** @param atOnce blocks that are read together */
  constructor(source: MatrixSource, atOnce: number, context: Context) {
    this.#source = source;
    this.#signal = context.signal;
    this.#pool = context.host;
    this.#most = 2 * atOnce;
  }

  /** Neighbouring blocks of columns of some rows. */
  async read(rows: ArrayLike<number>, edges: readonly number[]): Promise<HostBlock[]> {
    const { halves } = this.#source;
    const offered = this.#pool.take(edges.length - 1);
    const blocks = halves
      ? await halves.readBlocks(rows, edges, this.#signal, viewsOf(Uint16Array, offered))
      : await this.#readValues(rows, edges, offered);
    this.#largest = Math.max(this.#largest, ...blocks.map(({ byteLength }) => byteLength));
    this.#pool.limit(this.#most, this.#largest);
    for (const buffer of offered) {
      if (!blocks.some((block) => block.buffer === buffer)) this.#pool.keep(buffer);
    }
    return blocks.map((data) => ({ data, dtype: halves?.dtype ?? dtypeOf(data) }));
  }

  /** Enqueues the block as a tensor [rows, columns] of the type. */
  upload({ data, dtype: stored }: HostBlock, shape: readonly number[], dtype: DType): Tensor {
    return this.#pool.upload(data, stored, shape, dtype);
  }

  async #readValues(
    rows: ArrayLike<number>,
    edges: readonly number[],
    offered: readonly ArrayBuffer[],
  ): Promise<Values[]> {
    const into: Values[] = this.#wide ? viewsOf(Float64Array, offered) : viewsOf(Float32Array, offered);
    const blocks = await readBlocks(this.#source, rows, edges, this.#signal, into);
    this.#wide = blocks[0] instanceof Float64Array;
    return blocks;
  }
}

/** Whole elements of each. */
function viewsOf<T>(
  Type: { new (buffer: ArrayBuffer, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  buffers: readonly ArrayBuffer[],
): T[] {
  return buffers.map((buffer) => new Type(buffer, 0, Math.floor(buffer.byteLength / Type.BYTES_PER_ELEMENT)));
}
