import type { CholeskyFactorAttributes } from '@fmri2image/core';
import { f32Bits, f32FromBits, type Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import blockSource from './cholesky_block.wgsl';
import source from './cholesky_factor.wgsl';
import grid from './grid.wgsl';
import {
  type Encoder,
  type Kernel,
  linearGrid,
  type Matrix,
  part,
  pieces,
  rectangles,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';
import { encodeProduct, productPrograms } from './product.ts';
import status from './status.wgsl';

const BLOCK = 32;

const lower: Program = { name: 'cholesky_factor', code: grid + source, access: ['read_write', 'read'] };
const STEP = {
  code: bits + status + blockSource,
  access: ['read_write', 'read_write', 'read_write'],
  status: true,
} as const;
const factor: Program = { ...STEP, name: 'cholesky_factor block', entry: 'factor' };
const solvePanel: Program = { ...STEP, name: 'cholesky_factor panel', entry: 'solve_panel' };

export const choleskyFactor: Kernel<CholeskyFactorAttributes> = {
  programs: (limits) => [lower, factor, solvePanel, ...productPrograms(limits)],
  encode({ inputs: [a], outputs: [y], attributes: { shift } }, encoder) {
    const n = y!.rows;
    copyLower(encoder, a!, y!, shift);
    const diagonal = encoder.scratch(BLOCK, BLOCK);
    const panel = encoder.scratch(Math.max(1, n - BLOCK), BLOCK);
    for (const { start, size } of pieces(n, BLOCK)) {
      factorBlock(encoder, y!, start, size, diagonal, panel);
      const below = start + size;
      if (below === n) break;
      solveBelow(encoder, y!, start, size, diagonal, panel);
      const solved = part(panel, 0, n - below, 0, size);
      encodeProduct(encoder, {
        ...{ a: solved, transA: false, b: solved, transB: true, alpha: -1 },
        ...{ y: part(y!, below, n - below, below, n - below), accumulate: true, triangle: 'lower' },
      });
    }
  },
  explain([, pivot, value]) {
    return {
      code: 'NOT_POSITIVE_DEFINITE',
      message: `the matrix is not positive definite (pivot ${pivot})`,
      expected: 'a positive, finite pivot',
      found: `${f32FromBits(value!)}`,
    };
  },
};

function copyLower(encoder: Encoder, a: Matrix, y: Matrix, shift: number): void {
  for (const { row, rows, col, cols } of rectangles(y.rows, y.cols, y.ld, windowCapacity(encoder.limits))) {
    const wy = windowOnPart(y, row, rows, col, cols);
    const wa = windowOnPart(a, row, rows, col, cols);
    linearGrid(encoder.limits, rows * cols, 256, (first, count, stride, groups) => {
      const params = [first, count, stride, cols, row, col, wa.base, a.ld, wy.base, y.ld, f32Bits(shift)];
      encoder.dispatch(lower, [wy, wa], params, groups, 2 * count);
    });
  }
}

function factorBlock(
  encoder: Encoder,
  y: Matrix,
  start: number,
  size: number,
  diagonal: Matrix,
  panel: Matrix,
) {
  const wy = windowOnPart(y, start, size, start, size);
  const windows = [wy, windowOn(diagonal, 0, BLOCK * BLOCK), windowOn(panel, 0, BLOCK)];
  encoder.dispatch(factor, windows, [start, size, 0, wy.base, y.ld, 0], [1, 1, 1], size ** 3 / 3);
}

function solveBelow(
  encoder: Encoder,
  y: Matrix,
  start: number,
  size: number,
  diagonal: Matrix,
  panel: Matrix,
) {
  const { limits } = encoder;
  const below = start + size;
  const most = Math.floor((windowCapacity(limits) - size) / y.ld) + 1;
  const wdiagonal = windowOn(diagonal, 0, BLOCK * BLOCK);
  for (const rows of pieces(y.rows - below, Math.min(Math.max(1, most), limits.maxWorkgroups * 64))) {
    const wy = windowOnPart(y, below + rows.start, rows.size, start, size);
    const wpanel = windowOn(panel, rows.start * BLOCK, rows.size * BLOCK);
    const params = [start, size, rows.size, wy.base, y.ld, wpanel.base / BLOCK];
    const groups = [Math.ceil(rows.size / 64), 1, 1] as const;
    encoder.dispatch(solvePanel, [wy, wdiagonal, wpanel], params, groups, rows.size * size * size);
  }
}
