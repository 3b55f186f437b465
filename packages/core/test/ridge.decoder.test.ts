import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  type DecoderOutput,
  RidgeDecoder,
  type RidgeDecoderOptions,
  type RidgeProgress,
  type Rows,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

const H = 3;
const W = 4;
const output: DecoderOutput = { kind: 'picture', shape: [H, W], range: [0, 1] };

/** Pictures and the noisy, differently scaled responses of linear voxels to them. */
function experiment(n: number, voxels: number, noise: number, seed: number, weightSeed = 1) {
  const random = createRandom(seed);
  const tuning = createRandom(weightSeed).normals(voxels * H * W);
  const pictures = Float32Array.from({ length: n * H * W }, () => random.uniform());
  const betas = new Float32Array(n * voxels);
  for (let i = 0; i < n; i++) {
    for (let v = 0; v < voxels; v++) {
      let drive = noise * random.normal();
      for (let k = 0; k < H * W; k++) drive += tuning[v * H * W + k]! * (pictures[i * H * W + k]! - 0.5);
      betas[i * voxels + v] = 100 * v + 10 ** ((v % 5) - 2) * drive;
    }
  }
  return {
    voxels: { data: betas, shape: [n, voxels] } satisfies Rows,
    targets: { data: pictures, shape: [n, H, W] } satisfies Rows,
    groups: Array.from({ length: n }, (_, i) => `run-${Math.floor((i * 4) / n)}`),
  };
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  const mean = (x: ArrayLike<number>) => Array.from(x).reduce((sum, value) => sum + value, 0) / n;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);

async function fitted(options: RidgeDecoderOptions = {}, extra: object = {}) {
  const training = experiment(80, 30, 1, 2);
  return RidgeDecoder.fit({ ...training, output, sawTest: 'no', ...extra }, options, { backend });
}

