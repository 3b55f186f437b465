import { bytesPerElement, type DType, type Shape, sizeOf } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import grid from './grid.wgsl';
import { type Encoder, linearGrid, type Matrix, windowCapacity, windowOn } from './kernel.ts';
import source from './move.wgsl';

function program(perWord: number): Program {
  return {
    name: `move, ${perWord} in a word`,
    code: grid + source,
    access: ['read', 'read_write'],
    constants: { PER_WORD: perWord },
  };
}

const programs = new Map([1, 2, 4].map((perWord) => [perWord, program(perWord)]));

export const movePrograms: readonly Program[] = [...programs.values()];
export const moveTypes: readonly DType[] = ['f32', 'f16', 'bf16', 'i32', 'u8'];

/** One axis of a box: its extent, and elements between neighbours in x and in y. */
export interface Axis {
  readonly size: number;
  readonly x: number;
  readonly y: number;
}

interface Box {
  readonly axes: readonly Axis[];
  /** First elements, relative to the matrices. */
  readonly x: number;
  readonly y: number;
}

/** Axes that the shader knows. */
const AXES = 5;

/** Elements between neighbours along each axis of a dense tensor. */
export function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/**
 * Copies a box out of x into y, of one element type. Axes stand in the order of y, the last with neighbours side by
 * side; five at most, once those that follow each other in both are one.
 */
export function encodeMove(encoder: Encoder, x: Matrix, y: Matrix, whole: Box): void {
  if (whole.axes.some(({ size }) => size === 0)) return;
  const { limits } = encoder;
  const perWord = 4 / bytesPerElement(x.dtype);
  const capacity = windowCapacity(limits, x.dtype);
  for (const box of boxesOf({ ...whole, axes: merged(whole.axes) }, capacity, limits.maxDispatchFlops / 8)) {
    const wx = windowOn(x, box.x, spanOf(box, 'x'));
    const wy = windowOn(y, box.y, spanOf(box, 'y'));
    const axes = [...Array(AXES - box.axes.length).fill({ size: 1, x: 0, y: 0 }), ...box.axes] as Axis[];
    const last = axes.pop()!;
    const rows = axes.reduce((product, { size }) => product * size, 1);
    // Words that a row may touch, wherever it begins.
    const words = Math.ceil((last.size - 1) / perWord) + 1;
    linearGrid(limits, rows * words, 256, (first, count, stride, groups) => {
      encoder.dispatch(
        programs.get(perWord)!,
        [wx, wy],
        [
          ...[first, count, stride, last.size, words, wx.base, wy.base, last.x],
          ...axes.map(({ size }) => size),
          ...axes.map((axis) => axis.x),
          ...axes.map((axis) => axis.y),
        ],
        groups,
        8 * count,
      );
    });
  }
}

/** The same box with fewer axes: none of one entry, and one for two that follow each other in both x and y. */
function merged(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const outer = result.at(-1);
    if (outer && outer.x === axis.size * axis.x && outer.y === axis.size * axis.y) {
      result[result.length - 1] = { ...axis, size: outer.size * axis.size };
    } else {
      result.push(axis);
    }
  }
  // A row is always there, and its neighbours lie side by side in y.
  return result.at(-1)?.y === 1 ? result : [...result, { size: 1, x: 0, y: 1 }];
}

/** Elements from the first to the last. */
function spanOf({ axes }: Box, side: 'x' | 'y'): number {
  return axes.reduce((span, axis) => span + (axis.size - 1) * axis[side], 1);
}

/** Halves a box along its farthest axis until both its sides fit a window and its work a dispatch. */
function* boxesOf(box: Box, capacity: number, most: number): Generator<Box> {
  const [x, y] = [spanOf(box, 'x'), spanOf(box, 'y')];
  const count = box.axes.reduce((product, { size }) => product * size, 1);
  if (Math.max(x, y) <= capacity && (count <= most || count === 1)) {
    yield box;
    return;
  }
  const side = x > y ? 'x' : 'y';
  const reach = box.axes.map((axis) => (axis.size - 1) * axis[side]);
  const cut = reach.indexOf(Math.max(...reach));
  const axis = box.axes[cut]!;
  const size = Math.ceil(axis.size / 2);
  const withSize = (size: number) => box.axes.map((each, i) => (i === cut ? { ...axis, size } : each));
  yield* boxesOf({ ...box, axes: withSize(size) }, capacity, most);
  yield* boxesOf(
    { axes: withSize(axis.size - size), x: box.x + size * axis.x, y: box.y + size * axis.y },
    capacity,
    most,
  );
}
