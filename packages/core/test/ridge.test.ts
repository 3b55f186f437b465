import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  type Fold,
  fitRidge,
  largestEigenvalue,
  logGrid,
  type RidgeOptions,
  selectAlphas,
  type TargetSource,
  targetsInMemory,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

const [N, P, T] = [30, 8, 5];
const random = createRandom(1);
const x = random.normals(N * P).map((value, i) => value + (i % P));
const weights = random.normals(P * T);
const y = Float64Array.from({ length: N * T }, (_, i) => {
  let sum = 3 * random.normal();
  for (let k = 0; k < P; k++) sum += x[Math.floor(i / T) * P + k]! * weights[k * T + (i % T)]!;
  return sum;
});
const folds: Fold[] = [0, 1, 2].map((f) => {
  const rows = Array.from({ length: N }, (_, i) => i);
  return { train: rows.filter((i) => i % 3 !== f), test: rows.filter((i) => i % 3 === f) };
});

async function fit(options: RidgeOptions, targets: TargetSource = targetsInMemory(y, N)) {
  const design = backend.tensor(x, [N, P]);
  try {
    return await fitRidge(design, targets, { precision: 'f64', ...options });
  } finally {
    design.dispose();
  }
}

/** Every op that the body enqueues, by name. */
async function countOps(body: () => Promise<unknown>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const spy = vi.spyOn(backend, 'enqueue');
  await body();
  for (const [op] of spy.mock.calls) counts[op.name] = (counts[op.name] ?? 0) + 1;
  spy.mockRestore();
  return counts;
}

describe('fitRidge', () => {
  it('factorises once for each alpha and fold, however many targets there are', async () => {
    const grid = [1, 10, 100, 1000];
    for (const targets of [1, 400]) {
      const data = createRandom(2).normals(N * targets);
      const counts = await countOps(() => fit({ grid, folds, perTarget: false }, targetsInMemory(data, N)));
      expect(counts.cholesky_factor).toBe(grid.length * folds.length + 1);
      // One Gram matrix, and the held-out rows' part of it for each fold.
      expect(counts.gram).toBe(1 + folds.length);
    }
  });

  it('refits nothing in dual form but small matrices: the voxels are multiplied once', async () => {
    const counts = await countOps(() => fit({ grid: [1, 10], folds, form: 'dual', coefficients: 'dual' }));
    expect(counts.gram).toBe(1);
  });

  it.each(['primal', 'dual'] as const)('scores by correlation as the definition says, %s', async (form) => {
    const grid = [0.1, 30];
    const { selection } = await fit({ grid, folds, score: 'correlation', form });
    // The same by fits of each fold alone.
    for (const [row, alpha] of grid.entries()) {
      const mean = new Float64Array(T);
      for (const fold of folds) {
        const pick = (data: Float64Array, width: number, rows: Fold['train']) =>
          Float64Array.from(Array.from(rows).flatMap((i) => [...data.subarray(i * width, (i + 1) * width)]));
        const design = backend.tensor(pick(x, P, fold.train), [fold.train.length, P]);
        const targets = targetsInMemory(pick(y, T, fold.train), fold.train.length);
        const { values, voxelMean } = await fitRidge(design, targets, { alpha, precision: 'f64' });
        design.dispose();
        for (let t = 0; t < T; t++) {
          const predicted = Array.from(fold.test, (i) => {
            let sum = 0;
            for (let k = 0; k < P; k++) sum += (x[i * P + k]! - voxelMean[k]!) * values[k * T + t]!;
            return sum;
          });
          const truth = Array.from(fold.test, (i) => y[i * T + t]!);
          mean[t]! += pearson(predicted, truth) / folds.length;
        }
      }
      for (let t = 0; t < T; t++) expect(selection!.table[row * T + t]).toBeCloseTo(mean[t]!, 10);
    }
  });

  it('treats folds that leave most rows out as it treats others', async () => {
    // Training rows fewer than held-out ones: their Gram matrix is computed, not subtracted.
    const swapped = folds.map(({ train, test }) => ({ train: test, test: train }));
    const grid = [1, 100];
    const primal = await fit({ grid, folds: swapped, form: 'primal' });
    const dual = await fit({ grid, folds: swapped, form: 'dual' });
    primal.selection!.table.forEach((score, i) => {
      expect(score / dual.selection!.table[i]!).toBeCloseTo(1, 10);
    });
  });

  it('reads targets in blocks of columns, each only as often as it must', async () => {
    const wide = createRandom(3).normals(N * 200);
    const inner = targetsInMemory(wide, N);
    const widths: number[] = [];
    const source: TargetSource = {
      ...inner,
      read(columns, signal) {
        widths.push(columns.length);
        return inner.read(columns, signal);
      },
    };
    await fit({ grid: [1, 10], folds, perTarget: false, blockBytes: 1 }, source);
    // 64 columns are the narrowest block: four blocks a fold, and for the solution.
    expect(widths).toEqual(Array.from({ length: folds.length + 1 }, () => [64, 64, 64, 8]).flat());
  });

  it('is ordinary least squares at alpha 0, and says when that has no solution', async () => {
    const exact = Float64Array.from({ length: N * T }, (_, i) => {
      let sum = 7;
      for (let k = 0; k < P; k++) sum += x[Math.floor(i / T) * P + k]! * weights[k * T + (i % T)]!;
      return sum;
    });
    const { values } = await fit({ alpha: 0 }, targetsInMemory(exact, N));
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(weights[i]!, 8);
    });
    const collinear = x.map((value, i) => (i % P === 3 ? 0 : value));
    const design = backend.tensor(collinear, [N, P]);
    const failing = fitRidge(design, targetsInMemory(y, N), { alpha: 0, precision: 'f64' });
    await expect(failing).rejects.toMatchObject({ code: 'NOT_POSITIVE_DEFINITE' });
    design.dispose();
  });

  it('names options that do not fit together', async () => {
    const rejects = (options: RidgeOptions, text: RegExp) => expect(fit(options)).rejects.toThrow(text);
    await rejects({}, /alpha: .*found none/);
    await rejects({ alpha: 1, grid: [1], folds }, /alpha: .*found both/);
    await rejects({ grid: [1, 10] }, /folds/);
    await rejects({ grid: [], folds }, /grid/);
    await rejects({ grid: [1, -1], folds }, /grid.*found -1/);
    await rejects({ alpha: [1, 2] }, /expected 5, found 2/);
    await rejects({ alpha: Number.NaN }, /alpha.*found NaN/);
    await rejects({ grid: [1], folds: [{ train: [0, 1], test: [] }] }, /folds\[0\]/);
    await rejects({ grid: [1], folds: [{ train: [0, 1], test: [1] }] }, /folds\[0\].*found 1/);
    await rejects({ grid: [1], folds: [{ train: [0, 1], test: [30] }] }, /0 to 29.*found 30/);
    await rejects({ alpha: 1, score: 'spearman' as never }, /score.*found spearman/);
    await rejects({ alpha: 1, form: 'primal', coefficients: 'dual' }, /coefficients/);
  });
});

