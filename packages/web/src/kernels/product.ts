import type { KernelLimits } from '../limits.ts';
import { f32Bits, type Program } from '../queue/program.ts';
import tiled from './gemm.wgsl';
import common from './gemm_common.wgsl';
import direct from './gemm_direct.wgsl';
import {
  type Encoder,
  type Matrix,
  pieces,
  stepOf,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';

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
}

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
  const { a, transA, b, transB, y, alpha, c, beta = 0, bias } = product;
  const { limits } = encoder;
  const [m, n, k] = [y.rows, y.cols, transA ? a.rows : a.cols];
  if (m === 0 || n === 0) return;
  const program = productPrograms(limits)[(transA ? 1 : 0) + (transB ? 2 : 0)]!;
  const tile = limits.avoidBarriers ? 32 : 64;

  const fits = (m - 1) * y.ld + n <= windowCapacity(limits);
  // The mirror image of a piece may lie outside its window: then both triangles are computed. They come out equal,
  // as each entry is summed in the same order.
  const triangle = product.triangle === 'mirrored' && !fits ? 'all' : (product.triangle ?? 'all');
  const steps = stepsOf(limits, product, m, n, k, tile);
  for (const rows of pieces(m, steps.m)) {
    for (const cols of pieces(n, steps.n)) {
      if (triangle !== 'all' && cols.start > rows.start + rows.size - 1) continue;
      for (const depth of k === 0 ? [{ start: 0, size: 0 }] : pieces(k, steps.k)) {
        const first = depth.start === 0;
        const wa = transA
          ? windowOnPart(a, depth.start, depth.size, rows.start, rows.size)
          : windowOnPart(a, rows.start, rows.size, depth.start, depth.size);
        const wb = transB
          ? windowOnPart(b, cols.start, cols.size, depth.start, depth.size)
          : windowOnPart(b, depth.start, depth.size, cols.start, cols.size);
        const withC = first && c !== undefined && beta !== 0;
        const withBias = first && bias !== undefined;
        const wc = withC ? windowOnPart(c, rows.start, rows.size, cols.start, cols.size) : wa;
        const wbias = withBias ? windowOn(bias, cols.start, cols.size) : wa;
        const whole = triangle === 'mirrored';
        const wy = whole
          ? windowOnPart(y, 0, m, 0, n)
          : windowOnPart(y, rows.start, rows.size, cols.start, cols.size);
        const at = whole ? wy.base + rows.start * y.ld + cols.start : wy.base;
        encoder.dispatch(
          program,
          [wa, wb, wc, wbias, wy],
          [
            ...[rows.size, cols.size, depth.size],
            ...[wa.base, a.ld, wb.base, b.ld],
            ...[wc.base, c?.ld ?? 0, wbias.base, at, y.ld],
            ...[f32Bits(alpha), f32Bits(beta)],
            ...[Number(withC), Number(withBias), Number(product.accumulate === true || !first)],
            ...[TRIANGLE[triangle], rows.start, cols.start, wy.base],
          ],
          [Math.ceil(cols.size / tile), Math.ceil(rows.size / tile), 1],
          2 * rows.size * cols.size * Math.max(1, depth.size),
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
