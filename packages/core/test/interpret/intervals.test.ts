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
import { heldOutResiduals } from '../../src/interpret/heldOutResiduals.ts';
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
        const tensor = backend.tensor(Float64Array.from(G.flat()), [N, N]);
        const found = await heldOutResiduals(
          tensor,
          Float64Array.from(c),
          ALPHA,
          groups,
          intercept ? 0 : undefined,
          {},
        );
        tensor.dispose();
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

  it('spread as the formula of the sandwich says, over rows and over runs, sums of two penalties too', async () => {
    const alphas = [ALPHA, 20];
    const own = readout(targets, alphas);
    for (const [labels, groups] of [
      [undefined, Array.from({ length: N }, (_, i) => [i])],
      [runs, runGroups],
    ] as const) {
      const made = await weightIntervals(own, {
        backend,
        targets: [0, 1],
        groups: labels,
        draws: 6000,
        seed: 5,
      });
      const parts = await Promise.all(
        alphas.map(async (alpha, t) => {
          const G = inverse(alpha);
          const c = Float64Array.from(await own.weights(Int32Array.of(t)));
          const tensor = backend.tensor(Float64Array.from(G.flat()), [N, N]);
          const residuals = await heldOutResiduals(tensor, c, alpha, groups, 0, {});
          tensor.dispose();
          return times(transposed(design), G).map((row) => row.map((value, i) => value * residuals[i]!));
        }),
      );
      const { values } = await weightMap(own, { backend, targets: [0, 1], combine: 'sum' });
      for (let v = 0; v < P; v++) {
        const variance = groups.reduce(
          (sum, group) => sum + group.reduce((all, i) => all + parts[0]![v]![i]! + parts[1]![v]![i]!, 0) ** 2,
          0,
        );
        expect(made.standardError[v]! / Math.sqrt(variance)).toBeGreaterThan(0.95);
        expect(made.standardError[v]! / Math.sqrt(variance)).toBeLessThan(1.05);
        expect((made.lower[v]! + made.upper[v]!) / 2).toBeCloseTo(values[v]!, 5);
        // One run of eight may make most of a spread, whose multipliers have no tails.
        if (labels) continue;
        const half = (made.upper[v]! - made.lower[v]!) / 2 / made.standardError[v]!;
        expect(Math.abs(half - 1.96)).toBeLessThan(0.25);
      }
      expect(made.groups).toBe(groups.length);
      expect(made.notes.length).toBe(labels ? 1 : 0);
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
        const { lower, upper } = await weightIntervals(readout([y], [alpha]), {
          backend,
          targets: [0],
          groups,
          draws: 400,
          seed: s,
        });
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
        .standardError;
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
    const nothing = backend.tensor(new Float32Array(n * n).fill(0.99 / n), [n, n]);
    for (const groups of [
      [...y.keys()].map((i) => [i]),
      [[...y.keys()].slice(0, 9), [...y.keys()].slice(9)],
    ]) {
      await expect(
        heldOutResiduals(nothing, new Float64Array(n).fill(1), 1, groups, 0, {}),
      ).rejects.toMatchObject({ code: 'NOT_POSITIVE_DEFINITE' });
    }
    nothing.dispose();
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
    const { lower, upper } = await weightIntervals(dual, { backend, targets: [0] });
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
