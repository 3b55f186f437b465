import { type MatrixSource, readBlocks, type Values } from '../../../data/matrix/matrix.ts';
import { type DType, dtypeOf } from '../../../dtype.ts';
import { gather, type OpOptions } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import { asType } from '../matrices.ts';
import type { Context } from './context.ts';
import type { HostPool } from './hostPool.ts';

/** Values of a block of columns as they were read: half precision as raw patterns. */
interface HostBlock {
  readonly data: Values | Uint16Array;
  readonly dtype: DType;
}

/** How blocks of columns of a source get to the device. */
export interface BlockReader<Block = unknown> {
  /** Neighbouring blocks of columns of some rows. */
  read(rows: Int32Array, edges: readonly number[]): Promise<Block[]>;
  /** Enqueues the block as a tensor [rows, columns] of the type, which is the caller's. */
  upload(block: Block, shape: readonly [number, number], dtype: DType): Tensor;
  dispose(): void;
}

/** Where the device reads the source's memory itself, nothing is read here. */
export function blockReader(source: MatrixSource, atOnce: number, context: Context): BlockReader {
  return inPlace(source, context) ?? new Staging(source, atOnce, context);
}

/** A reader where the device reads the source's memory itself. */
export function inPlace(source: MatrixSource, context: Context): InPlace | undefined {
  const whole = source.inPlace?.(context.backend);
  return whole && new InPlace(whole, context);
}

/** Blocks are cut out of a tensor of the whole matrix. */
export class InPlace implements BlockReader<{ rows: Int32Array; from: number }> {
  readonly #whole: Tensor;
  readonly #options: OpOptions;

  constructor(whole: Tensor, { options }: Context) {
    this.#whole = whole;
    this.#options = options;
  }

  async read(rows: Int32Array, edges: readonly number[]) {
    return edges.slice(0, -1).map((from) => ({ rows, from }));
  }

  upload(
    { rows, from }: { rows: Int32Array; from: number },
    [, width]: readonly [number, number],
    dtype: DType,
  ): Tensor {
    const columns = (x: Tensor) => x.columns(from, from + width);
    const first = rows[0] ?? 0;
    const neighbours = rows.every((row, i) => row === first + i);
    const values = neighbours
      ? columns(this.#whole.rows(first, first + rows.length))
      : gather(columns(this.#whole), { ...this.#options, rows });
    return asType(values, dtype, this.#options);
  }

  dispose(): void {
    this.#whole.dispose();
  }
}

/** Reads blocks of a source, through the same memory, and uploads them. */
class Staging implements BlockReader<HostBlock> {
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

  async read(rows: Int32Array, edges: readonly number[]): Promise<HostBlock[]> {
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

  upload({ data, dtype: stored }: HostBlock, shape: readonly number[], dtype: DType): Tensor {
    return this.#pool.upload(data, stored, shape, dtype);
  }

  dispose(): void {}

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
