import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  bytesSource,
  createReferenceBackend,
  type Fold,
  fitRidge,
  interceptOf,
  openSafetensors,
  type RidgeOptions,
  targetsInMemory,
  toFloat64,
} from '../src/index.ts';
import { goldensRoot } from './data/helpers/shared_data.ts';

/**
 * Ridge regressions computed by scikit-learn and himalaya in float64. Compared with 1e-6 of the largest value, or
 * 1e-4 where the design is rank-deficient, as their description asks.
 */
interface Case {
  name: string;
  tensors: Map<string, { data: Float64Array; shape: readonly number[] }>;
  grid: number[];
  tolerance: number;
}

const names = existsSync(goldensRoot)
  ? readdirSync(goldensRoot)
      .filter((file) => /^ridge_.*\.safetensors$/.test(file) && !file.includes('banded'))
      .map((file) => file.replace('.safetensors', ''))
  : [];

async function load(name: string): Promise<Case> {
  const path = join(goldensRoot, name);
  const file = await openSafetensors(bytesSource(readFileSync(`${path}.safetensors`), name));
  const tensors = new Map<string, { data: Float64Array; shape: readonly number[] }>();
  for (const key of file.entries.keys()) {
    const array = await file.read(key);
    tensors.set(key, { data: toFloat64(array), shape: array.shape });
  }
  const { hyper } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
  return { name, tensors, grid: hyper.alphas, tolerance: hyper.kind.includes('rankdef') ? 1e-4 : 1e-6 };
}

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

class Problem {
  readonly golden: Case;
  readonly n: number;
  readonly p: number;
  readonly t: number;
  readonly folds: Fold[];
  constructor(golden: Case) {
    this.golden = golden;
    [this.n, this.p] = this.of('in.X').shape as [number, number];
    this.t = this.of('in.Y').shape[1]!;
    const foldOf = this.of('in.fold_of_row').data;
    const rows = Array.from(foldOf, (fold, row) => [fold, row] as const);
    this.folds = [...new Set(foldOf)].map((fold) => ({
      train: rows.filter(([f]) => f !== fold).map(([, row]) => row),
      test: rows.filter(([f]) => f === fold).map(([, row]) => row),
    }));
  }
  of(key: string) {
    const tensor = this.golden.tensors.get(key);
    if (!tensor) throw new Error(`${this.golden.name} has no ${key}`);
    return tensor;
  }
  get targets() {
    return targetsInMemory(this.of('in.Y').data, this.n);
  }
  async fit(options: RidgeOptions) {
    const x = backend.tensor(this.of('in.X').data, [this.n, this.p]);
    const fit = await fitRidge(x, this.targets, { precision: 'f64', ...options });
    x.dispose();
    return fit;
  }
  /** Largest difference relative to the largest stored value. */
  error(key: string, found: ArrayLike<number>): number {
    const { data } = this.of(key);
    expect(found.length, key).toBe(data.length);
    let largest = 0;
    let worst = 0;
    data.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value));
      worst = Math.max(worst, Number.isNaN(found[i]) ? Infinity : Math.abs(value - found[i]!));
    });
    return worst / largest;
  }
  expectClose(key: string, found: ArrayLike<number>) {
    expect(this.error(key, found), key).toBeLessThan(this.golden.tolerance);
  }
  predictions({ values, voxelMean, targetMean }: Awaited<ReturnType<typeof fitRidge>>): Float64Array {
    const { data, shape } = this.of('in.X_test');
    const [m, p] = shape as [number, number];
    const result = new Float64Array(m * this.t);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < this.t; j++) {
        let sum = targetMean[j]!;
        for (let k = 0; k < p; k++) sum += (data[i * p + k]! - voxelMean[k]!) * values[k * this.t + j]!;
        result[i * this.t + j] = sum;
      }
    }
    return result;
  }
}

/** [rows, cols] to [cols, rows]: scikit-learn stores targets by voxels. */
function transposed(values: ArrayLike<number>, rows: number): Float64Array {
  const cols = values.length / rows;
  return Float64Array.from(
    { length: values.length },
    (_, i) => values[(i % rows) * cols + Math.floor(i / rows)]!,
  );
}

/** Alphas of the grid are stored in float32. */
const asStored = (alphas: Float64Array) => Array.from(alphas, Math.fround);

const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');

if (names.length === 0) {
  const find = required ? it : it.skip;
  find(`ridge goldens (none in ${goldensRoot})`, () => {
    expect.unreachable('F2I_REQUIRE asks for goldens');
  });
}

