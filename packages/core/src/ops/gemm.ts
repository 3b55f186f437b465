import type { Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat, vector } from './op.ts';

export interface GemmAttributes {
  readonly [name: string]: number | boolean;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
}

/** Inputs: a, b, c?, bias?. */
export const gemmSpec: OpSpec<GemmAttributes> = {
  name: 'gemm',
  family: 'reduction',
  infer([a, b, c, bias], { transA, transB }) {
    const dtype = sameFloat('gemm', [a, b, c, bias]);
    const [aRows, aCols] = matrix('gemm', 'a', a);
    const [bRows, bCols] = matrix('gemm', 'b', b);
    const [m, k] = transA ? [aCols, aRows] : [aRows, aCols];
    const [kB, n] = transB ? [bCols, bRows] : [bRows, bCols];
    if (k !== kB) throw fail('gemm', 'inner extents differ', `op(b) with ${k} rows`, `${kB}`);
    if (c) {
      const [cRows, cCols] = matrix('gemm', 'c', c);
      if (cRows !== m || cCols !== n)
        throw fail('gemm', 'c has the wrong shape', `[${m}, ${n}]`, `[${c.shape}]`);
    }
    vector('gemm', 'bias', bias, n);
    return [{ shape: [m, n], dtype }];
  },
  flops([a, b], { transA, transB }) {
    return 2 * a!.shape[transA ? 1 : 0]! * a!.shape[transA ? 0 : 1]! * b!.shape[transB ? 0 : 1]!;
  },
};

export interface GemmOptions extends OpOptions {
  transA?: boolean;
  transB?: boolean;
  alpha?: number;
  /** Factor of `c`; 1 when `c` is given. */
  beta?: number;
  /** Added after scaling: [m, n]. */
  c?: Tensor | undefined;
  /** Added to every row: [n]. */
  bias?: Tensor | undefined;
}

/**
 * Matrix product `alpha op(a) op(b) + beta c + bias`.
 *
 * @param a [m, k], or [k, m] with `transA`
 * @param b [k, n], or [n, k] with `transB`
 * @returns [m, n]
 * @example const betasToLatents = gemm(betas, weights, { transB: true, bias });
 */
export function gemm(a: Tensor, b: Tensor, options: GemmOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1, c, bias } = options;
  const beta = options.beta ?? (c ? 1 : 0);
  return runOp(gemmSpec, [a, b, c, bias], { transA, transB, alpha, beta }, options)[0]!;
}
