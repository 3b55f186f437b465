import {
  type Attributes,
  bytesPerElement,
  type F2iError,
  type Shape,
  type TensorSpec,
} from '@fmri2image/core';
import { BINDING_ALIGNMENT, type KernelLimits } from '../limits.ts';
import type { Binding } from '../queue/commands.ts';
import type { PooledBuffer } from '../queue/pool.ts';
import type { Program } from '../queue/program.ts';

/** How an op runs on this backend. One file an op, beside its shader. */
// biome-ignore lint/suspicious/noExplicitAny: kernels of all ops live in one table
export interface Kernel<A extends Attributes = any> {
  /** What `prepare` compiles: all that the op may need on such a device. */
  programs(limits: KernelLimits): readonly Program[];
  /** Why these inputs cannot be served, beyond element types. */
  refuses?(
    inputs: readonly (TensorSpec | undefined)[],
    attributes: A,
    limits: KernelLimits,
  ): string | undefined;
  /** Element types of the inputs; f32 when absent. */
  readonly dtypes?: readonly TensorSpec['dtype'][];
  /** Records the work: copies and dispatches, in order. */
  encode(call: KernelCall<A>, encoder: Encoder): void;
  /** What the words mean that a shader wrote into its failure slot. */
  explain?(status: Uint32Array): {
    code: F2iError['code'];
    message: string;
    expected?: string;
    found?: string;
  };
}

export interface KernelCall<A extends Attributes = Attributes> {
  readonly inputs: readonly (KernelOperand | undefined)[];
  readonly outputs: readonly KernelOperand[];
  readonly attributes: A;
}

/** A dense row-major matrix inside a buffer, as kernels see operands; leading axes of a tensor are its rows. */
export interface Matrix {
  readonly buffer: PooledBuffer;
  readonly dtype: TensorSpec['dtype'];
  /** First element, in elements. */
  readonly offset: number;
  readonly rows: number;
  readonly cols: number;
  /** Elements between two rows. */
  readonly ld: number;
}

/** An operand of an op: a matrix that knows the axes of its tensor. */
export interface KernelOperand extends Matrix {
  readonly shape: Shape;
}

/** A part of a buffer, and where in it the wanted element lies. */
export interface Window extends Binding {
  /** Elements between the start of the binding and the first wanted element. */
  readonly base: number;
}

/** The largest index that a shader may use safely as u32, with room for a workgroup's overshoot. */
const MAX_INDEX = 2 ** 31;

/** One dispatch of a series. */
export interface Dispatch {
  readonly program: Program;
  readonly windows: readonly Binding[];
  readonly params: readonly number[];
  readonly groups: readonly [number, number, number];
  readonly cost: number;
}

/** What kernels record their work with. */
export interface Encoder {
  readonly limits: KernelLimits;
  /** A matrix for intermediate results, gone after the op. */
  scratch(rows: number, cols: number, dtype?: 'f32' | 'i32'): Matrix;
  /** Host values on the device, gone after the op. */
  constants(values: Int32Array | Uint32Array | Float32Array): Matrix;
  /** Copies a matrix onto one of the same extents, both without gaps between rows. */
  copy(from: Matrix, to: Matrix): void;
  dispatch(
    program: Program,
    windows: readonly Binding[],
    params: readonly number[],
    groups: readonly [number, number, number],
    cost: number,
  ): void;
  /**
   * Many dispatches on the given windows, made only when their turn comes. `progress` is the word of that name in
   * the op's failure slot, as far as the host has heard; 0 before.
   */
  series(windows: readonly Binding[], make: (progress: () => number) => Iterator<Dispatch>): void;
}

// ---- windows --------------------------------------------------------------------------------------------------

/** Elements that one window can hold, whatever its first element. */
export function windowCapacity(limits: KernelLimits, dtype: TensorSpec['dtype'] = 'f32'): number {
  const bytes = Math.min(limits.maxBindingBytes, MAX_INDEX) - 2 * BINDING_ALIGNMENT;
  return Math.floor(bytes / bytesPerElement(dtype));
}

