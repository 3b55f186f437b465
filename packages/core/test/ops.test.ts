import { afterAll, describe, expect, it } from 'vitest';
import {
  abs,
  add,
  asMatrix,
  cast,
  choleskyFactor,
  choleskySolve,
  columnStats,
  cosineMatrix,
  createReferenceBackend,
  div,
  eigh,
  exp,
  gather,
  gemm,
  gram,
  log,
  maximum,
  minimum,
  mul,
  neg,
  ops,
  pearsonColumns,
  sqrt,
  squareOf,
  standardize,
  sub,
  type Tensor,
  topK,
  triangularSolve,
} from '../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const f64 = (shape: number[], ...values: number[]) => backend.tensor(Float64Array.from(values), shape);
const values = async (tensor: Tensor) => Array.from(await tensor.download());

/** The functions that users call: defaults, the order of operands, names of outputs. Numbers done by hand. */
describe('ops', () => {
  const a = f64([2, 2], 1, 2, 3, 4);
  const b = f64([2, 2], 5, 6, 7, 8);

  it('gemm: c counts once unless beta says otherwise', async () => {
    expect(await values(gemm(a, b))).toEqual([19, 22, 43, 50]);
    expect(await values(gemm(a, b, { c: b }))).toEqual([24, 28, 50, 58]);
    expect(await values(gemm(a, b, { c: b, beta: 0 }))).toEqual([19, 22, 43, 50]);
    expect(await values(gemm(a, b, { transA: true, alpha: 2 }))).toEqual([52, 60, 76, 88]);
    expect(await values(gemm(a, b, { transB: true, bias: f64([2], 100, 200) }))).toEqual([
      117, 223, 139, 253,
    ]);
  });

  it('gram: of rows by default', async () => {
    expect(await values(gram(a))).toEqual([5, 11, 11, 25]);
    expect(await values(gram(a, { of: 'columns', alpha: 0.5 }))).toEqual([5, 7, 7, 10]);
  });

  it('Cholesky: factor, solve and the two triangular solves fit together', async () => {
    const l = choleskyFactor(f64([2, 2], 3, 0, 2, 4), { shift: 1 });
    expect(await values(l)).toEqual([2, 0, 1, 2]);
    const y = f64([2, 1], 8, 9);
    expect(await values(choleskySolve(l, y))).toEqual([1.375, 1.25]);
    expect(await values(triangularSolve(l, y))).toEqual([4, 2.5]);
    expect(await values(triangularSolve(l, triangularSolve(l, y), { transpose: true }))).toEqual([
      1.375, 1.25,
    ]);
  });

  it('eigh: ascending, the largest entry of each vector positive', async () => {
    const { values: w, vectors } = eigh(f64([2, 2], 2, 0, -1, 2));
    const [low = 0, high = 0] = await values(w);
    expect([low, high].map((value) => Math.round(value * 1e14) / 1e14)).toEqual([1, 3]);
    const [q00 = 0, , q10 = 0] = await values(vectors);
    expect(q00 * q10).toBeCloseTo(0.5, 14);
    expect(q00).toBeGreaterThan(0);
  });

  it('columnStats and standardize: population deviation by default', async () => {
    const { mean, std } = columnStats(a);
    expect(await values(mean)).toEqual([2, 3]);
    expect(await values(std)).toEqual([1, 1]);
    expect(await values(columnStats(a, { ddof: 1 }).std)).toEqual([Math.SQRT2, Math.SQRT2]);
    expect(await values(standardize(a, { mean, std }))).toEqual([-1, -1, 1, 1]);
    expect(await values(standardize(a, { std: f64([2], 0, 2) }))).toEqual([0, 1, 0, 2]);
  });

  it('correlations and cosines', async () => {
    const x = f64([4, 2], 1, 5, 1, 5, 3, 5, 3, 5);
    expect(await values(pearsonColumns(x, f64([4, 2], 3, 1, 3, 2, 1, 3, 1, 4)))).toEqual([-1, 0]);
    expect(await values(cosineMatrix(f64([1, 2], 3, 4), f64([3, 2], 3, 4, 0, 0, -4, 3)))).toEqual([1, 0, 0]);
  });

  it('topK: largest by default, best first', async () => {
    const x = f64([1, 4], 3, NaN, 7, 3);
    const { values: best, indices } = topK(x, 3);
    expect(await values(best)).toEqual([7, 3, 3]);
    expect(await indices.download()).toEqual(Int32Array.of(2, 0, 3));
    expect(await values(topK(x, 4, { smallest: true }).indices)).toEqual([0, 3, 2, 1]);
  });

  it('gather and cast', async () => {
    const rows = [1, 1];
    const picked = gather(a, { rows, cols: Int32Array.of(1) });
    rows[0] = 0;
    expect(await values(picked)).toEqual([4, 4]);
    expect(await cast(f64([2], 2.7, -2.7), 'i32').download()).toEqual(Int32Array.of(2, -2));
  });

  it.each<[string, () => Tensor, number[]]>([
    ['add', () => add(a, b), [6, 8, 10, 12]],
    ['sub a scalar', () => sub(a, 1), [0, 1, 2, 3]],
    ['mul by a vector, for every row', () => mul(a, f64([2], 10, 100)), [10, 200, 30, 400]],
    ['div by a column', () => div(a, f64([2, 1], 1, 2)), [1, 2, 1.5, 2]],
    ['maximum', () => maximum(a, 2.5), [2.5, 2.5, 3, 4]],
    ['minimum', () => minimum(a, f64([1, 2], 2, 3)), [1, 2, 2, 3]],
    ['neg', () => neg(a), [-1, -2, -3, -4]],
    ['abs', () => abs(neg(a)), [1, 2, 3, 4]],
    ['sqrt', () => sqrt(f64([2], 4, 9)), [2, 3]],
    ['squareOf', () => squareOf(a), [1, 4, 9, 16]],
    ['exp', () => exp(f64([1], 0)), [1]],
    ['log', () => log(f64([1], 1)), [0]],
  ])('%s', async (_, op, wanted) => {
    expect(await values(op())).toEqual(wanted);
  });

  it('asMatrix: leading axes are rows, a vector is one row', () => {
    expect([[], [3], [2, 3], [2, 3, 5]].map((shape) => asMatrix(shape))).toEqual([
      [1, 1],
      [1, 3],
      [2, 3],
      [6, 5],
    ]);
  });
});

