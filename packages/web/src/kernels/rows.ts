import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
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

/** What shaders over chunks of rows begin with; bits.wgsl is in it. */
export const rowsSource = bits + source;

/** Values of a chunk; more only where a row would have more chunks than `MOST_CHUNKS`. */
const CHUNK = 4096;
const MOST_CHUNKS = 256;
/** Invocations of a workgroup. */
const WIDTH = 64;

/** One program for each number of invocations that share a chunk. */
export type RowPrograms = ReadonlyMap<number, Program>;

export function rowPrograms(program: Program): RowPrograms {
  return new Map([1, 8, WIDTH].map((lanes) => [lanes, { ...program, constants: { LANES: lanes } }]));
}

/** Rows whose results by chunk fit a window together. */
export interface RowBlock {
  readonly x: Matrix;
  /** Number of the first row. */
  readonly row: number;
  /** Values of a chunk, and chunks of a row. */
  readonly chunk: number;
  readonly chunks: number;
}

/** Cuts rows into blocks, for `words` words of results a chunk. */
export function* rowBlocks(limits: KernelLimits, x: Matrix, words: number): Generator<RowBlock> {
  if (x.cols === 0) return;
  const capacity = windowCapacity(limits);
  const chunk = Math.min(capacity, Math.max(CHUNK, Math.ceil(x.cols / MOST_CHUNKS)));
  const chunks = Math.ceil(x.cols / chunk);
  for (const { start, size } of pieces(x.rows, Math.max(1, Math.floor(capacity / (chunks * words))))) {
    yield { x: part(x, start, size, 0, x.cols), row: start, chunk, chunks };
  }
}

/** A dispatch for each window of a block, an item a chunk. */
export function dispatchChunks(
  encoder: Encoder,
  programs: RowPrograms,
  { x, chunk, chunks }: RowBlock,
  windows: (wx: Window) => readonly Window[],
  { option, flops }: { option: number; flops: number },
): void {
  // Long rows have the work of a chunk for many lanes, short ones would leave most of them idle.
  const lanes = x.cols > 512 ? WIDTH : x.cols > 32 ? 8 : 1;
  const capacity = Math.max(chunk, dispatchCapacity(encoder.limits, flops));
  for (const { row, rows, col, cols } of rectangles(x.rows, x.cols, x.ld, capacity - (capacity % chunk))) {
    const wx = windowOnPart(x, row, rows, col, cols);
    const here = Math.ceil(cols / chunk);
    linearGrid(encoder.limits, rows * here, WIDTH / lanes, (first, count, stride, groups) => {
      encoder.dispatch(
        programs.get(lanes)!,
        windows(wx),
        [
          ...[first, count, stride, cols, x.cols],
          ...[chunk, here, col / chunk, chunks],
          ...[wx.base, x.ld, row, option],
        ],
        groups,
        flops * Math.min(count * chunk, rows * cols),
      );
    });
  }
}

/** One invocation a row, for the results of its chunks. */
export function dispatchRows(
  encoder: Encoder,
  program: Program,
  { x, chunk, chunks }: RowBlock,
  windows: readonly Window[],
): void {
  linearGrid(encoder.limits, x.rows, WIDTH, (first, count, stride, groups) => {
    const params = [first, count, stride, x.cols, x.cols, chunk, chunks, 0, chunks, 0, x.ld, 0, 0];
    encoder.dispatch(program, windows, params, groups, 8 * count * chunks);
  });
}