/** Elements that one dispatch may take at this many flops each: those of a window, within the limit of its work. */
export function dispatchCapacity(limits: KernelLimits, flops: number): number {
  return Math.max(64, Math.min(windowCapacity(limits), Math.floor(limits.maxDispatchFlops / flops)));
}

/** A window on `count` elements from `start` (relative to the matrix). */
export function windowOn(x: Matrix, start: number, count: number): Window {
  const bytes = bytesPerElement(x.dtype);
  const first = (x.offset + start) * bytes;
  const end = first + Math.max(1, count) * bytes;
  const offset = first - (first % BINDING_ALIGNMENT);
  // Storage bindings are whole words, and never reach beyond their buffer, whose size is a multiple of 256.
  return { buffer: x.buffer, offset, size: (end - offset + 3) & ~3, base: (first - offset) / bytes };
}

/** A window on a rectangle; what lies between its rows is in it as well. */
export function windowOnPart(x: Matrix, row: number, rows: number, col: number, cols: number): Window {
  return windowOn(x, row * x.ld + col, Math.max(0, rows - 1) * x.ld + cols);
}

/** The same matrix, restricted to a rectangle. */
export function part(x: Matrix, row: number, rows: number, col: number, cols: number): Matrix {
  return { ...x, offset: x.offset + row * x.ld + col, rows, cols };
}

/**
 * Cuts a rows x cols matrix into rectangles whose rows, `ld` elements apart, fit a window: whole rows where one
 * fits, else pieces of one row.
 */
export function* rectangles(
  rows: number,
  cols: number,
  ld: number,
  capacity: number,
): Generator<{ row: number; rows: number; col: number; cols: number }> {
  if (rows === 0 || cols === 0) return;
  if (cols <= capacity) {
    const step = Math.max(1, Math.floor((capacity - cols) / ld) + 1);
    for (let row = 0; row < rows; row += step) {
      yield { row, rows: Math.min(step, rows - row), col: 0, cols };
    }
    return;
  }
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += capacity) {
      yield { row, rows: 1, col, cols: Math.min(capacity, cols - col) };
    }
  }
}

// ---- grids ----------------------------------------------------------------------------------------------------

/**
 * Covers `count` items with workgroups of `size` along x and y; calls back once per dispatch with the first item,
 * the number of items and the items in one row of workgroups, which shaders turn into
 * `item = first + id.y * stride + id.x`.
 */
export function linearGrid(
  limits: KernelLimits,
  count: number,
  size: number,
  body: (first: number, count: number, stride: number, groups: [number, number, number]) => void,
): void {
  const most = limits.maxWorkgroups;
  const stride = Math.min(Math.ceil(count / size), most) * size;
  const step = stride * most;
  for (let first = 0; first < count; first += step) {
    const here = Math.min(step, count - first);
    const y = Math.ceil(here / stride);
    body(first, here, stride, [stride / size, y, 1]);
  }
}

/** Cuts an extent into equal steps of at most `most`, a multiple of `multiple` where that is possible. */
export function stepOf(extent: number, most: number, multiple: number): number {
  if (extent <= most) return extent;
  return most >= multiple ? most - (most % multiple) : Math.max(1, Math.floor(most));
}

export interface Piece {
  readonly start: number;
  readonly size: number;
}

/** Pieces [start, start + size) of an extent. */
export function* pieces(extent: number, step: number): Generator<Piece> {
  for (let start = 0; start < extent; start += step) yield { start, size: Math.min(step, extent - start) };
}

/** A piece of two entries or more in two, the first not the smaller. */
export function halves({ start, size }: Piece): [Piece, Piece] {
  const first = Math.ceil(size / 2);
  return [
    { start, size: first },
    { start: start + first, size: size - first },
  ];
}
