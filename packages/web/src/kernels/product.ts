import type { KernelLimits } from '../limits.ts';
import { f32Bits, type Program } from '../queue/program.ts';
import tiled from './gemm.wgsl';
import common from './gemm_common.wgsl';
import direct from './gemm_direct.wgsl';
import { type Encoder, type Matrix, type Piece, pieces, stepOf, windowCapacity, windowOn } from './kernel.ts';

/** y = alpha op(a) op(b) + beta c + bias; the matrix product that gemm and all blocked algorithms are made of. */
export interface Product {
  readonly a: Matrix;
  readonly transA: boolean;
  readonly b: Matrix;
  readonly transB: boolean;
  readonly y: Matrix;
  readonly alpha: number;
  readonly c?: Matrix | undefined;
  readonly beta?: number;
  readonly bias?: Matrix | undefined;
  /** Adds to y instead. */
  readonly accumulate?: boolean;
  /** Computes the lower triangle only; `mirrored` stores it above the diagonal as well. */
  readonly triangle?: 'lower' | 'mirrored';
  /** Products of one shape, each on its own; the operands are those of the first. */
  readonly planes?: Planes;
}

/** How many planes there are, and the elements between an operand's two: 0 where all share it. */
export interface Planes {
  readonly count: number;
  readonly steps: Readonly<Record<'a' | 'b' | 'c' | 'bias' | 'y', number>>;
}

const ONE_PLANE: Planes = { count: 1, steps: { a: 0, b: 0, c: 0, bias: 0, y: 0 } };

const ACCESS = ['read', 'read', 'read', 'read', 'read_write'] as const;

function variants(name: string, code: string): Program[] {
  return [0, 1, 2, 3].map((index) => ({
    name,
    code: common + code,
    access: ACCESS,
    constants: { TRANS_A: index & 1, TRANS_B: index >> 1 },
  }));
}

const TILED = variants('gemm', tiled);
const DIRECT = variants('gemm_direct', direct);

export function productPrograms({ avoidBarriers }: KernelLimits): readonly Program[] {
  return avoidBarriers ? DIRECT : TILED;
}

const TRIANGLE = { all: 0, lower: 1, mirrored: 2 } as const;

export function encodeProduct(encoder: Encoder, product: Product): void {
  const { a, transA, b, y, c, planes = ONE_PLANE } = product;
  const { limits } = encoder;
  const [m, n, k] = [y.rows, y.cols, transA ? a.rows : a.cols];
  if (m === 0 || n === 0) return;
  const tile = limits.avoidBarriers ? 32 : 64;
  const steps = stepsOf(limits, product, m, n, k, tile);
  const whole = steps.m >= m && steps.n >= n && steps.k >= k;
  // Operands of several planes lie in one window, where it has room for them.
  const together = (x: Matrix | undefined, step: number) =>
    !x || step === 0 ? Infinity : Math.floor((windowCapacity(limits) - x.rows * x.ld) / step) + 1;
  const most = Math.min(
    ...[together(a, planes.steps.a), together(b, planes.steps.b), together(c, planes.steps.c)],
    ...[together(product.bias, planes.steps.bias), together(y, planes.steps.y)],
    ...[limits.maxWorkgroups, Math.floor(limits.maxDispatchFlops / (2 * m * n * Math.max(1, k)))],
  );
  for (const some of pieces(planes.count, whole ? Math.max(1, most) : 1)) {
    encodePlanes(encoder, { ...product, planes }, some, steps, tile);
  }
}