describe('flops', () => {
  const spec = (...shape: number[]) => ({ shape, dtype: 'f32' as const });
  const flops = (op: string, inputs: ReturnType<typeof spec>[], attributes = {}) =>
    ops.get(op)!.flops(inputs, attributes);

  it('count what the algorithm needs', () => {
    // 2 m n k with [m, k] = [k', m'] transposed.
    expect(flops('gemm', [spec(3, 5), spec(5, 7)], { transA: false, transB: false })).toBe(2 * 3 * 5 * 7);
    expect(flops('gemm', [spec(5, 3), spec(7, 5)], { transA: true, transB: true })).toBe(2 * 3 * 5 * 7);
    // n (n + 1) / 2 entries of k products and sums.
    expect(flops('gram', [spec(3, 5)], { columns: false })).toBe(2 * 6 * 5);
    expect(flops('gram', [spec(3, 5)], { columns: true })).toBe(2 * 15 * 3);
    // sum over pivots j of (n - j)^2, in multiply-adds and roots: n^3 / 3 at the limit.
    expect(flops('cholesky_factor', [spec(900, 900)]) / (900 ** 3 / 3)).toBeCloseTo(1, 2);
    expect(flops('cholesky_solve', [spec(4, 4), spec(4, 3)])).toBe(2 * 16 * 3);
    expect(flops('triangular_solve', [spec(4, 4), spec(4, 3)])).toBe(16 * 3);
  });
});
