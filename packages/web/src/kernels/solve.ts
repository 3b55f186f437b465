import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import {
  type Encoder,
  linearGrid,
  type Matrix,
  part,
  pieces,
  windowCapacity,
  windowOnPart,
} from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';
import source from './triangular_solve.wgsl';

/** Rows of a block at most; the shader keeps as many values of a column at hand. */
const BLOCK = 32;

const solveBlock: Program = {
  name: 'triangular_solve',
  code: grid + source,
  access: ['read', 'read_write', 'read_write'],
};

export function solvePrograms(limits: KernelLimits): readonly Program[] {
  return [solveBlock, ...productPrograms(limits)];
}

/**
 * Replaces y by x with l x = y, or l^T x = y: blocks of rows one after the other, each taken out of the rows that
 * remain by a matrix product (right-looking).
 */
export function encodeTriangularSolve(encoder: Encoder, l: Matrix, y: Matrix, transpose: boolean): void {
  const n = y.rows;
  if (n === 0 || y.cols === 0) return;
  const capacity = windowCapacity(encoder.limits);
  // A window holds a block of l and, in pieces of columns, of y.
  const block = Math.max(1, Math.min(BLOCK, Math.floor(capacity / (2 * Math.max(l.ld, y.ld)))));
  const x = encoder.scratch(block, y.cols);
  const blocks = [...pieces(n, block)];
  if (transpose) blocks.reverse();
  for (const { start, size } of blocks) {
    solveRows(encoder, l, y, x, start, size, transpose);
    const solved = part(x, 0, size, 0, y.cols);
    const remaining = transpose ? { start: 0, size: start } : { start: start + size, size: n - start - size };
    encodeProduct(encoder, {
      a: transpose ? part(l, start, size, 0, start) : part(l, remaining.start, remaining.size, start, size),
      transA: transpose,
      ...{ b: solved, transB: false, alpha: -1 },
      ...{ y: part(y, remaining.start, remaining.size, 0, y.cols), accumulate: true },
    });
  }
}

function solveRows(
  encoder: Encoder,
  l: Matrix,
  y: Matrix,
  x: Matrix,
  start: number,
  size: number,
  transpose: boolean,
) {
  const capacity = windowCapacity(encoder.limits);
  const wl = windowOnPart(l, start, size, start, size);
  const width = Math.max(1, capacity - (size - 1) * y.ld);
  for (const cols of pieces(y.cols, width)) {
    const wy = windowOnPart(y, start, size, cols.start, cols.size);
    const wx = windowOnPart(x, 0, size, cols.start, cols.size);
    linearGrid(encoder.limits, cols.size, 64, (first, count, stride, groups) => {
      const layout = [size, wl.base, l.ld, wy.base, y.ld, wx.base, x.ld, Number(transpose)];
      encoder.dispatch(
        solveBlock,
        [wl, wy, wx],
        [first, count, stride, ...layout],
        groups,
        size * size * count,
      );
    });
  }
}