describe('selectAlphas', () => {
  const grid = [1, 10, 100];
  // Targets: the second alpha; a tie of the first two; the last.
  const table = Float64Array.of(-3, -1, -9, -2, -1, -8, -4, -2, -7);

  it('takes the best for each target, the first of equals, and counts those at the border', () => {
    const { alphas, scores, atBorder } = selectAlphas(grid, table, true);
    expect([...alphas]).toEqual([10, 1, 100]);
    expect([...scores]).toEqual([-2, -1, -7]);
    expect(atBorder).toEqual({ smallest: 1, largest: 1 });
  });

  it('takes the best mean over targets for all', () => {
    const { alphas, scores } = selectAlphas(grid, table, false);
    expect([...alphas]).toEqual([10, 10, 10]);
    expect([...scores]).toEqual([-2, -1, -8]);
  });

  it('passes over scores that are not numbers, and fails if there is none', () => {
    expect(selectAlphas([1, 2], Float64Array.of(Number.NaN, -5), true).alphas[0]).toBe(2);
    expect(() => selectAlphas([1, 2], Float64Array.of(Number.NaN, Number.NaN), true)).toThrow(/target 0/);
  });
});

it('largestEigenvalue comes near the true one from below', async () => {
  // Singular values 1 to 6 on orthogonal axes.
  const diagonal = Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 1 + i / 7 : 0));
  const matrix = backend.tensor(diagonal, [6, 6]);
  const found = await largestEigenvalue(matrix);
  expect(found).toBeLessThanOrEqual(36);
  expect(found).toBeGreaterThan(0.8 * 36);
  matrix.dispose();
});

it('logGrid is even in the logarithm', () => {
  expect(logGrid(-1, 3, 5).map((value) => Math.round(value * 10) / 10)).toEqual([0.1, 1, 10, 100, 1000]);
});

function pearson(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const dot = (p: number[], mp: number, q: number[], mq: number) =>
    p.reduce((sum, value, i) => sum + (value - mp) * (q[i]! - mq), 0);
  return dot(a, ma, b, mb) / Math.sqrt(dot(a, ma, a, ma) * dot(b, mb, b, mb));
}
