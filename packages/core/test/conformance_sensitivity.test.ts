/** The tolerances: tight enough to catch mistakes, wide enough for honest float32. */
import { describe, expect, it } from 'vitest';
import { KnownCases, runConformance } from '../conformance/index.ts';
import { type Backend, roundTo } from '../src/index.ts';
import type { ReferenceKernel, View } from '../src/reference/kernel.ts';
import { columnStats, cosine, gemm, pearson, textbookStats } from './float32.ts';
import { after, before, failedTypes, mapped, withKernel } from './mutants.ts';

const known = new KnownCases();

async function failuresOf(backend: Backend, filter: RegExp): Promise<string[]> {
  const report = await runConformance(backend, { filter, known });
  await backend.dispose();
  return report.results.filter(({ status }) => status === 'failed').map(({ id }) => id);
}

describe('a correct float32 implementation passes', () => {
  it.each<[string, ReferenceKernel]>([
    ['gemm', gemm],
    ['column_stats', columnStats],
    ['pearson_columns', pearson],
    ['cosine_matrix', cosine],
  ])('%s', async (op, kernel) => {
    expect(await failuresOf(withKernel(op, kernel), new RegExp(`^${op}/f32/`))).toEqual([]);
  });
});

/** Each must fail at least one case of its op, in both types unless the mistake only exists in one. */
const mutants: [op: string, name: string, kernel: ReferenceKernel, filter?: RegExp][] = [
  ['gemm', 'a result scaled by 1 + 1e-4', after('gemm', scale(1 + 1e-4))],
  ['gemm', 'a result scaled by 1 + 1e-5', after('gemm', scale(1 + 1e-5))],
  [
    'gemm',
    'operands rounded to bfloat16',
    before('gemm', ([a, b, c, d]) => ({
      inputs: [mapped(a, (v) => roundTo('bf16', v)), mapped(b, (v) => roundTo('bf16', v)), c, d],
    })),
  ],
  [
    'gemm',
    'the last term of each sum left out',
    before('gemm', ([a, ...rest], { transA }) => {
      const [rows, cols] = a!.shape.slice(-2) as [number, number];
      const k = transA ? rows : cols;
      return {
        inputs: [
          mapped(a, (v, i) => ((transA ? Math.floor(i / cols) % rows : i % cols) === k - 1 ? 0 : v)),
          ...rest,
        ],
      };
    }),
  ],
  ['gemm', 'bias ignored', before('gemm', ([a, b, c]) => ({ inputs: [a, b, c, undefined] }))],
  ['gemm', 'c ignored', before('gemm', ([a, b, , d]) => ({ inputs: [a, b, undefined, d] }))],
  ['gemm', 'alpha ignored', before('gemm', () => ({ attributes: { alpha: 1 } }))],
  ['gemm', 'beta taken as 1', before('gemm', () => ({ attributes: { beta: 1 } }))],
  [
    'gemm',
    'every plane by the first b',
    before('gemm', ([a, b, ...rest]) => ({
      inputs: [a, b!.shape.length === 3 ? firstPlanes(b!) : b, ...rest],
    })),
    /a batch of/,
  ],
  [
    'gemm',
    'the first bias for all planes',
    before('gemm', ([a, b, c, bias]) => ({
      inputs: [a, b, c, bias?.shape.length === 2 ? firstPlanes(bias) : bias],
    })),
    /a batch of/,
  ],
  [
    'gemm',
    'the last plane forgotten',
    after('gemm', (y, [v]) => void (v!.shape.length === 3 && y.fill(0, y.length - y.length / v!.shape[0]!))),
    /a batch of/,
  ],
  ['gemm', 'a NaN replaced by 0', after('gemm', replace(Number.isNaN, 0))],
  [
    'gemm',
    'one entry forgotten',
    after('gemm', (y) => {
      if (y.length > 1) y[y.length - 1] = 0;
    }),
  ],
  ['gram', 'one triangle only', after('gram', (y, [v]) => zeroUpper(y, v!.shape[0]!))],
  ['gram', 'alpha ignored', before('gram', () => ({ attributes: { alpha: 1 } }))],
  ['cholesky_factor', 'shift ignored', before('cholesky_factor', () => ({ attributes: { shift: 0 } }))],
  [
    'cholesky_factor',
    'garbage above the diagonal',
    after('cholesky_factor', (y) => {
      if (y.length > 1) y[1] = 1e-30;
    }),
  ],
  ['cholesky_factor', 'scaled by 1 + 1e-4', after('cholesky_factor', scale(1 + 1e-4))],
  [
    'cholesky_solve',
    'only the forward half',
    before('cholesky_solve', ([l, b]) => ({ inputs: [l && diagonalOf(l), b] })),
  ],
  ['cholesky_solve', 'scaled by 1 + 1e-4', after('cholesky_solve', scale(1 + 1e-4))],
  [
    'triangular_solve',
    'transpose ignored',
    before('triangular_solve', () => ({ attributes: { transpose: false } })),
  ],
  ['eigh', 'eigenvectors of either sign', after('eigh', (_, [, q]) => scale(-1)(q!.data))],
  ['eigh', 'descending', after('eigh', (w) => w.reverse())],
  [
    'eigh',
    'vectors that are not quite orthogonal',
    after('eigh', (_, [, q]) => {
      q!.data[0]! += 1e-4;
    }),
  ],
  ['eigh', 'transposed vectors', after('eigh', (_, [, q]) => transposeInPlace(q!.data, q!.shape[0]!))],
  ['column_stats', 'ddof ignored', before('column_stats', () => ({ attributes: { ddof: 0 } }))],
  [
    'column_stats',
    'a tiny deviation of constant columns',
    after('column_stats', (_, [, std]) => replace((v) => v === 0, 1e-9)(std!.data)),
  ],
  ['column_stats', 'the textbook variance', textbookStats, /^column_stats\/f32/],
  [
    'standardize',
    'division by a zero deviation',
    before('standardize', ([x, m, s]) => ({ inputs: [x, m, s && mapped(s, (v) => v || 1e-300)] })),
  ],
  [
    'standardize',
    'mean added',
    before('standardize', ([x, m, s]) => ({ inputs: [x, m && mapped(m, (v) => -v), s] })),
  ],
  [
    'pearson_columns',
    'NaN for constant columns',
    after(
      'pearson_columns',
      replace((v) => v === 0, NaN),
    ),
  ],
  ['pearson_columns', 'scaled by 1 - 1e-5', after('pearson_columns', scale(1 - 1e-5))],
  [
    'cosine_matrix',
    'NaN for zero rows',
    after(
      'cosine_matrix',
      replace((v) => v === 0, NaN),
    ),
  ],
  ['cosine_matrix', 'scaled by 1 - 1e-5', after('cosine_matrix', scale(1 - 1e-5))],
  ['top_k', 'always the largest', before('top_k', () => ({ attributes: { smallest: false } }))],
  [
    'top_k',
    'ties in another order',
    before('top_k', ([x]) => ({ inputs: [mapped(x, (v, i) => v + i * 1e-12)] })),
    /^top_k\/f64/,
  ],
  [
    'top_k',
    'NaN taken for infinity',
    before('top_k', ([x]) => ({ inputs: [mapped(x, (v) => (Number.isNaN(v) ? Infinity : v))] })),
  ],
  [
    'elementwise',
    'integers that do not wrap',
    before('elementwise', ([a, b]) => ({ inputs: [{ ...a!, dtype: 'f64' }, b] })),
    /^elementwise\/i32/,
  ],
  [
    'elementwise',
    'a column read as a row',
    before('elementwise', ([a, b]) => ({
      inputs: [a, b && b.shape.at(-1) === 1 ? { ...b, shape: [1, b.data.length] } : b],
    })),
  ],
  ['elementwise', 'max that loses NaN', after('elementwise', replace(Number.isNaN, 1))],
  [
    'elementwise',
    'ten units in the last place',
    after('elementwise', scale(1 + 10 * 2 ** -23)),
    /^elementwise\/f32\/(?!.*65,535)/,
  ],
  [
    'gather',
    'rows in ascending order',
    before('gather', (_, { rows }) => ({
      attributes: { rows: rows && (rows as Int32Array).slice().sort() },
    })),
  ],
  [
    'cast',
    'rounding to the nearest integer',
    before('cast', ([x], { dtype }) => ({
      inputs: [dtype === 'i32' || dtype === 'u8' ? mapped(x, Math.round) : x],
    })),
  ],
  ['cast', 'rounding twice', before('cast', ([x]) => ({ inputs: [mapped(x, Math.fround)] })), /^cast\/f64/],
  [
    'cast',
    'rounding half away from zero',
    before('cast', ([x], { dtype }) => ({
      inputs: [dtype === 'f16' ? mapped(x, (v) => v * (1 + 1e-9)) : x],
    })),
  ],
];

