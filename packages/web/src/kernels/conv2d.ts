import type { Conv2dAttributes } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import tiled from './conv2d.wgsl';
import common from './conv2d_common.wgsl';
import direct from './conv2d_direct.wgsl';
import { STORED, STORED_TYPES, type StoredType } from './half.ts';
import half from './half.wgsl';
import {
  type Encoder,
  type Kernel,
  type KernelCall,
  type Matrix,
  type Piece,
  pieces,
  stepOf,
  type Window,
  windowCapacity,
  windowOn,
} from './kernel.ts';

/** A shader for each type of weights, and what a workgroup of it computes. */
interface Form {
  readonly programs: Readonly<Record<StoredType, Program>>;
  readonly tile: { readonly pixels: number; readonly outputs: number };
}

function form(name: string, code: string, tile: Form['tile'], constants: Program['constants'] = {}): Form {
  const program = (stored: StoredType): Program => ({
    name: `${name} ${stored}`,
    code: activateSource + half + common + code,
    access: ['read', 'read', 'read', 'read', 'read_write'],
    constants: { ...constants, STORED: STORED[stored] },
  });
  return { programs: { f32: program('f32'), f16: program('f16'), bf16: program('bf16') }, tile };
}

function directForm(WIDTH: number, HEIGHT: number, OUTPUTS: number): Form {
  const tile = { pixels: 4 * WIDTH, outputs: HEIGHT * OUTPUTS };
  return form('conv2d_direct', direct, tile, { WIDTH, HEIGHT, OUTPUTS });
}

const TILED = form('conv2d', tiled, { pixels: 64, outputs: 64 });
const DIRECT = directForm(8, 8, 4);
/** For groups of one output (a convolution of each channel by itself), and of up to four. */
const ONE = directForm(64, 1, 1);
const FEW = directForm(64, 1, 4);

function formFor({ avoidBarriers }: KernelLimits, outputs: number): Form {
  if (outputs <= 4) return outputs === 1 ? ONE : FEW;
  return avoidBarriers ? DIRECT : TILED;
}

export const conv2d: Kernel<Conv2dAttributes> = {
  programs: ({ avoidBarriers }) =>
    [ONE, FEW, avoidBarriers ? DIRECT : TILED].flatMap(({ programs }) => Object.values(programs)),
  dtypes: STORED_TYPES,
  refuses([x, w], { stride, left, right }, limits) {
    const [width = 0, kh = 0, kw = 0] = [x!.shape[3], w!.shape[2], w!.shape[3]];
    const cols = Math.floor((width + left + right - kw) / stride) + 1;
    const capacity = windowCapacity(limits);
    return Math.max(kh * width, kh * kw, cols) <= capacity
      ? undefined
      : `the rows under a kernel are longer than the device's bindings (${capacity} elements)`;
  },
  encode(call, encoder) {
    const extents = extentsOf(call);
    const { batch, groups, outputs, channels, rows } = extents;
    if (batch * outputs === 0) return;
    const steps = stepsOf(encoder.limits, extents, windowCapacity(encoder.limits, call.inputs[1]!.dtype));
    // Without taps there is nothing to bind of x and w.
    const nothing = windowOn(encoder.scratch(1, 1), 0, 1);
    for (const pictures of pieces(batch, steps.batch)) {
      for (const group of pieces(groups, steps.groups)) {
        for (const output of pieces(outputs, steps.outputs)) {
          for (const row of pieces(rows, steps.rows)) {
            for (const channel of channels === 0
              ? [{ start: 0, size: 0 }]
              : pieces(channels, steps.channels)) {
              encodePart(encoder, call, extents, { pictures, group, output, row, channel }, nothing);
            }
          }
        }
      }
    }
  },
};

type Call = KernelCall<Conv2dAttributes>;

/** Extents of the operands; channels and outputs are those of a group. */
function extentsOf({ inputs: [x, w], outputs: [y], attributes: { stride, groups } }: Call) {
  const [batch = 0, , height = 0, width = 0] = x!.shape;
  const [allOutputs = 0, channels = 0, kh = 0, kw = 0] = w!.shape;
  const [rows = 0, cols = 0] = y!.shape.slice(2);
  const planes = { xPlane: height * width, yPlane: rows * cols, area: kh * kw };
  const outputs = allOutputs / groups;
  return { batch, groups, channels, outputs, height, width, rows, cols, kh, kw, stride, ...planes };
}

type Extents = ReturnType<typeof extentsOf>;

/**
 * How far a part goes in each direction, so that its windows fit the bindings (`kernels` elements of w): whole
 * pictures and all kernels; else a group, some of its outputs and channels (whose sums add up in y); else some rows
 * of one plane.
 */
