import type { FusedActivation } from '@fmri2image/core';
import { f32Bits, type Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER } from './activate.ts';
import activate from './activate.wgsl';
import exponential from './exponential.wgsl';
import { type Encoder, type Matrix, type Window, windowOn } from './kernel.ts';
import source from './norm.wgsl';
import { encodeChunks, encodeMerge, type RowBlock, type RowExtras, rowBlocks, rowPasses } from './rows.ts';

const passes = rowPasses(
  'norm',
  exponential + activate + source,
  ['read', 'read_write', 'read_write', 'read', 'read'],
  ['whole', 'largest', 'moments', 'merge', 'apply'],
);

export const normPrograms: readonly Program[] = Object.values(passes);

/** Words of a chunk: mean, squared deviations, divisor. */
const WORDS = 3;
/** Flops of a value, for its moments and for its result. */
const FLOPS = 16;

/** `activation((x - mean) / sqrt(variance + eps) gain + bias)` with the moments of each row. */
export interface Norm {
  /** Its rows are those that have moments. */
  readonly x: Matrix;
  readonly y: Matrix;
  /** Of each channel: [groups channels]. */
  readonly gain: Matrix | undefined;
  readonly bias: Matrix | undefined;
  /** Rows that divide all channels among themselves; those of a row have `pixels` neighbours each. */
  readonly groups: number;
  readonly pixels: number;
  readonly eps: number;
  /** Rows are divided by their largest value first. */
  readonly stable: boolean;
  readonly activation: FusedActivation;
}

export function encodeNorm(encoder: Encoder, norm: Norm): void {
  for (const block of rowBlocks(encoder.limits, norm.x, norm.y, WORDS)) {
    const count = block.chunks === 1 ? 1 : block.x.rows * block.chunks;
    const partials = windowOn(encoder.scratch(count, WORDS), 0, count * WORDS);
    const extras = extrasOf(norm, block, partials);
    if (block.chunks === 1) {
      encodeChunks(encoder, passes.whole, block, 2 * FLOPS, extras);
    } else {
      if (norm.stable) encodeChunks(encoder, passes.largest, block, FLOPS, extras);
      encodeChunks(encoder, passes.moments, block, FLOPS, extras);
      encodeMerge(encoder, passes.merge, block, extras);
      encodeChunks(encoder, passes.apply, block, FLOPS, extras);
    }
  }
}

function extrasOf(norm: Norm, block: RowBlock, partials: Window): RowExtras {
  const { gain, bias, groups, pixels, eps, stable, activation } = norm;
  const channels = block.x.cols / pixels;
  const group = block.row % groups;
  return ({ row, rows, col, cols }, wx) => {
    // A piece of one row has neighbouring channels, several rows may have any.
    const first = Math.floor(col / pixels);
    const last = Math.floor((col + cols - 1) / pixels);
    const channel = rows === 1 ? ((group + row) % groups) * channels + first : 0;
    const count = rows === 1 ? last - first + 1 : groups * channels;
    const wgain = gain ? windowOn(gain, channel, count) : wx;
    const wbias = bias ? windowOn(bias, channel, count) : wx;
    const factors = [wgain.base, Number(gain !== undefined), wbias.base, Number(bias !== undefined), channel];
    return {
      windows: [partials, wgain, wbias],
      params: [
        ...[f32Bits(eps), Number(stable), ACTIVATION_NUMBER[activation]],
        ...factors,
        ...[pixels, channels, groups, group],
      ],
    };
  };
}