describe('RidgeDecoder', () => {
  it('refuses options of other names, which would be left out silently', async () => {
    await expect(fitted({ alpha: 3 } as RidgeDecoderOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'alpha',
    });
  });

  it('reconstructs unseen pictures, clipped to their range', async () => {
    const decoder = await fitted({}, experiment(80, 30, 0.3, 2));
    const unseen = experiment(20, 30, 0.3, 3);
    const found = await decoder.predict(unseen.voxels);
    expect(correlation(found, unseen.targets.data)).toBeGreaterThan(0.9);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...found)).toBeLessThanOrEqual(1);
    decoder.dispose();
  });

  const kinds: RidgeDecoderOptions[] = [
    { storage: 'primal' },
    { storage: 'dual' },
    { storage: 'primal', form: 'dual', precision: 'f32' },
    { storage: 'dual', precision: 'f32' },
  ];
  it.each(kinds)('gives the same pictures stored primal or dual: %j', async (options) => {
    const unseen = experiment(20, 30, 1, 3).voxels;
    const one = await fitted();
    const other = await fitted(options);
    expect(worst(await one.predict(unseen), await other.predict(unseen))).toBeLessThan(1e-5);
    one.dispose();
    other.dispose();
  });

  it('decodes one unseen trial at a time as it does all together', async () => {
    const decoder = await fitted();
    const unseen = experiment(40, 30, 1, 3).voxels;
    const together = await decoder.predict(unseen);
    const trials: number[] = [];
    for await (const { trial, image, features } of decoder.reconstruct(unseen, { trials: [39, 0, 7] })) {
      expect(features).toBeUndefined();
      expect([image!.height, image!.width, image!.channels]).toEqual([H, W, 1]);
      expect(worst(image!.data, together.subarray(trial * H * W, (trial + 1) * H * W))).toBeLessThan(1e-6);
      trials.push(trial);
      const alone = { data: unseen.data.slice(trial * 30, (trial + 1) * 30), shape: [1, 30] };
      expect(worst(await decoder.predict(alone), image!.data)).toBeLessThan(1e-6);
    }
    expect(trials).toEqual([39, 0, 7]);
    decoder.dispose();
  });

  it('is not moved by the scale and offset of a voxel', async () => {
    const training = experiment(80, 30, 1, 2);
    const unseen = experiment(10, 30, 1, 3).voxels;
    const rescale = ({ data, shape }: Rows): Rows => ({
      data: Float32Array.from(data, (value, i) => (i % 30 === 4 ? 1000 * value + 5 : value)),
      shape,
    });
    const one = await RidgeDecoder.fit({ ...training, output }, {}, { backend });
    const other = await RidgeDecoder.fit(
      { ...training, voxels: rescale(training.voxels), output },
      {},
      { backend },
    );
    expect(worst(await one.predict(unseen), await other.predict(rescale(unseen)))).toBeLessThan(1e-3);
    one.dispose();
    other.dispose();
  });

  it('ignores voxels without variance, whatever they do later', async () => {
    const training = experiment(80, 30, 1, 2);
    const unseen = experiment(10, 30, 1, 3).voxels;
    for (let i = 0; i < 80; i++) training.voxels.data[i * 30 + 11] = 7.3;
    const decoder = await RidgeDecoder.fit({ ...training, output }, {}, { backend });
    const before = await decoder.predict(unseen);
    for (let i = 0; i < 10; i++) unseen.data[i * 30 + 11] = 1e6;
    expect(await decoder.predict(unseen)).toEqual(before);
    expect(decoder.model.report.constantVoxels).toBe(1);
    decoder.dispose();
  });

  it('names voxels that hold NaN', async () => {
    const training = experiment(80, 30, 1, 2);
    for (const voxel of [3, 17]) training.voxels.data[5 * 30 + voxel] = Number.NaN;
    const fit = RidgeDecoder.fit({ ...training, output }, {}, { backend });
    await expect(fit).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'voxels' });
    await expect(fit).rejects.toThrow(/2 of 30 voxels \(3, 17\)/);
    const decoder = await fitted();
    await expect(decoder.predict(training.voxels)).rejects.toThrow(/NaN in trial 5/);
    decoder.dispose();
  });

  it('names targets that hold NaN', async () => {
    const training = experiment(80, 30, 1, 2);
    training.targets.data[3 * H * W + 5] = Number.NaN;
    for (const alphas of [undefined, 10]) {
      const fit = RidgeDecoder.fit({ ...training, output }, { alphas }, { backend });
      await expect(fit).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(fit).rejects.toThrow(/target 5/);
    }
  });

  it('refuses data that do not fit together', async () => {
    const training = experiment(20, 30, 1, 2);
    const short = { ...training.targets, data: training.targets.data.slice(12), shape: [19, H, W] };
    const fit = (data: object, options: RidgeDecoderOptions = {}) =>
      RidgeDecoder.fit({ ...training, output, ...data }, options, { backend });
    await expect(fit({ targets: short })).rejects.toThrow(/expected 20, found 19/);
    await expect(fit({ groups: ['a'] })).rejects.toThrow(/groups.*expected 20, found 1/);
    await expect(fit({ output: { ...output, shape: [W, H] } })).rejects.toThrow(/output.shape/);
    await expect(fit({ output: { ...output, range: [1, 0] } })).rejects.toThrow(/output.range/);
    await expect(fit({}, { lags: [1, 1] })).rejects.toThrow(/lags/);
    await expect(fit({}, { alphas: [0, 1] })).rejects.toThrow(/grid/);
    await expect(fit({}, { storage: 'dual', form: 'primal', alphas: -1 })).rejects.toThrow(/alpha/);
    const decoder = await fit({});
    await expect(decoder.predict(experiment(2, 29, 1, 1).voxels)).rejects.toThrow(/expected 30, found 29/);
    decoder.dispose();
    await expect(decoder.predict(training.voxels)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('finds with lags what is not in the volume itself', async () => {
    // The response comes two volumes late.
    const late = (seed: number) => {
      const { voxels, targets, groups } = experiment(120, 30, 0.5, seed);
      const shift = voxels.data.slice();
      for (let i = 0; i < 120; i++) {
        const from = i % 30 < 2 ? i : i - 2;
        shift.set(voxels.data.subarray(from * 30, (from + 1) * 30), i * 30);
      }
      return { voxels: { data: shift, shape: [120, 30] }, targets, groups };
    };
    const training = late(5);
    const unseen = late(6);
    const score = async (lags: number[], storage: 'primal' | 'dual') => {
      const decoder = await RidgeDecoder.fit({ ...training, output }, { lags, storage }, { backend });
      const found = await decoder.predict(unseen.voxels, { runs: unseen.groups });
      for await (const { trial, image } of decoder.reconstruct(unseen.voxels, {
        runs: unseen.groups,
        trials: [29],
      })) {
        expect(worst(image!.data, found.subarray(trial * H * W, (trial + 1) * H * W))).toBeLessThan(1e-6);
      }
      decoder.dispose();
      return correlation(found, unseen.targets.data);
    };
    expect(await score([0], 'primal')).toBeLessThan(0.3);
    expect(await score([1, 2, 3], 'primal')).toBeGreaterThan(0.75);
    expect(await score([1, 2, 3], 'dual')).toBeGreaterThan(0.75);
  });

  it('predicts features of any shape, unclipped', async () => {
    const training = experiment(60, 30, 1, 2);
    const data = training.targets.data.map((value) => 50 * value - 200);
    const targets = { data, shape: [60, 2, 3, 2] };
    const decoder = await RidgeDecoder.fit({ ...training, targets }, {}, { backend });
    for await (const { features, image } of decoder.reconstruct(training.voxels, { trials: [4] })) {
      expect(image).toBeUndefined();
      expect(features!.shape).toEqual([2, 3, 2]);
      expect(Math.max(...features!.data)).toBeLessThan(-120);
    }
    decoder.dispose();
  });

  it('says which arithmetic it used, and why', async () => {
    const weak = await fitted({ alphas: [1e-6, 1] });
    expect(weak.model.report).toMatchObject({ precision: 'f64' });
    expect(weak.model.report.conditionBound).toBeGreaterThan(1e4);
    const strong = await fitted({ alphas: [100, 1000] });
    expect(strong.model.report).toMatchObject({ precision: 'f32' });
    weak.dispose();
    strong.dispose();
  });

  it('warns when the best alpha lies at the border of the grid', async () => {
    const decoder = await fitted({ alphas: [1e4, 1e5, 1e6] });
    expect(decoder.warnings.join()).toMatch(
      /12 of 12 targets chose the smallest alpha of the grid \(10000\)/,
    );
    const inside = await fitted({ alphas: [1e-3, 1, 10, 100, 1e6] });
    expect(inside.warnings).toEqual([]);
    decoder.dispose();
    inside.dispose();
  });

  it('enters each fitted step in the ledger', async () => {
    const before = [{ step: 'detrending', runs: ['run-0'], sawTest: 'unknown' }];
    const decoder = await fitted({}, { ledger: before });
    const { ledger } = decoder.model;
    expect(ledger[0]).toEqual(before[0]);
    expect(ledger.slice(1).map(({ step }) => step)).toEqual([
      'mean and standard deviation of voxels',
      'ridge penalty',
      'ridge weights and target means',
    ]);
    for (const { runs, sawTest } of ledger.slice(1)) {
      expect(runs).toEqual(['run-0', 'run-1', 'run-2', 'run-3']);
      expect(sawTest).toBe('no');
    }
    decoder.dispose();
  });

  it('reports progress, each phase to its end', async () => {
    const training = experiment(80, 30, 1, 2);
    const seen: RidgeProgress[] = [];
    const onProgress = (progress: RidgeProgress) => seen.push(progress);
    const decoder = await RidgeDecoder.fit({ ...training, output }, {}, { backend, onProgress });
    for (const phase of ['prepare', 'cross-validate', 'solve'] as const) {
      const steps = seen.filter((progress) => progress.phase === phase);
      expect(steps.at(-1)!.done).toBe(steps.at(-1)!.total);
    }
    decoder.dispose();
  });

  it('gives the same result whatever the block size', async () => {
    const training = experiment(40, 12, 1, 2);
    const wide = createRandom(3).normals(40 * 150);
    const targets = { data: wide, shape: [40, 150] };
    const fit = (blockBytes: number) =>
      RidgeDecoder.fit({ ...training, targets }, { blockBytes }, { backend });
    const one = await fit(1);
    const other = await fit(1e9);
    expect(one.model.alphas).toEqual(other.model.alphas);
    expect(one.model.weights).toEqual(other.model.weights);
    one.dispose();
    other.dispose();
  });

  it('stops within a second when aborted, and leaves nothing behind', async () => {
    const training = experiment(400, 300, 1, 2);
    const targets = { data: createRandom(3).normals(400 * 4000), shape: [400, 4000] };
    const controller = new AbortController();
    const fit = RidgeDecoder.fit({ ...training, targets }, {}, { backend, signal: controller.signal });
    const outcome = fit.then(
      () => 'finished',
      (error) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    const start = performance.now();
    controller.abort();
    const error = await outcome;
    expect(performance.now() - start).toBeLessThan(25_000);
    expect(error).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  });
});
