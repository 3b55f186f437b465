import { describe, expect, it } from 'vitest';
import {
  createRandom,
  designInMemory,
  type F2iError,
  patternMap,
  type Readout,
  RidgeDecoder,
  readoutOf,
  standardisedDesign,
  weightMap,
} from '../../src/index.ts';
import { leakCheckedReference } from '../leakChecked.ts';

const backend = leakCheckedReference();

const random = createRandom(3);
const N = 200;
const TARGETS = 3;
/** What each voxel responds to: the third to nothing, the fifth to all. */
const ENCODING = [
  [1, 0, 0],
  [0.6, 0, 0],
  [0, 0, 0],
  [0, 1, 0],
  [0.5, -0.5, 1],
  [0, 0, 0.8],
];
const P = ENCODING.length;
const y = random.normals(N * TARGETS);
/** Voxels 0 and 2 share noise that drowns the signal: voxel 2 carries it alone, and is good for taking it away. */
const x = (() => {
  const data = new Float64Array(N * P);
  for (let i = 0; i < N; i++) {
    const shared = 3 * random.normal();
    for (let v = 0; v < P; v++) {
      let value = 0.1 * random.normal() + 10 * v;
      for (let t = 0; t < TARGETS; t++) value += ENCODING[v]![t]! * y[i * TARGETS + t]!;
      data[i * P + v] = value + (v === 0 || v === 2 ? shared : 0);
    }
  }
  return data;
})();

async function fitted(
  storage: 'primal' | 'dual',
  options: { targets?: number; lags?: number[]; standardize?: boolean } = {},
) {
  const { targets = TARGETS, ...rest } = options;
  const some = Float64Array.from(
    { length: N * targets },
    (_, i) => y[Math.floor(i / targets) * TARGETS + (i % targets)]!,
  );
  const decoder = await RidgeDecoder.fit(
    { voxels: { data: x, shape: [N, P] }, targets: { data: some, shape: [N, targets] } },
    { alphas: 1, storage, precision: 'f64', ...rest },
    { backend },
  );
  decoder.dispose();
  return decoder.model;
}

describe('weight maps', () => {
  it('are norms over targets and lags, or the signed weights of one target, alike from primal and dual weights', async () => {
    const lags = [0, 2];
    const [primal, dual] = [await fitted('primal', { lags }), await fitted('dual', { lags })];
    const W = primal.weights;
    const norm = (targets: readonly number[]) =>
      Array.from({ length: P }, (_, v) =>
        Math.hypot(...[0, 1].flatMap((l) => targets.map((t) => W[(l * P + v) * TARGETS + t]!))),
      );
    const close = (map: ArrayLike<number>, expected: readonly number[]) =>
      expected.forEach((value, v) => {
        expect(map[v]).toBeCloseTo(value, 4);
      });
    for (const model of [primal, dual]) {
      const readout = readoutOf(model);
      close((await weightMap(readout, { backend })).values, norm([0, 1, 2]));
      close((await weightMap(readout, { backend, targets: [2, 0] })).values, norm([0, 2]));
      close((await weightMap(readout, { backend, targets: [1], combine: 'norm' })).values, norm([1]));
      const signed = Array.from({ length: P }, (_, v) => W[v * TARGETS + 1]! + W[(P + v) * TARGETS + 1]!);
      await expect(weightMap(readout, { backend, targets: [0, 2, 0] })).rejects.toThrow(
        /a target is named twice; expected each once, found 0 twice/,
      );
      const one = await weightMap(readout, { backend, targets: [1] });
      close(one.values, signed);
      expect(one.description).toContain('sum over 2 lags');
      expect(one.units).toContain('per standard deviation');
    }
  });

  it('refuse targets that there are not', async () => {
    const readout = readoutOf(await fitted('primal'));
    const failure = (targets: number[]) =>
      weightMap(readout, { backend, targets }).catch((error: F2iError) => error.message);
    expect(await failure([3])).toMatch(/targets.*0 to 2.*3/s);
    expect(await failure([1, 1])).toMatch(/each once/);
    expect(await failure([])).toMatch(/none/);
  });
});

