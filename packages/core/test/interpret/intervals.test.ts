import { describe, expect, it } from 'vitest';
import {
  createRandom,
  designInMemory,
  type F2iError,
  type Readout,
  RidgeDecoder,
  readoutOf,
  weightIntervals,
  weightMap,
} from '../../src/index.ts';
import { multipliers } from '../../src/interpret/intervals/draws.ts';
import { drawWeights } from '../../src/interpret/intervals/drawWeights.ts';
import { heldOutResiduals } from '../../src/interpret/intervals/heldOutResiduals.ts';
import { planIntervals } from '../../src/interpret/intervals/plan.ts';
import { rankedSize } from '../../src/interpret/intervals/spread.ts';
import { choleskyFactor } from '../../src/ops/index.ts';
import { leakCheckedReference } from '../leakChecked.ts';

const backend = leakCheckedReference();
type Matrix = number[][];

const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));

/** a⁻¹ by Gauss and Jordan. */
function inverted(a: Matrix): Matrix {
  const n = a.length;
  const work = a.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < n; i++) {
    const pivot = work
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(work[best]![i]!) ? i + k : best), i);
    [work[i], work[pivot]] = [work[pivot]!, work[i]!];
    const scale = work[i]![i]!;
    work[i] = work[i]!.map((value) => value / scale);
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = work[k]![i]!;
      work[k] = work[k]!.map((value, j) => value - factor * work[i]![j]!);
    }
  }
  return work.map((row) => row.slice(n));
}

const [N, P, ALPHA] = [40, 7, 6];
/** Centred columns. */
const design = (() => {
  const random = createRandom(1);
  const raw = Array.from({ length: N }, () => [...random.normals(P)]);
  const means = transposed(raw).map((column) => column.reduce((sum, value) => sum + value, 0) / N);
  return raw.map((row) => row.map((value, j) => value - means[j]!));
})();
const inverse = (alpha: number) =>
  inverted(
    times(design, transposed(design)).map((row, i) => row.map((value, j) => value + (i === j ? alpha : 0))),
  );
/** Blocks of a matrix, as residuals ask for them. */
const blocksOf = (G: Matrix) => async (rows: Int32Array) =>
  Array.from(rows, (i) => Array.from(rows, (j) => G[i]![j]!)).flat();
const runs = Array.from({ length: N }, (_, i) => `run${i % 8}`);
const runGroups = Array.from({ length: 8 }, (_, r) => [...runs.keys()].filter((i) => i % 8 === r));
const centred = (y: number[]) => {
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  return y.map((value) => value - mean);
};

/** A read-out with dual weights of these targets, each with its penalty. */
function readout(targets: Matrix, alphas: number[]): Readout {
  const dual = targets.map((y, t) => times(inverse(alphas[t]!), transposed([centred(y)])).flat());
  return {
    voxels: P,
    lags: 1,
    targets: targets.length,
    form: 'dual',
    intercept: true,
    scale: new Float64Array(P).fill(1),
    unit: { one: 'unit', many: 'units' } as Readout['unit'],
    weights: async (columns) =>
      Float64Array.from(Array.from({ length: N }, (_, i) => [...columns].map((t) => dual[t]![i]!)).flat()),
    alphas: async (columns) => Float64Array.from(columns, (t) => alphas[t]!),
    design: designInMemory(Float64Array.from(design.flat()), N, P),
  };
}

describe('residuals of rows that were left out', () => {
  it('are those of fits without them, of rows and of runs, with an intercept or none', async () => {
    const y = [...createRandom(2).normals(N)].map((value, i) => value + design[i]![0]! + 3);
    for (const intercept of [true, false]) {
      const columns = design.map((row) => (intercept ? [1, ...row] : row));
      for (const groups of [Array.from({ length: N }, (_, i) => [i]), runGroups]) {
        const G = inverse(ALPHA);
        const c = times(G, transposed([intercept ? centred(y) : y])).flat();
        const twice = c.map((value) => 2 * value);
        const [found, second] = (await heldOutResiduals(
          {
            inverse: blocksOf(G),
            weights: [Float64Array.from(c), Float64Array.from(twice)],
            alpha: ALPHA,
            mean: intercept ? 0 : undefined,
          },
          groups,
        )) as [Float64Array, Float64Array];
        for (const [i, value] of found.entries()) expect(second[i]).toBeCloseTo(2 * value, 9);
        for (const group of groups) {
          const train = columns.filter((_, i) => !group.includes(i));
          const sides = times(transposed(train), transposed([y.filter((_, i) => !group.includes(i))]));
          // The intercept is not shrunk.
          const normal = times(transposed(train), train).map((row, i) =>
            row.map((value, j) => value + (i === j && !(intercept && i === 0) ? ALPHA : 0)),
          );
          const weights = times(inverted(normal), sides);
          for (const i of group)
            expect(found[i]).toBeCloseTo(y[i]! - times([columns[i]!], weights)[0]![0]!, 8);
        }
      }
    }
  });
});