function encodePlanes(
  encoder: Encoder,
  product: Product & { readonly planes: Planes },
  some: Piece,
  steps: Readonly<Record<'m' | 'n' | 'k', number>>,
  tile: number,
): void {
  const { a, transA, b, transB, y, alpha, c, beta = 0, bias, planes } = product;
  const { limits } = encoder;
  const [m, n, k] = [y.rows, y.cols, transA ? a.rows : a.cols];
  const program = productPrograms(limits)[(transA ? 1 : 0) + (transB ? 2 : 0)]!;
  const step = planes.steps;
  const fits = (m - 1) * y.ld + n <= windowCapacity(limits);
  // The mirror image of a piece may lie outside its window: then both triangles are computed. They come out equal,
  // as each entry is summed in the same order.
  const triangle = product.triangle === 'mirrored' && !fits ? 'all' : (product.triangle ?? 'all');
  /** A window on a rectangle of each of the planes. */
  const windowOf = (x: Matrix, between: number, row: number, rows: number, col: number, cols: number) =>
    windowOn(
      x,
      some.start * between + row * x.ld + col,
      (some.size - 1) * between + Math.max(0, rows - 1) * x.ld + cols,
    );
  for (const rows of pieces(m, steps.m)) {
    for (const cols of pieces(n, steps.n)) {
      if (triangle !== 'all' && cols.start > rows.start + rows.size - 1) continue;
      for (const depth of k === 0 ? [{ start: 0, size: 0 }] : pieces(k, steps.k)) {
        const first = depth.start === 0;
        const wa = transA
          ? windowOf(a, step.a, depth.start, depth.size, rows.start, rows.size)
          : windowOf(a, step.a, rows.start, rows.size, depth.start, depth.size);
        const wb = transB
          ? windowOf(b, step.b, cols.start, cols.size, depth.start, depth.size)
          : windowOf(b, step.b, depth.start, depth.size, cols.start, cols.size);
        const withC = first && c !== undefined && beta !== 0;
        const withBias = first && bias !== undefined;
        const wc = withC ? windowOf(c, step.c, rows.start, rows.size, cols.start, cols.size) : wa;
        const wbias = withBias ? windowOf(bias, step.bias, 0, 1, cols.start, cols.size) : wa;
        const whole = triangle === 'mirrored';
        const wy = whole
          ? windowOf(y, step.y, 0, m, 0, n)
          : windowOf(y, step.y, rows.start, rows.size, cols.start, cols.size);
        const at = whole ? wy.base + rows.start * y.ld + cols.start : wy.base;
        encoder.dispatch(
          program,
          [wa, wb, wc, wbias, wy],
          [
            ...[rows.size, cols.size, depth.size],
            ...[wa.base, a.ld, step.a, wb.base, b.ld, step.b],
            ...[wc.base, c?.ld ?? 0, step.c, wbias.base, step.bias, at, y.ld, step.y],
            ...[f32Bits(alpha), f32Bits(beta)],
            ...[Number(withC), Number(withBias), Number(product.accumulate === true || !first)],
            ...[TRIANGLE[triangle], rows.start, cols.start, wy.base],
          ],
          [Math.ceil(cols.size / tile), Math.ceil(rows.size / tile), some.size],
          2 * rows.size * cols.size * Math.max(1, depth.size) * some.size,
        );
      }
    }
  }
}

/** Extents of a piece: its windows fit the bindings, its grid the dispatch limit, its work the time limit. */
function stepsOf(
  limits: KernelLimits,
  { a, transA, b, transB, y, c }: Product,
  m: number,
  n: number,
  k: number,
  tile: number,
) {
  const capacity = windowCapacity(limits);
  // Rows of `ld` elements, the last of `length`, that a window holds.
  const rowsIn = (ld: number, length: number) => Math.max(1, Math.floor((capacity - length) / ld) + 1);
  const most = limits.maxWorkgroups * tile;
  let stepK = Math.min(k, capacity);
  if (transA) stepK = Math.min(stepK, rowsIn(a.ld, Math.min(m, capacity)));
  if (!transB) stepK = Math.min(stepK, rowsIn(b.ld, Math.min(n, capacity)));
  stepK = Math.max(1, stepOf(k, stepK, 128));
  let stepN = stepOf(n, Math.min(most, capacity, transB ? rowsIn(b.ld, stepK) : n), tile);
  let stepM = Math.min(most, capacity, rowsIn(y.ld, stepN), c ? rowsIn(c.ld, stepN) : m);
  stepM = stepOf(m, Math.min(stepM, transA ? m : rowsIn(a.ld, stepK)), tile);
  // Splitting rows and columns changes no sum.
  const affordable = limits.maxDispatchFlops / (2 * stepK);
  if (stepM * stepN > affordable)
    stepM = stepOf(m, Math.min(stepM, Math.max(tile, affordable / stepN)), tile);
  if (stepM * stepN > affordable)
    stepN = stepOf(n, Math.min(stepN, Math.max(tile, affordable / stepM)), tile);
  return { m: stepM, n: stepN, k: stepK };
}