function stepsOf(limits: KernelLimits, extents: Extents, kernels: number) {
  const { groups, channels, outputs, width, rows, cols, kh, stride, xPlane, yPlane, area } = extents;
  const capacity = windowCapacity(limits);
  const picture = groups * Math.max(channels * xPlane, outputs * yPlane);
  const fits = picture <= capacity;
  const batch = fits ? Math.floor(capacity / picture) : 1;
  if (fits && groups * outputs * channels * area <= kernels) {
    return { batch, groups, outputs, channels, rows };
  }
  const planes = (plane: number) => (fits ? Infinity : Math.floor(capacity / Math.max(1, plane)));
  const channelStep = Math.max(1, Math.min(channels, Math.floor(kernels / area), planes(xPlane)));
  const atOnce = Math.floor((kernels - channelStep * area) / Math.max(1, channels * area)) + 1;
  const outputStep = Math.max(1, Math.min(outputs, atOnce, planes(yPlane)));
  const under = Math.floor((Math.floor(capacity / Math.max(1, width)) - kh) / stride) + 1;
  const rowStep = Math.max(xPlane, yPlane) <= capacity ? rows : Math.min(under, Math.floor(capacity / cols));
  return { batch, groups: 1, outputs: outputStep, channels: channelStep, rows: rowStep };
}

/** A part of the work; outputs and channels are those of each group, rows those of the result. */
type Part = Readonly<Record<'pictures' | 'group' | 'output' | 'channel' | 'row', Piece>>;

function encodePart(encoder: Encoder, call: Call, extents: Extents, part: Part, nothing: Window): void {
  const { inputs, outputs: results, attributes } = call;
  const [x, w, bias, residual] = inputs;
  const { groups, channels, outputs, height, width, cols, kh, kw, stride, xPlane, yPlane, area } = extents;
  const { pictures, group, output, channel, row } = part;

  // Rows of x under those of the result.
  const above = row.start * stride - attributes.top;
  const firstRow = Math.max(0, above);
  const xRows = Math.min(height, above + (row.size - 1) * stride + kh) - firstRow;
  const taps = channel.size * area;
  const bound = taps > 0 && xRows > 0 && width > 0;

  const strides = { x: groups * channels * xPlane, y: groups * outputs * yPlane, w: channels * area };
  const firstOutput = group.start * outputs + output.start;
  const firstChannel = group.start * channels + channel.start;
  const lastOutput = (group.size - 1) * outputs + output.size - 1;
  const lastChannel = (group.size - 1) * channels + channel.size - 1;
  const wx = bound
    ? windowOn(
        x!,
        pictures.start * strides.x + firstChannel * xPlane + firstRow * width,
        (pictures.size - 1) * strides.x + lastChannel * xPlane + xRows * width,
      )
    : nothing;
  const ww = bound
    ? windowOn(w!, firstOutput * strides.w + channel.start * area, lastOutput * strides.w + taps)
    : nothing;
  const onResult = (of: Matrix) =>
    windowOn(
      of,
      pictures.start * strides.y + firstOutput * yPlane + row.start * cols,
      (pictures.size - 1) * strides.y + lastOutput * yPlane + row.size * cols,
    );
  const wy = onResult(results[0]!);
  const finish = channel.start + channel.size === channels;
  const wbias = finish && bias ? windowOn(bias, firstOutput, lastOutput + 1) : undefined;
  const wresidual = finish && residual ? onResult(residual) : undefined;

  const { programs, tile } = formFor(encoder.limits, outputs);
  const pixels = pictures.size * row.size * cols;
  const steps = gridOf(encoder.limits, tile, pixels, output.size, Math.max(1, taps));
  for (const zs of pieces(group.size, steps.groups)) {
    for (const ys of pieces(output.size, steps.outputs)) {
      for (const xs of pieces(pixels, steps.pixels)) {
        encoder.dispatch(
          programs[w!.dtype as StoredType],
          [wx, ww, wbias ?? wx, wresidual ?? wx, wy],
          [
            ...[pixels, output.size, bound ? channel.size : 0, xs.start, ys.start, zs.start],
            ...[row.size, cols, kh, kw, stride, firstRow - above, attributes.left, Math.max(0, xRows), width],
            ...[wx.base, strides.x, channels * xPlane, xPlane],
            ...[ww.base, outputs * strides.w, strides.w],
            ...[wbias?.base ?? 0, outputs, wresidual?.base ?? 0],
            ...[wy.base, strides.y, outputs * yPlane, yPlane],
            ACTIVATION_NUMBER[attributes.activation],
            ...[wbias, wresidual, channel.start > 0, finish].map((each) => Number(Boolean(each))),
          ],
          [Math.ceil(xs.size / tile.pixels), Math.ceil(ys.size / tile.outputs), zs.size],
          2 * xs.size * Math.max(tile.outputs, ys.size) * zs.size * Math.max(1, taps),
        );
      }
    }
  }
}

/** Extents of a dispatch: its grid and its work within the limits. Splitting these changes no sum. */
function gridOf(limits: KernelLimits, tile: Form['tile'], pixels: number, outputs: number, taps: number) {
  const affordable = limits.maxDispatchFlops / (2 * taps);
  const most = (tileSize: number, others: number) =>
    Math.min(limits.maxWorkgroups * tileSize, Math.max(tileSize, affordable / others));
  const stepPixels = stepOf(pixels, most(tile.pixels, outputs), tile.pixels);
  const stepOutputs = stepOf(outputs, most(tile.outputs, stepPixels), tile.outputs);
  const stepGroups = Math.floor(Math.max(1, most(1, stepPixels * stepOutputs)));
  return { pixels: stepPixels, outputs: stepOutputs, groups: stepGroups };
}
