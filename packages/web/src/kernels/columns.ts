import { f32Bits, type Program } from '../queue/program.ts';
import source from './column_stats.wgsl';
import finishSource from './column_stats_finish.wgsl';
import {
  type Encoder,
  type Matrix,
  type Piece,
  part,
  pieces,
  rectangles,
  type Window,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';

/** Rows that one invocation adds up; more only where the partial sums would not fit a window. */
const CHUNK_ROWS = 256;

const SUMS = { code: source, access: ['read_write', 'read_write', 'read'] } as const;
const FINISH = { code: finishSource, access: ['read_write', 'read', 'read_write', 'read_write'] } as const;
const begin: Program = { ...SUMS, name: 'column_stats begin', entry: 'begin' };
const partial: Program = { ...SUMS, name: 'column_stats sum', entry: 'sum_chunk' };
const centre: Program = { ...FINISH, name: 'column_stats centre', entry: 'centre' };
const finish: Program = { ...FINISH, name: 'column_stats finish', entry: 'finish' };

export const framePrograms: readonly Program[] = [begin, partial, centre];
export const columnStatsPrograms: readonly Program[] = [...framePrograms, finish];

/** Rows of a window, cut into chunks; `chunk` is the number of the first. */
export interface Strip {
  readonly row: number;
  readonly rows: number;
  readonly chunk: number;
  readonly chunks: number;
}

/** How the rows of a matrix are summed in chunks, `quantities` partial sums a column and chunk. */
export interface Strips {
  readonly chunkRows: number;
  /** Chunks in all. */
  readonly chunks: number;
  readonly strips: readonly Strip[];
}

export function stripsOf(encoder: Encoder, x: Matrix, quantities: number): Strips {
  const capacity = windowCapacity(encoder.limits);
  const windows = [...rectangles(x.rows, x.cols, x.ld, capacity)];
  for (let chunkRows = CHUNK_ROWS; ; chunkRows *= 2) {
    let chunks = 0;
    const strips = windows.flatMap(({ row, rows }) =>
      // A dispatch covers at most maxWorkgroups chunks.
      [...pieces(rows, chunkRows * encoder.limits.maxWorkgroups)].map(({ start, size }) => {
        const strip = { row: row + start, rows: size, chunk: chunks, chunks: Math.ceil(size / chunkRows) };
        chunks += strip.chunks;
        return strip;
      }),
    );
    if (chunks * quantities * x.cols <= capacity || chunks <= windows.length)
      return { chunkRows, chunks, strips };
  }
}

/** Calls back once per dispatch over columns, an invocation each: the first column and the workgroups. */
export function overColumns(
  encoder: Encoder,
  cols: number,
  body: (col: number, groups: number, count: number) => void,
): void {
  for (const { start, size } of pieces(cols, encoder.limits.maxWorkgroups * 64)) {
    body(start, Math.ceil(size / 64), size);
  }
}

/**
 * Cuts a matrix into groups of columns whose partial sums, one of each quantity for every window at the least, fit a
 * window together.
 */
export function columnGroups({ limits }: Encoder, x: Matrix, quantities: number): Generator<Piece> {
  const capacity = windowCapacity(limits);
  const windows = Math.ceil(x.rows / Math.max(1, Math.floor(capacity / Math.max(1, x.ld))));
  return pieces(x.cols, Math.max(1, Math.floor(capacity / (windows * Math.max(quantities, 2)))));
}

/** One pass over x: partial sums of each column and chunk, in the frame as it is. */
function sum(encoder: Encoder, x: Matrix, strips: Strips, frame: Matrix, partials: Matrix): void {
  const wframe = windowOn(frame, 0, 2 * x.cols);
  const wpartials = windowOn(partials, 0, partials.rows * partials.cols);
  for (const { row, rows, chunk, chunks } of strips.strips) {
    const wx = windowOnPart(x, row, rows, 0, x.cols);
    overColumns(encoder, x.cols, (col, groups, count) => {
      const params = [col, x.cols, rows, strips.chunkRows, chunk, wx.base, x.ld];
      encoder.dispatch(partial, [wframe, wpartials, wx], params, [groups, chunks, 1], 4 * rows * count);
    });
  }
}

/**
 * A shift and a scale for each column of x: a mean good to f32 (exact for a constant column) and a power of two near
 * the inverse of the largest deviation from it.
 *
 * @returns [2, cols] shift, scale
 */
export function encodeFrame(encoder: Encoder, x: Matrix, strips: Strips, partials: Matrix): Matrix {
  const frame = encoder.scratch(2, x.cols);
  const wframe = windowOn(frame, 0, 2 * x.cols);
  const wpartials = windowOn(partials, 0, partials.rows * partials.cols);
  const first = windowOn(x, 0, x.cols);
  overColumns(encoder, x.cols, (col, groups, count) => {
    const params = [col, x.cols, 0, 0, 0, first.base, x.ld];
    encoder.dispatch(begin, [wframe, wpartials, first], params, [groups, 1, 1], count);
  });
  sum(encoder, x, strips, frame, partials);
  const unused = [unusedWindow(encoder), unusedWindow(encoder)];
  overColumns(encoder, x.cols, (col, groups, count) => {
    const params = [col, x.cols, strips.chunks, f32Bits(x.rows), 0, 0, 0];
    encoder.dispatch(centre, [wframe, wpartials, ...unused], params, [groups, 1, 1], strips.chunks * count);
  });
  return frame;
}

function unusedWindow(encoder: Encoder): Window {
  return windowOn(encoder.scratch(1, 1), 0, 1);
}

/** Mean and standard deviation of each column. */
export function encodeColumnStats(
  encoder: Encoder,
  x: Matrix,
  mean: Matrix,
  std: Matrix,
  ddof: number,
): void {
  for (const { start, size } of columnGroups(encoder, x, 3)) {
    const group = part(x, 0, x.rows, start, size);
    const strips = stripsOf(encoder, group, 3);
    const partials = encoder.scratch(3 * strips.chunks, size);
    const frame = encodeFrame(encoder, group, strips, partials);
    sum(encoder, group, strips, frame, partials);
    const windows = [
      windowOn(frame, 0, 2 * size),
      windowOn(partials, 0, partials.rows * size),
      windowOn(mean, start, size),
      windowOn(std, start, size),
    ] as const;
    overColumns(encoder, size, (col, groups, count) => {
      const counts = [strips.chunks, f32Bits(x.rows), f32Bits(x.rows - ddof)];
      const params = [col, size, ...counts, windows[2].base, windows[3].base];
      encoder.dispatch(finish, windows, params, [groups, 1, 1], strips.chunks * count);
    });
  }
}