/** A mistake must show in small cases already; the large ones would only cost time. */
function smallCasesOf(op: string): RegExp {
  return new RegExp(`^${op}/(?!.*(several blocks|65,535|later block|n = 130|long|129x65x40))`);
}

describe('a wrong implementation fails', () => {
  it.each(mutants.map(([op, name, kernel, filter]) => ({ op, name, kernel, filter })))(
    '$op: $name',
    async ({ op, kernel, filter }) => {
      const failed = await failedTypes(withKernel(op, kernel), filter ?? smallCasesOf(op), known);
      expect(failed.size).toBeGreaterThan(0);
      if (!filter && op !== 'cast') expect([...failed]).toEqual(expect.arrayContaining(['f32', 'f64']));
    },
    120_000,
  );
});

function scale(factor: number) {
  return (y: Float64Array) =>
    y.forEach((value, i) => {
      y[i] = value * factor;
    });
}

/** Replaces the values that `pick` accepts. */
function replace(pick: (value: number) => boolean, by: number) {
  return (y: Float64Array) =>
    y.forEach((value, i) => {
      if (pick(value)) y[i] = by;
    });
}

function zeroUpper(y: Float64Array, n: number): void {
  y.forEach((_, index) => {
    if (index % n > Math.floor(index / n)) y[index] = 0;
  });
}

/** A matrix of the diagonal of l, so that a solve with lᵀ does half of its work. */
function diagonalOf(l: View): View {
  const n = l.shape[0]!;
  return mapped(l, (value, index) => (index % n === Math.floor(index / n) ? value : 0));
}

function transposeInPlace(q: Float64Array, n: number): void {
  const copy = q.slice();
  q.forEach((_, index) => {
    q[index] = copy[(index % n) * n + Math.floor(index / n)]!;
  });
}

/** The first plane in place of all. */
function firstPlanes(x: View): View {
  const size = x.data.length / x.shape[0]!;
  return mapped(x, (_, index) => x.data[index % size]!);
}