describe('intervals of weights', () => {
  const random = createRandom(3);
  const targets = Array.from({ length: 2 }, (_, t) => design.map((row) => 2 * row[t]! + random.normal()));

  it('spread as the formula of the sandwich says, over rows and over runs, of each of two targets', async () => {
    const alphas = [ALPHA, 20];
    const own = readout(targets, alphas);
    for (const [labels, groups] of [
      [undefined, Array.from({ length: N }, (_, i) => [i])],
      [runs, runGroups],
    ] as const) {
      const options = { backend, groups: labels, draws: 6000, seed: 5 };
      const made = await weightIntervals(own, { ...options, targets: [1, 0] });
      expect(made.targets.map(({ target }) => target)).toEqual([1, 0]);
      for (const [t, alpha] of alphas.entries()) {
        const found = made.targets.find(({ target }) => target === t)!;
        // By itself it has the same.
        expect((await weightIntervals(own, { ...options, targets: [t] })).targets).toEqual([found]);
        const G = inverse(alpha);
        const weights = [Float64Array.from(await own.weights(Int32Array.of(t)))];
        const [e] = await heldOutResiduals({ inverse: blocksOf(G), weights, alpha, mean: 0 }, groups);
        const parts = times(transposed(design), G).map((row) => row.map((value, i) => value * e![i]!));
        const { values } = await weightMap(own, { backend, targets: [t], combine: 'sum' });
        for (let v = 0; v < P; v++) {
          const variance = groups.reduce(
            (sum, group) => sum + group.reduce((all, i) => all + parts[v]![i]!, 0) ** 2,
            0,
          );
          expect(found.standardError[v]! / Math.sqrt(variance)).toBeGreaterThan(0.95);
          expect(found.standardError[v]! / Math.sqrt(variance)).toBeLessThan(1.05);
          expect(found.weights[v]).toBeCloseTo(values[v]!, 5);
          expect((found.lower[v]! + found.upper[v]!) / 2).toBeCloseTo(values[v]!, 5);
          // One run of eight may make most of a spread, whose multipliers have no tails.
          if (labels) continue;
          const half = (found.upper[v]! - found.lower[v]!) / 2 / found.standardError[v]!;
          expect(Math.abs(half - 1.96)).toBeLessThan(0.25);
        }
      }
      expect(made.groups).toBe(groups.length);
      expect(made.notes.length).toBe(labels ? 1 : 0);
    }
  });

  it('are the same in blocks of voxels, targets and draws; lags add up, and voxels that never varied are 0', async () => {
    const own = { ...readout(targets, [ALPHA, ALPHA]), voxels: 3, lags: 2 };
    // The seventh column is left out; voxel 1 never varied at its second lag.
    const scale = new Float64Array(6).fill(1);
    scale[4] = 0;
    const lagged: Readout = { ...own, scale };
    const groups = runGroups;
    const weights = targets.map((y) =>
      Float64Array.from(times(inverse(ALPHA), transposed([centred(y)])).flat()),
    );
    const kernel = times(design, transposed(design)).flat();
    const drawn = async (plan: { voxels: number; targets: number; draws: number }) => {
      const matrix = backend.tensor(Float64Array.from(kernel), [N, N]);
      const factor = backend.scope(() => choleskyFactor(matrix, { shift: ALPHA }));
      const set: number[][] = [];
      await drawWeights(
        lagged,
        own.design!,
        { factor, weights, residuals: weights, set: (...found) => void set.push(found) },
        { groups, draws: 200, seed: 3, level: 0.9, precision: 'f64', plan: { ...plan, bytes: 0 } },
        () => undefined,
        {},
      );
      matrix.dispose();
      factor.dispose();
      return set.sort(([t, v], [u, w]) => t! - u! || v! - w!);
    };
    const whole = await drawn({ voxels: 3, targets: 2, draws: 200 });
    const parts = await drawn({ voxels: 2, targets: 1, draws: 7 });
    expect(whole.length).toBe(2 * 3);
    for (const [i, numbers] of whole.entries())
      for (const [k, value] of numbers.entries()) expect(parts[i]![k]).toBeCloseTo(value, 6);
    // Zᵀ c of both lags, but for the one that never varied.
    const products = times(transposed(design), transposed([[...weights[0]!]])).flat();
    for (const [v, sum] of [
      [0, products[0]! + products[3]!],
      [1, products[1]!],
      [2, products[2]! + products[5]!],
    ] as const)
      expect(whole[v]![2]).toBeCloseTo(sum, 6);
    // Half-width and error are of the deviations that the multipliers make of the influences.
    const G = inverse(ALPHA);
    const influence = runGroups.map((group) =>
      group.reduce(
        (all, i) =>
          all + weights[0]![i]! * G[i]!.reduce((sum, g, j) => sum + g * (design[j]![0]! + design[j]![3]!), 0),
        0,
      ),
    );
    const { values } = [...multipliers(8, false, { draws: 200, seed: 3, width: 200 })][0]!;
    const sizes = Array.from({ length: 200 }, (_, b) =>
      Math.abs(influence.reduce((sum, value, g) => sum + value * values[b * 8 + g]!, 0)),
    );
    expect(whole[0]![3]).toBeCloseTo(sizes.toSorted((a, b) => a - b)[Math.ceil(0.9 * 201) - 1]!, 6);
    expect(whole[0]![4]).toBeCloseTo(Math.sqrt(sizes.reduce((sum, size) => sum + size ** 2, 0) / 200), 6);
  });

  it('plan their memory before they begin: draws are held in blocks, and what does not fit is refused', async () => {
    const nsd = {
      rows: 8859,
      largestGroup: 1,
      groups: 8859,
      voxels: 15_724,
      targets: 1,
      draws: 1000,
      precision: 'f64',
    } as const;
    const { bytes } = planIntervals(nsd, undefined);
    expect(bytes).toBeGreaterThan(3 * 8 * 8859 ** 2);
    expect(bytes).toBeLessThan(2.5e9);
    // Voxels x draws numbers would be 6.3 GB.
    const many = planIntervals({ ...nsd, draws: 1e5 }, undefined);
    expect(many.bytes).toBeLessThan(2.5e9);
    expect(many.voxels * many.targets * 1e5 * 4).toBeLessThanOrEqual(32 * 2 ** 20);
    // A thousand draws of a dozen targets are made at once.
    expect(planIntervals({ ...nsd, groups: 40, largestGroup: 222, targets: 12 }, undefined)).toMatchObject({
      voxels: 512,
      targets: 12,
    });
    // Blocks are the same whatever the memory: products of another width would round otherwise.
    const wide = { ...nsd, targets: 2000, draws: 1e4 };
    const { bytes: needed } = planIntervals(wide, undefined);
    expect(needed).toBeLessThan(3.2e9);
    for (const memory of [needed, 2 * needed, 1e12]) {
      expect(planIntervals(wide, memory)).toEqual(planIntervals(wide, undefined));
    }
    expect(() => planIntervals(wide, needed - 1)).toThrow(/do not fit into memory/);
    expect(() => planIntervals(nsd, 1e9)).toThrow(
      /expected at most 1\.00 GB, found [12]\.\d\d GB for 8859 training rows x 15724 voxels, 1000 draws/,
    );
    // Of few groups it is the products of a block of draws that would be large: 12 targets x 512 voxels x 10,000 draws.
    const runsOfMany = {
      ...nsd,
      rows: 600,
      groups: 12,
      largestGroup: 50,
      voxels: 512,
      targets: 12,
      draws: 1e4,
    };
    const few = planIntervals(runsOfMany, undefined);
    expect(8 * few.targets * few.voxels * few.draws).toBeLessThanOrEqual(32 * 2 ** 20);
    const labels = 8000 * 2000 * (8 + 8);
    const grouped = { ...nsd, rows: 8000, groups: 2000, largestGroup: 4, voxels: 1, draws: 100 };
    expect(planIntervals(grouped, undefined).bytes).toBeGreaterThan(2 * 8 * 8000 ** 2 + labels);
    const unread = {
      ...readout(targets, [ALPHA, ALPHA]),
      weights: () => Promise.reject(new Error('nothing is read')),
    };
    await expect(weightIntervals(unread, { backend, targets: [0], memory: 1e5 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      field: 'memory',
    });
    for (const memory of [Number.NaN, -1]) {
      await expect(weightIntervals(unread, { backend, targets: [0], memory })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        field: 'memory',
        found: `${memory}`,
      });
    }
  });

  it('draw the same multipliers in blocks of any width: means of 0, variances of 1, signs of single rows', () => {
    for (const isSingle of [true, false]) {
      const drawn = (width: number) => {
        const all = new Float64Array(400 * 50);
        for (const { from, values } of multipliers(50, isSingle, { draws: 400, seed: 9, width }))
          all.set(values, from * 50);
        return all;
      };
      const all = drawn(400);
      expect(drawn(37)).toEqual(all);
      const mean = (of: (value: number) => number) =>
        all.reduce((sum, value) => sum + of(value), 0) / all.length;
      expect(Math.abs(mean((value) => value))).toBeLessThan(0.03);
      expect(Math.abs(mean((value) => value ** 2) - 1)).toBeLessThan(0.03);
      if (isSingle) expect(all.every((value) => Math.abs(value) === 1)).toBe(true);
      // Rows 32 apart have multipliers of their own.
      const row = (g: number) => all.filter((_, i) => i % 50 === g);
      expect(row(0)).not.toEqual(row(32));
    }
  });

  it('rank sizes as sorting does', () => {
    for (const values of [random.normals(201), new Float64Array(50).fill(-2), Float64Array.of(1, -3, 2, 0)]) {
      const sorted = Float32Array.from(values, Math.abs).sort();
      for (const rank of [0, 1, Math.floor(values.length / 2), values.length - 1])
        expect(rankedSize(Float32Array.from(values), rank)).toBe(sorted[rank]);
    }
  });

  it('cover the mean weight about as often as they say; where runs share noise, those over runs alone do', async () => {
    const truth = [1, -1, 0.5, 0, 0, 0, 0];
    const signal = times(design, transposed([truth])).flat();
    const alpha = 1;
    const expected = times(times(transposed(design), inverse(alpha)), transposed([centred(signal)])).flat();
    const covered = async (groups: string[] | undefined, noise: (i: number, shared: number[]) => number) => {
      const hits = new Float64Array(P);
      const simulations = 100;
      for (let s = 0; s < simulations; s++) {
        const shared = [...random.normals(8)];
        const y = signal.map((value, i) => value + noise(i, shared));
        const { targets: made } = await weightIntervals(readout([y], [alpha]), {
          backend,
          targets: [0],
          groups,
          draws: 400,
          seed: s,
        });
        const { lower, upper } = made[0]!;
        for (const [v, value] of expected.entries())
          if (lower[v]! <= value && value <= upper[v]!) hits[v]! += 1 / simulations;
      }
      return hits;
    };
    const alone = (await covered(undefined, () => random.normal())).reduce(
      (sum, share) => sum + share / P,
      0,
    );
    expect(alone).toBeGreaterThan(0.9);
    expect(alone).toBeLessThan(0.985);
    // Noise that goes through a run as the first voxel does: rows are no independent evidence of its weight.
    const together = (i: number, shared: number[]) =>
      3 * shared[i % 8]! * Math.sign(design[i]![0]!) + 0.3 * random.normal();
    const [byRun, byRow] = [await covered(runs, together), await covered(undefined, together)];
    expect(byRun[0]).toBeGreaterThan(0.82);
    expect(byRow[0]).toBeLessThan(0.88);
    expect(byRun[0]! - byRow[0]!).toBeGreaterThan(0.04);
  });

  it('hold where a penalty is tiny beside the voxels, in float32 too; where rounding is all that is left they are refused', async () => {
    const [n, p] = [24, 90];
    const raw = Array.from({ length: n }, () => [...random.normals(p)]);
    const wide = transposed(transposed(raw).map(centred));
    const kernel = times(wide, transposed(wide));
    const y = transposed([centred([...random.normals(n)])]);
    const errors = async (alpha: number, precision: 'f32' | 'f64', groups?: number[]) => {
      const shifted = kernel.map((row, i) => row.map((value, j) => value + (i === j ? alpha : 0)));
      const dual = Float32Array.from(times(inverted(shifted), y).flat());
      const narrow = readout([], []);
      const own: Readout = {
        ...narrow,
        voxels: p,
        targets: 1,
        scale: new Float64Array(p).fill(1),
        weights: async () => dual,
        alphas: async () => Float64Array.of(alpha),
        // As bundles keep it: no longer centred but for rounding.
        design: designInMemory(Float32Array.from(wide.flat()), n, p),
      };
      return (await weightIntervals(own, { backend, targets: [0], draws: 100, groups, precision }))
        .targets[0]!.standardError;
    };
    for (const groups of [undefined, Array.from({ length: n }, (_, i) => i % 6)]) {
      // A penalty of nothing is the limit of small ones.
      const limit = await errors(1e-4, 'f64', groups);
      for (const [alpha, precision] of [
        [1e-9, 'f64'],
        [1e-4, 'f32'],
      ] as const) {
        const found = await errors(alpha, precision, groups);
        for (const [v, value] of limit.entries()) expect(found[v]! / value).toBeCloseTo(1, 3);
      }
    }
    // What is left of an inverse where float32 held too little of it.
    const nothing = blocksOf(Array.from({ length: n }, () => Array<number>(n).fill(0.99 / n)));
    for (const groups of [
      [...y.keys()].map((i) => [i]),
      [[...y.keys()].slice(0, 9), [...y.keys()].slice(9)],
    ]) {
      const weights = [new Float64Array(n).fill(1)];
      await expect(
        heldOutResiduals({ inverse: nothing, weights, alpha: 1, mean: 0 }, groups),
      ).rejects.toMatchObject({ code: 'NOT_POSITIVE_DEFINITE' });
    }
  });

  it('of fewer voxels than rows and a tiny penalty are right or refused, with the condition number', async () => {
    // K has rank 7 of 40: what float32 leaves of the residuals hangs on the penalty.
    const errors = async (alpha: number, precision: 'f32' | 'f64') =>
      (
        await weightIntervals(readout([targets[0]!], [alpha]), {
          backend,
          targets: [0],
          draws: 100,
          groups: runs,
          precision,
        })
      ).targets[0]!.standardError;
    const outcomes = { right: 0, refused: 0 };
    for (const alpha of [1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8]) {
      const truth = await errors(alpha, 'f64');
      const found = await errors(alpha, 'f32').catch((error: F2iError) => error);
      if (found instanceof Float32Array) {
        outcomes.right++;
        for (const [v, value] of truth.entries()) expect(Math.abs(found[v]! / value - 1)).toBeLessThan(0.01);
      } else {
        outcomes.refused++;
        expect(found).toMatchObject({ code: 'UNSUPPORTED', field: 'alpha', backend: backend.name });
        expect(found.message).toMatch(
          /condition number up to 1e\+5: .*--device cpu.*found \de\+\d+ for penalty/,
        );
      }
    }
    expect(outcomes.right).toBeGreaterThanOrEqual(2);
    expect(outcomes.refused).toBeGreaterThanOrEqual(2);
    await expect(errors(1e-14, 'f64')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('come of decoders that keep weights of training rows; others are refused, and what is no sample', async () => {
    const data = {
      voxels: { data: Float64Array.from(design.flat()), shape: [N, P] },
      targets: { data: Float64Array.from(transposed(targets).flat()), shape: [N, 2] },
    };
    const fitted = async (storage: 'dual' | 'primal') => {
      const decoder = await RidgeDecoder.fit(data, { alphas: 1, storage, precision: 'f64' }, { backend });
      decoder.dispose();
      return readoutOf(decoder.model);
    };
    const dual = await fitted('dual');
    const { lower, upper } = (await weightIntervals(dual, { backend, targets: [0] })).targets[0]!;
    expect(lower[0]).toBeGreaterThan(0.5);
    expect(lower[5]! < 0 && upper[5]! > 0).toBe(true);
    const failure = (of: Readout, more: object) =>
      weightIntervals(of, { backend, targets: [0], ...more }).then(
        () => undefined,
        (error: F2iError) => error.message,
      );
    expect(await failure(await fitted('primal'), {})).toMatch(/--storage dual/);
    expect(await failure(dual, { groups: ['a'] })).toMatch(/one group for each training row.*40.*found 1/);
    expect(await failure(dual, { groups: runs.map((run) => run < 'run4') })).toMatch(/at least 5, found 2/);
    expect(await failure(dual, { draws: 10 })).toMatch(/100 to 100000, found 10/);
    expect(await failure(dual, { level: 95 })).toMatch(/between 0 and 1, found 95/);
    expect(await failure(dual, { targets: [2] })).toMatch(/0 to 1/);
  });
});
