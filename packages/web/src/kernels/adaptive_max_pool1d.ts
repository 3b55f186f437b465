import type { AdaptiveMaxPool1dAttributes } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import source from './adaptive_max_pool1d.wgsl';
import bits from './bits.wgsl';
import grid from './grid.wgsl';
import {
  halves,
  type Kernel,
  linearGrid,
  type Piece,
  pieces,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';

const program: Program = {
  name: 'adaptive_max_pool1d',
  code: bits + grid + source,
  access: ['read', 'read', 'read_write'],
};

/** Integer operations that a value takes. */
const COST = 10;

export const adaptiveMaxPool1d: Kernel<AdaptiveMaxPool1dAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y] }, encoder) {
    if (y!.rows === 0) return;
    const { limits } = encoder;
    const row: Row = { length: x!.cols, size: y!.cols };
    // Products of positions exceed 32 bits: the host makes the ranges.
    const ranges = encoder.constants(
      Int32Array.from({ length: 2 * row.size }, (_, i) => rangeOf(row, i >> 1)[i % 2]!),
    );
    for (const { rows, windows } of partsOf(limits, row, { start: 0, size: y!.rows })) {
      const { start, size } = valuesUnder(row, windows);
      const wranges = windowOn(ranges, 2 * windows.start, 2 * windows.size);
      const wy = windowOnPart(y!, rows.start, rows.size, windows.start, windows.size);
      // In several pieces only under a single window that is too long.
      const most = Math.min(windowCapacity(limits), Math.max(1024, limits.maxDispatchFlops / COST));
      for (const values of pieces(size, Math.floor(most))) {
        const first = start + values.start;
        const wx = windowOnPart(x!, rows.start, rows.size, first, values.size);
        const bound = [first, values.size, wx.base, x!.ld, wranges.base, wy.base];
        const params = [windows.size, ...bound, Number(values.start > 0)];
        linearGrid(limits, rows.size * windows.size, 64, (first, count, stride, groups) => {
          const cost = COST * rows.size * values.size;
          encoder.dispatch(program, [wx, wranges, wy], [first, count, stride, ...params], groups, cost);
        });
      }
    }
  },
};

/** Lengths of a row of x and of y. */
interface Row {
  readonly length: number;
  readonly size: number;
}

function rangeOf({ length, size }: Row, window: number): readonly [start: number, end: number] {
  return [Math.floor((window * length) / size), Math.ceil(((window + 1) * length) / size)];
}

function valuesUnder(row: Row, { start, size }: Piece): Piece {
  const first = rangeOf(row, start)[0];
  return { start: first, size: rangeOf(row, start + size - 1)[1] - first };
}

/** A part of the result: whole rows, or some windows of one. */
interface Part {
  readonly rows: Piece;
  readonly windows: Piece;
}

/** Halves the result, by rows first, until its windows fit the bindings and its work a dispatch. */
function* partsOf(
  limits: KernelLimits,
  row: Row,
  rows: Piece,
  windows: Piece = { start: 0, size: row.size },
): Generator<Part> {
  const { size } = valuesUnder(row, windows);
  const capacity = windowCapacity(limits);
  const fits =
    (rows.size - 1) * Math.max(row.length, row.size) + Math.max(size, 2 * windows.size) <= capacity &&
    COST * rows.size * Math.max(size, windows.size) <= limits.maxDispatchFlops;
  if (fits || rows.size * windows.size === 1) {
    yield { rows, windows };
  } else if (rows.size > 1) {
    for (const half of halves(rows)) yield* partsOf(limits, row, half, windows);
  } else {
    for (const half of halves(windows)) yield* partsOf(limits, row, rows, half);
  }
}
