import { type Resize2dAttributes, type ResizeTaps, resizeTaps, type Shape } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import grid from './grid.wgsl';
import {
  type Encoder,
  halves,
  type Kernel,
  linearGrid,
  type Matrix,
  type Piece,
  windowCapacity,
  windowOn,
} from './kernel.ts';
import source from './resize2d.wgsl';

const program: Program = {
  name: 'resize2d',
  code: bits + grid + source,
  access: ['read', 'read', 'read', 'read_write'],
};

export const resize2d: Kernel<Resize2dAttributes> = {
  programs: () => [program],
  refuses([x], attributes, limits) {
    const { rows, cols } = tapsOf(x!.shape, attributes);
    const farthest = (rows.count - 1) * Math.max(x!.shape.at(-1)!, attributes.width) + 1;
    const capacity = windowCapacity(limits);
    return Math.max(farthest, rows.count, cols.count) <= capacity
      ? undefined
      : `the pixels under a filter lie further apart than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [x], outputs: [y], attributes }, encoder) {
    const { rows, cols } = tapsOf(x!.shape, attributes);
    const pictures = (x!.rows * x!.cols) / (rows.from * cols.from);
    if (pictures === 0) return;
    // The smaller picture stands in between.
    if (rows.from * cols.to <= rows.to * cols.from) {
      const between = encoder.scratch(pictures * rows.from, cols.to);
      encodePass(encoder, x!, between, { ...cols, outer: pictures * rows.from, inner: 1 });
      encodePass(encoder, between, y!, { ...rows, outer: pictures, inner: cols.to });
    } else {
      const between = encoder.scratch(pictures * rows.to, cols.from);
      encodePass(encoder, x!, between, { ...rows, outer: pictures, inner: cols.from });
      encodePass(encoder, between, y!, { ...cols, outer: pictures * rows.to, inner: 1 });
    }
  },
};

/** An axis that gets another extent. */
interface Axis extends ResizeTaps {
  readonly from: number;
  readonly to: number;
}

function tapsOf(shape: Shape, { height, width, mode, antialias }: Resize2dAttributes) {
  const [h = 0, w = 0] = shape.slice(-2);
  const axis = (from: number, to: number): Axis => ({ from, to, ...resizeTaps(from, to, mode, antialias) });
  return { rows: axis(h, height), cols: axis(w, width) };
}

/** What is done along the middle axis of [outer, from, inner]. */
interface Pass extends Axis {
  readonly outer: number;
  readonly inner: number;
}

function encodePass(encoder: Encoder, x: Matrix, y: Matrix, pass: Pass): void {
  const { from, to, count, first, inner } = pass;
  const firsts = encoder.constants(first);
  const weights = encoder.constants(Float32Array.from(pass.weights));
  for (const box of boxesOf(encoder.limits, pass)) {
    const { outer, along } = box;
    const position = first[along.start]!;
    const wx = windowOn(x, (outer.start * from + position) * inner + box.inner.start, spanX(pass, box));
    const wy = windowOn(y, (outer.start * to + along.start) * inner + box.inner.start, spanY(pass, box));
    const wfirsts = windowOn(firsts, along.start, along.size);
    const wweights = windowOn(weights, along.start * count, along.size * count);
    const items = outer.size * along.size * box.inner.size;
    linearGrid(encoder.limits, items, 256, (start, here, stride, groups) => {
      encoder.dispatch(
        program,
        [wx, wfirsts, wweights, wy],
        [
          ...[start, here, stride, along.size, box.inner.size, count, position],
          ...[wx.base, from * inner, inner, wy.base, wfirsts.base, wweights.base],
        ],
        groups,
        2 * here * count,
      );
    });
  }
}

/** A part of the result of a pass; it lies without gaps, as the axes before one that is cut have one entry. */
type Box = Readonly<Record<'outer' | 'along' | 'inner', Piece>>;

/** Elements from the first to the last that a box takes: taps begin further on from one position to the next. */
function spanX({ from, inner, first, count }: Pass, box: Box): number {
  const { outer, along } = box;
  const positions = first[along.start + along.size - 1]! + count - first[along.start]!;
  return ((outer.size - 1) * from + positions - 1) * inner + box.inner.size;
}

function spanY({ to, inner }: Pass, box: Box): number {
  return ((box.outer.size - 1) * to + box.along.size - 1) * inner + box.inner.size;
}

/** Halves a box, its longest strides first, until its windows fit the bindings and its work a dispatch. */
function* boxesOf(limits: KernelLimits, pass: Pass, whole = wholeOf(pass)): Generator<Box> {
  const { outer, along, inner } = whole;
  const items = outer.size * along.size * inner.size;
  const span = Math.max(spanX(pass, whole), spanY(pass, whole), along.size * pass.count);
  if ((span <= windowCapacity(limits) && 2 * items * pass.count <= limits.maxDispatchFlops) || items === 1) {
    yield whole;
    return;
  }
  const cut = (['outer', 'along', 'inner'] as const).find((axis) => whole[axis].size > 1)!;
  for (const half of halves(whole[cut])) yield* boxesOf(limits, pass, { ...whole, [cut]: half });
}

function wholeOf({ outer, to, inner }: Pass): Box {
  const all = (size: number): Piece => ({ start: 0, size });
  return { outer: all(outer), along: all(to), inner: all(inner) };
}
