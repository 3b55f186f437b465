import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import grid from './grid.wgsl';
import {
  dispatchCapacity,
  type Encoder,
  linearGrid,
  type Matrix,
  part,
  pieces,
  rectangles,
  type Window,
  windowCapacity,
  windowOnPart,
} from './kernel.ts';
import source from './rows.wgsl';

/** Values of a chunk; more only where a row would have more than `MOST_CHUNKS`. */
const CHUNK = 4096;
const MOST_CHUNKS = 256;
/** Invocations of a workgroup. */
const WIDTH = 64;

/** The passes of an op: entry points of one shader. */
export function rowPasses<P extends string>(
  name: string,
  code: string,
  access: Program['access'],
  entries: readonly P[],
): Record<P, Program> {
  const passes = {} as Record<P, Program>;
  for (const entry of entries) {
    passes[entry] = { name: `${name} ${entry}`, code: bits + grid + source + code, access, entry };
  }
  return passes;
}

/** Rows of x, and of a y of the same extents, whose results by chunk fit a window together. */
export interface RowBlock {
  readonly x: Matrix;
  readonly y: Matrix;
  /** Number of the first row. */
  readonly row: number;
  /** Values of a chunk, and chunks of a row. */
  readonly chunk: number;
  readonly chunks: number;
}

/** Cuts rows without gaps between them into blocks, for `words` words of results a chunk. */
export function* rowBlocks(limits: KernelLimits, x: Matrix, y: Matrix, words: number): Generator<RowBlock> {
  const { rows, cols } = x;
  if (cols === 0) return;
  const capacity = windowCapacity(limits);
  const chunk = Math.min(capacity, Math.max(CHUNK, Math.ceil(cols / MOST_CHUNKS)));
  const chunks = Math.ceil(cols / chunk);
  for (const { start, size } of pieces(rows, Math.max(1, Math.floor(capacity / (chunks * words))))) {
    yield { x: part(x, start, size, 0, cols), y: part(y, start, size, 0, cols), row: start, chunk, chunks };
  }
}

/** The part of a block that a dispatch sees; rows count from the first of the block. */
export interface RowPiece {
  readonly row: number;
  readonly rows: number;
  readonly col: number;
  readonly cols: number;
}

/** What an op adds to the windows on x and y and to the params of rows.wgsl. */
export type RowExtras = (piece: RowPiece, wx: Window) => { windows: readonly Window[]; params: number[] };

/** A dispatch for each window of a block, an item a chunk. */
export function encodeChunks(
  encoder: Encoder,
  program: Program,
  { x, y, chunk, chunks }: RowBlock,
  flops: number,
  extras: RowExtras,
): void {
  // Long rows have work for many lanes, short ones would leave most of them idle.
  const lanes = x.cols > 512 ? WIDTH : x.cols > 32 ? 8 : 1;
  const capacity = Math.max(chunk, dispatchCapacity(encoder.limits, flops));
  for (const piece of rectangles(x.rows, x.cols, x.cols, capacity - (capacity % chunk))) {
    const { row, rows, col, cols } = piece;
    const wx = windowOnPart(x, row, rows, col, cols);
    const wy = windowOnPart(y, row, rows, col, cols);
    const { windows, params } = extras(piece, wx);
    const here = Math.ceil(cols / chunk);
    const common = [cols, x.cols, chunk, here, col / chunk, chunks, wx.base, wy.base, x.cols, row, lanes];
    linearGrid(encoder.limits, rows * here, WIDTH / lanes, (first, count, stride, groups) => {
      encoder.dispatch(
        program,
        [wx, wy, ...windows],
        [first, count, stride, ...common, ...params],
        groups,
        flops * Math.min(count * chunk, rows * cols),
      );
    });
  }
}

/** Puts the results of chunks together, an invocation a row. */
export function encodeMerge(encoder: Encoder, program: Program, block: RowBlock, extras: RowExtras): void {
  const { x, y, chunk, chunks } = block;
  const wx = windowOnPart(x, 0, 1, 0, 1);
  const wy = windowOnPart(y, 0, 1, 0, 1);
  const { windows, params } = extras({ row: 0, rows: 1, col: 0, cols: 1 }, wx);
  const common = [x.cols, x.cols, chunk, chunks, 0, chunks, wx.base, wy.base, x.cols, 0, 1];
  linearGrid(encoder.limits, x.rows, WIDTH, (first, count, stride, groups) => {
    encoder.dispatch(
      program,
      [wx, wy, ...windows],
      [first, count, stride, ...common, ...params],
      groups,
      8 * count * chunks,
    );
  });
}
