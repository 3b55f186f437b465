import { describe, type Shape, type Tensor, type TensorSpec } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';

export interface GemmAttributes {
  readonly [name: string]: number | boolean;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
}

/** Products of one shape, each on its own: how many there are, and whether all have the same b. */
export function gemmBatch([a, b]: readonly (TensorSpec | undefined)[]): { batch: number; sharedB: boolean } {
  const batched = a!.shape.length === 3;
  return { batch: batched ? a!.shape[0]! : 1, sharedB: batched && b!.shape.length === 2 };
}

/** Inputs: a, b, c?, bias?. */
export const gemmSpec: OpSpec<GemmAttributes> = {
  name: 'gemm',
  family: 'reduction',
  infer([a, b, c, bias], { transA, transB }) {
    const dtype = sameFloat('gemm', [a, b, c, bias]);
    const batch = a!.shape.length === 3 ? a!.shape[0]! : undefined;
    const [aRows, aCols] = plane('a', a, batch);
    const [bRows, bCols] = b?.shape.length === 2 ? matrix('gemm', 'b', b) : plane('b', b, batch);
    const [m, k] = transA ? [aCols, aRows] : [aRows, aCols];
    const [kB, n] = transB ? [bCols, bRows] : [bRows, bCols];
    if (k !== kB) throw fail('gemm', 'inner extents differ', `op(b) with ${k} rows`, `${kB}`);
    const shape = batch === undefined ? [m, n] : [batch, m, n];
    oneOf('c', c, [shape]);
    oneOf('bias', bias, batch === undefined ? [[n]] : [[n], [batch, n]]);
    return [{ shape, dtype }];
  },
  flops([a, b], { transA, transB }) {
    const [rows, cols] = a!.shape.slice(-2) as [number, number];
    const { batch } = gemmBatch([a, b]);
    return 2 * batch * (transA ? cols : rows) * (transA ? rows : cols) * b!.shape.at(transB ? -2 : -1)!;
  },
};

/** Extents of each plane of a batch; of the operand itself where there is none. */
function plane(
  name: string,
  spec: TensorSpec | undefined,
  batch: number | undefined,
): [rows: number, cols: number] {
  if (batch === undefined) {
    if (spec?.shape.length === 2) return matrix('gemm', name, spec);
    const expected =
      name === 'a' ? '[m, k] or [batch, m, k]' : 'two axes beside a of two; three beside three';
    throw fail('gemm', `${name} has the wrong number of axes`, expected, spec ? describe(spec) : 'nothing');
  }
  if (spec?.shape.length !== 3 || spec.shape[0] !== batch) {
    const expected = name === 'b' ? `[${batch}, rows, cols] or [rows, cols]` : `[${batch}, rows, cols]`;
    throw fail('gemm', `${name} must have the planes of a`, expected, spec ? describe(spec) : 'nothing');
  }
  return [spec.shape[1]!, spec.shape[2]!];
}

function oneOf(name: string, spec: TensorSpec | undefined, shapes: readonly Shape[]): void {
  if (!spec || shapes.some((shape) => `${shape}` === `${spec.shape}`)) return;
  const expected = shapes.map((shape) => `[${shape.join(', ')}]`).join(' or ');
  throw fail('gemm', `${name} has the wrong shape`, expected, describe(spec));
}

export interface GemmOptions extends OpOptions {
  transA?: boolean;
  transB?: boolean;
  alpha?: number;
  /** Factor of `c`; 1 when `c` is given. */
  beta?: number;
  /** Added after scaling: [m, n]; [batch, m, n]. */
  c?: Tensor | undefined;
  /** Added to every row: [n]; [batch, n] for rows of each plane. */
  bias?: Tensor | undefined;
}

/**
 * Matrix product `alpha op(a) op(b) + beta c + bias`; or of each plane of a batch, in one op: of many small products
 * one op each would cost more than the arithmetic. On the CPU a plane has the bits that it has alone.
 *
 * @param a [m, k], or [k, m] with `transA`; [batch, m, k] or [batch, k, m]
 * @param b [k, n], or [n, k] with `transB`, of all planes; or [batch, k, n], [batch, n, k]: each plane's own
 * @returns [m, n]; [batch, m, n]
 * @example const betasToLatents = gemm(betas, weights, { transB: true, bias });
 */
export function gemm(a: Tensor, b: Tensor, options: GemmOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1, c, bias } = options;
  const beta = options.beta ?? (c ? 1 : 0);
  return runOp(gemmSpec, [a, b, c, bias], { transA, transB, alpha, beta }, options)[0]!;
}