describe('Haufe patterns', () => {
  it('show what voxels encode where weights show what is done with them', async () => {
    const model = await fitted('dual', { targets: 1, standardize: false });
    const readout = readoutOf(model);
    const weights = await weightMap(readout, { backend });
    const pattern = await patternMap(readout, { backend });
    // The voxel of pure noise is weighed as heavily as the one whose noise it takes away, and has no pattern.
    expect(Math.abs(weights.values[2]!)).toBeGreaterThan(0.7 * Math.abs(weights.values[0]!));
    expect(Math.abs(pattern.values[2]!)).toBeLessThan(0.3 * Math.abs(pattern.values[0]!));
    expect(Math.abs(pattern.values[2]!)).toBeLessThan(0.3);
    const truth = ENCODING.map(([first]) => first!);
    expect(correlation(pattern.values, truth)).toBeGreaterThan(0.95);
    expect(correlation(weights.values, truth)).toBeLessThan(0.85);
    expect(pattern.units).toContain('units of response per unit of the predicted target');
  });

  it('are Cov(x) W Cov(s)⁻¹ by definition, from primal weights and given responses too', async () => {
    const [primal, dual] = [await fitted('primal'), await fitted('dual')];
    const design = standardisedDesign(x, primal);
    const z = (await design.read(0, P)) as Float32Array;
    const A = byDefinition(z, primal.weights);
    for (const form of ['joint', 'univariate'] as const) {
      const expected = Array.from({ length: P }, (_, v) =>
        Math.hypot(...[0, 1, 2].map((t) => A[form][v * 3 + t]!)),
      );
      for (const map of [
        await patternMap(readoutOf(dual), { backend, form }),
        await patternMap(readoutOf(primal), { backend, form, design }),
      ]) {
        expected.forEach((value, v) => {
          expect(map.values[v]).toBeCloseTo(value, 4);
        });
        expect(map.notes).toEqual([]);
      }
    }
    expect(A.joint).not.toEqual(A.univariate);
    const error = await patternMap(readoutOf(primal), { backend }).catch((e: F2iError) => e.message);
    expect(error).toMatch(/need responses/);
  });

  it('say where the covariance of the predictions had to be regularised, and stay finite', async () => {
    const model = await fitted('dual');
    // Two targets that are the same, and one that does not vary.
    const weights = Float64Array.from(model.weights);
    for (let i = 0; i < N; i++) {
      weights[i * TARGETS + 1] = weights[i * TARGETS]!;
      weights[i * TARGETS + 2] = 0;
    }
    const readout: Readout = readoutOf({ ...model, weights });
    const joint = await patternMap(readout, { backend, form: 'joint' });
    expect(joint.notes.join()).toMatch(/no stable inverse/);
    const alone = await patternMap(readout, { backend, form: 'univariate', targets: [0] });
    // Twins share the pattern: half to each.
    for (let v = 0; v < P; v++) {
      expect(joint.values[v]).toBeCloseTo(Math.abs(alone.values[v]!) * Math.SQRT1_2, 3);
    }
    const still = await patternMap(readout, { backend, targets: [2], form: 'univariate' });
    expect([...still.values]).toEqual(new Array(P).fill(0));
    const many = Array.from({ length: TARGETS }, (_, t) => t);
    const few = designInMemory(((await readout.design!.read(0, P)) as Float32Array).slice(0, 3 * P), 3, P);
    const short = await patternMap(readout, { backend, targets: many, form: 'joint', design: few });
    expect(short.notes.join()).toMatch(/singular/);
    expect(short.values.every(Number.isFinite)).toBe(true);
  });
});

/** A = Σx W Σs⁻¹ and its univariate form, plainly. */
function byDefinition(z: ArrayLike<number>, W: ArrayLike<number>) {
  const s = new Float64Array(N * TARGETS);
  for (let i = 0; i < N; i++)
    for (let v = 0; v < P; v++)
      for (let t = 0; t < TARGETS; t++) s[i * TARGETS + t]! += z[i * P + v]! * W[v * TARGETS + t]!;
  for (let t = 0; t < TARGETS; t++) {
    let mean = 0;
    for (let i = 0; i < N; i++) mean += s[i * TARGETS + t]! / N;
    for (let i = 0; i < N; i++) s[i * TARGETS + t]! -= mean;
  }
  const C = new Float64Array(9);
  const D = new Float64Array(P * TARGETS);
  for (let i = 0; i < N; i++) {
    for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) C[a * 3 + b]! += s[i * 3 + a]! * s[i * 3 + b]!;
    for (let v = 0; v < P; v++) for (let t = 0; t < 3; t++) D[v * 3 + t]! += z[i * P + v]! * s[i * 3 + t]!;
  }
  const c = (i: number, j: number) => C[i * 3 + j]!;
  const minor = (i: number, j: number) => {
    const [a, b] = [0, 1, 2].filter((k) => k !== i) as [number, number];
    const [d, e] = [0, 1, 2].filter((k) => k !== j) as [number, number];
    return (c(a, d) * c(b, e) - c(a, e) * c(b, d)) * ((i + j) % 2 ? -1 : 1);
  };
  const det = [0, 1, 2].reduce((sum, j) => sum + c(0, j) * minor(0, j), 0);
  const joint = Float64Array.from(D, (_, i) => {
    const [v, t] = [Math.floor(i / 3), i % 3];
    return [0, 1, 2].reduce((sum, k) => sum + (D[v * 3 + k]! * minor(t, k)) / det, 0);
  });
  const univariate = Float64Array.from(D, (value, i) => value / c(i % 3, i % 3));
  return { joint, univariate };
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [u, v] = [a, b].map((values) => {
    const list = Array.from(values);
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    return list.map((value) => value - mean);
  }) as [number[], number[]];
  const dot = (p: number[], q: number[]) => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
  return dot(u, v) / Math.sqrt(dot(u, u) * dot(v, v));
}
