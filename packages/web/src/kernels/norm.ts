import type { FusedActivation } from '@fmri2image/core';
import { f32Bits, type Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import grid from './grid.wgsl';
import {
  dispatchCapacity,
  type Encoder,
  linearGrid,
  type Matrix,
  part,
  rectangles,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';
import source from './norm.wgsl';
import applySource from './norm_apply.wgsl';
import { dispatchChunks, dispatchRows, type RowBlock, rowBlocks, rowPrograms, rowsSource } from './rows.ts';

const MOMENTS = {
  code: rowsSource + grid + source,
  access: ['read', 'read_write', 'read_write'],
} as const;
const largest = rowPrograms({ ...MOMENTS, name: 'norm largest', entry: 'largest' });
const moments = rowPrograms({ ...MOMENTS, name: 'norm moments', entry: 'moments' });
const merge: Program = { ...MOMENTS, name: 'norm merge', entry: 'merge', constants: { LANES: 1 } };
const apply: Program = {
  name: 'norm apply',
  code: activateSource + grid + applySource,
  access: ['read', 'read', 'read', 'read', 'read_write'],
};

export const normPrograms: readonly Program[] = [...moments.values(), merge, apply];
export const stableNormPrograms: readonly Program[] = [...largest.values(), ...normPrograms];

/** Words of a chunk: mean, squared deviations, divisor. */
const WORDS = 3;
/** Flops of a value in the two passes. */
const FLOPS = { moments: 6, apply: 16 } as const;

/** `activation((x - mean) / sqrt(variance + eps) gain + bias)` with the moments of each row. */
export interface Norm {
  /** Its rows are those that have moments. */
  readonly x: Matrix;
  readonly y: Matrix;
  /** Factors and shifts of channels: [channels]. */
  readonly gain: Matrix | undefined;
  readonly bias: Matrix | undefined;
  /** Rows that divide the channels among themselves; each channel has `pixels` neighbours in its row. */
  readonly groups: number;
  readonly pixels: number;
  readonly eps: number;
  /** Rows are divided by their largest value first. */
  readonly stable: boolean;
  readonly activation: FusedActivation;
}

export function encodeNorm(encoder: Encoder, norm: Norm): void {
  const { x, stable } = norm;
  for (const block of rowBlocks(encoder.limits, x, WORDS)) {
    const count = block.x.rows * block.chunks;
    const partials = encoder.scratch(count, WORDS);
    const wpartials = windowOn(partials, 0, count * WORDS);
    const wmaxima = windowOn(encoder.scratch(stable ? count : 1, 1), 0, stable ? count : 1);
    const plan = { option: Number(stable), flops: FLOPS.moments };
    if (stable) dispatchChunks(encoder, largest, block, (wx) => [wx, wmaxima, wpartials], plan);
    dispatchChunks(encoder, moments, block, (wx) => [wx, wmaxima, wpartials], plan);
    if (block.chunks > 1) dispatchRows(encoder, merge, block, [windowOn(block.x, 0, 1), wmaxima, wpartials]);
    encodeApply(encoder, norm, block, partials);
  }
}

function encodeApply(encoder: Encoder, norm: Norm, { x, row: first, chunks }: RowBlock, partials: Matrix) {
  const { limits } = encoder;
  const { gain, bias, groups, pixels, eps, stable, activation } = norm;
  const y = part(norm.y, first, x.rows, 0, x.cols);
  const channels = x.cols / pixels;
  const wmoments = windowOn(partials, 0, partials.rows * WORDS);
  // All channels fit a window, or a piece is one of a row with so many.
  const most = channels * groups <= windowCapacity(limits) ? x.rows : 1;
  for (const { row, rows, col, cols } of rectangles(
    ...([x.rows, x.cols, x.cols] as const),
    Math.min(most * x.cols, dispatchCapacity(limits, FLOPS.apply)),
  )) {
    const wx = windowOnPart(x, row, rows, col, cols);
    const wy = windowOnPart(y, row, rows, col, cols);
    const group = (first + row) % groups;
    const start = rows === 1 ? group * channels + Math.floor(col / pixels) : 0;
    const count =
      rows === 1 ? Math.floor((col + cols - 1) / pixels) - Math.floor(col / pixels) + 1 : channels * groups;
    const wgain = gain ? windowOn(gain, start, count) : wx;
    const wbias = bias ? windowOn(bias, start, count) : wx;
    linearGrid(limits, rows * cols, 256, (item, items, stride, workgroups) => {
      encoder.dispatch(
        apply,
        [wx, wmoments, wgain, wbias, wy],
        [
          ...[item, items, stride, cols, x.cols, wx.base, wy.base, row, chunks],
          ...[f32Bits(eps), Number(stable), ACTIVATION_NUMBER[activation]],
          ...[wgain.base, Number(gain !== undefined), wbias.base, Number(bias !== undefined), start],
          ...[pixels, channels, groups, group, col],
        ],
        workgroups,
        FLOPS.apply * items,
      );
    });
  }
}