describe.each(names)('%s', (name) => {
  const forms = ['primal', 'dual'] as const;

  it.each(forms)('equals sklearn Ridge at fixed alphas, %s', async (form) => {
    const problem = new Problem(await load(name));
    for (const key of problem.golden.tensors.keys()) {
      const match = /^(out\.sk_ridge\.alpha([\d.]+)\.\w+\.(no)?icpt)\.coef$/.exec(key);
      if (!match) continue;
      const intercept = match[3] === undefined;
      const fit = await problem.fit({ alpha: Number(match[2]), intercept, form });
      problem.expectClose(key, transposed(fit.values, problem.p));
      problem.expectClose(`${match[1]}.pred`, problem.predictions(fit));
      if (intercept) problem.expectClose(`${match[1]}.intercept`, interceptOf(fit));
    }
    const alpha = Float64Array.from({ length: problem.t }, (_, t) => 10 ** (-1 + (4 * t) / (problem.t - 1)));
    const fit = await problem.fit({ alpha, form });
    problem.expectClose('out.sk_ridge.per_target_alpha.coef', transposed(fit.values, problem.p));
    problem.expectClose('out.sk_ridge.per_target_alpha.intercept', interceptOf(fit));
    problem.expectClose('out.sk_ridge.per_target_alpha.pred', problem.predictions(fit));
  });

  it.each(forms)('equals sklearn RidgeCV, leave-one-out and by 5 folds, %s', async (form) => {
    const problem = new Problem(await load(name));
    const { grid } = problem.golden;
    const gcv = await problem.fit({ grid, folds: 'leave-one-out', form });
    expect(asStored(gcv.alphas)).toEqual([...problem.of('out.sk_ridgecv.gcv.best_alpha').data]);
    problem.expectClose('out.sk_ridgecv.gcv.best_score', gcv.selection!.scores);
    problem.expectClose('out.sk_ridgecv.gcv.coef', transposed(gcv.values, problem.p));
    problem.expectClose('out.sk_ridgecv.gcv.intercept', interceptOf(gcv));

    const cv = await problem.fit({ grid, folds: problem.folds, score: 'r2', perTarget: false, form });
    expect([Math.fround(cv.alphas[0]!)]).toEqual([...problem.of('out.sk_ridgecv.cv5.best_alpha').data]);
    const mean = cv.selection!.scores.reduce((sum, score) => sum + score, 0) / problem.t;
    problem.expectClose('out.sk_ridgecv.cv5.best_score_r2', [mean]);
    problem.expectClose('out.sk_ridgecv.cv5.coef', transposed(cv.values, problem.p));
    problem.expectClose('out.sk_ridgecv.cv5.intercept', interceptOf(cv));
  });

  const ways = forms.flatMap((form) => (['cholesky', 'eigh'] as const).map((by) => [form, by] as const));
  it.each(ways)('equals himalaya RidgeCV and KernelRidgeCV, %s by %s', async (form, factorisation) => {
    const problem = new Problem(await load(name));
    const { grid, tensors } = problem.golden;
    for (const intercept of [true, false]) {
      const kind = intercept ? 'icpt' : 'noicpt';
      const cv = await problem.fit({ grid, folds: problem.folds, intercept, form, factorisation });
      problem.expectClose(`out.him_cv_score_table.${kind}`, cv.selection!.table);
      for (const estimator of ['ridgecv', 'kernelridgecv']) {
        const key = `out.him_${estimator}.${kind}`;
        if (!tensors.has(`${key}.best_alphas`)) continue;
        expect(asStored(cv.alphas)).toEqual([...problem.of(`${key}.best_alphas`).data]);
        problem.expectClose(`${key}.cv_scores`, cv.selection!.scores);
        problem.expectClose(`${key}.pred`, problem.predictions(cv));
        problem.expectClose(`${key}.${estimator === 'ridgecv' ? 'coef' : 'primal_coef'}`, cv.values);
        if (intercept) problem.expectClose(`${key}.intercept`, interceptOf(cv));
      }
      const dualKey = `out.him_kernelridgecv.${kind}.dual_coef`;
      if (form === 'dual' && tensors.has(dualKey)) {
        const dual = await problem.fit({ alpha: cv.alphas, intercept, form, coefficients: 'dual' });
        problem.expectClose(dualKey, dual.values);
      }
      const fixed = await problem.fit({ alpha: 3, intercept, form });
      problem.expectClose(`out.him_ridge.alpha3.${kind}.coef`, fixed.values);
      if (intercept) problem.expectClose(`out.him_ridge.alpha3.${kind}.intercept`, interceptOf(fixed));
    }
  });

  it('equals himalaya solve_ridge_cv_svd, one alpha for each target and one for all', async () => {
    const problem = new Problem(await load(name));
    const { grid } = problem.golden;
    for (const [key, perTarget] of [
      ['local', true],
      ['global', false],
    ] as const) {
      const { alphas, selection } = await problem.fit({
        grid,
        folds: problem.folds,
        intercept: false,
        perTarget,
      });
      const stored = `out.him_solve_ridge_cv_svd.${key}_alpha`;
      expect(asStored(alphas)).toEqual([...problem.of(`${stored}.best_alphas`).data]);
      problem.expectClose(`${stored}.cv_scores`, selection!.scores);
    }
  });

  // Slow, as it must be: one design of each shape will do.
  const small = name === names[0] || name.includes('n_lt_p');
  if (small)
    it('scores leaving one trial out as n folds of one trial do', async () => {
      const problem = new Problem(await load(name));
      const { grid } = problem.golden;
      const rows = Array.from({ length: problem.n }, (_, i) => i);
      const folds = rows.map((row) => ({ train: rows.filter((i) => i !== row), test: [row] }));
      for (const intercept of [true, false]) {
        const closed = await problem.fit({ grid, folds: 'leave-one-out', intercept });
        const naive = await problem.fit({ grid, folds, intercept });
        const worst = closed.selection!.table.map((v, i) => Math.abs(v / naive.selection!.table[i]! - 1));
        expect(Math.max(...worst)).toBeLessThan(1e-6);
      }
    });
});
