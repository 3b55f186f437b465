import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  createReferenceBackend,
  type Folder,
  finishPredictions,
  fitHeads,
  headsBundle,
  headsContents,
  memoryHeadStore,
  openBundle,
  type Recipe,
  RidgeHeadsDecoder,
  saveBundle,
  unitRows,
} from '../../src/index.ts';
import { designIn, runDesign, type SimulatedRidge, simulate, solved } from './simulated.ts';

const backend = createReferenceBackend();

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

/** Mean and deviation (divisor n) of a column. */
function column(values: ArrayLike<number>, rows: number, width: number, at: number): [number, number] {
  const own = Array.from({ length: rows }, (_, i) => values[i * width + at]!);
  const mean = own.reduce((sum, value) => sum + value, 0) / rows;
  return [mean, Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows)];
}

const RECIPE: Recipe = {
  name: 'custom',
  title: 'a test',
  paper: '',
  repository: '',
  split: 'split',
  normalisation: 'train',
  testAverage: 'none',
  precision: 'auto',
  heads: [],
  quirks: [],
  inferred: [],
  published: { scores: [], cost: '' },
};

/** Fits two heads on one design, saves and opens the bundle. */
async function bundleOf(data: SimulatedRidge, heads: Parameters<typeof runDesign>[1], intercept = true) {
  const store = memoryHeadStore();
  const run = runDesign(data, heads, intercept);
  const options = { backend, precision: 'auto', keep: 'weights' } as const;
  const outcome = await fitHeads([run], store, options);
  const designs = [
    {
      ...run,
      roi: 'all',
      average: 'none',
      unitVoxels: heads.some(({ unitVoxels }) => unitVoxels),
      columns: Int32Array.from({ length: data.p }, (_, j) => j + 1),
    } as const,
  ];
  const recipe = { ...RECIPE, heads: run.heads.map(({ head }) => head) };
  const described = {
    recipe,
    designs,
    outcome,
    input: { voxels: data.p + 1 },
    runs: ['1'],
    ledger: [],
    report: {},
  };
  const contents = headsContents(await headsBundle(described, store.statistics), store.matrices);
  const files = new Map<string, Uint8Array>();
  await saveBundle({ toBundle: () => contents }, async (path, bytes) => void files.set(path, bytes));
  const folder: Folder = {
    name: 'bundle',
    list: async () => [...files.keys()],
    open: async (path) => bytesSource(files.get(path)!, `bundle/${path}`),
  };
  const decoder = await openBundle(folder, { backend });
  // What the design normalises away, and a voxel before the first that nobody reads.
  const betas = new Float32Array(data.m * (data.p + 1)).fill(99);
  for (let i = 0; i < data.m; i++) {
    for (let j = 0; j < data.p; j++) betas[i * (data.p + 1) + j + 1] = data.xTest[i * data.p + j]! * 2 + 0.5;
  }
  return { decoder, folder, files, contents, betas: { data: betas, shape: [data.m, data.p + 1] } };
}

describe('heads of a recipe', () => {
  const data = simulate(3, [40, 9, 13, 5]);

  it.each([true, false])(
    'predict what an independent float64 ridge predicts, intercept %s',
    async (intercept) => {
      const store = memoryHeadStore();
      const run = runDesign(data, [{}, { name: 'text', alpha: 200 }], intercept);
      await fitHeads([run], store, { backend, keep: 'predictions', precision: 'auto' });
      for (const [name, alpha] of [
        ['vision', 10],
        ['text', 200],
      ] as const) {
        expect(largestDifference(store.predictions(name), solved(data, alpha, intercept).test)).toBeLessThan(
          2e-4,
        );
      }
    },
  );

  it.each(['primal', 'dual'] as const)('a bundle (%s) predicts the same, trial by trial', async (form) => {
    const sizes = form === 'primal' ? ([40, 9, 13, 5] as const) : ([11, 4, 17, 6] as const);
    const own = simulate(5, sizes);
    const { decoder, betas, contents } = await bundleOf(own, [{}, { name: 'text', alpha: 200 }]);
    expect(contents.config.heads).toMatchObject([{ storage: form }, { storage: form }]);
    expect(contents.containsTrainingData).toBe(form === 'dual');
    const expected = [solved(own, 10, true).test, solved(own, 200, true).test];
    let trials = 0;
    for await (const { trial, features, beside } of decoder.reconstruct(betas)) {
      const row = (values: Float64Array) => values.subarray(trial * own.t, (trial + 1) * own.t);
      expect(largestDifference(features!.data, row(expected[0]!))).toBeLessThan(2e-4);
      expect(largestDifference(beside!.text!.data, row(expected[1]!))).toBeLessThan(2e-4);
      trials++;
    }
    expect(trials).toBe(own.m);
    expect(largestDifference(await decoder.predict(betas), expected[0]!)).toBeLessThan(2e-4);
    decoder.dispose();
  });

  it.each(['primal', 'dual'] as const)(
    'weights (%s) and predictions of one pass are those of two',
    async (form) => {
      const own = simulate(6, form === 'primal' ? [40, 9, 13, 5] : [11, 4, 17, 6]);
      const groups = Array.from({ length: own.m / 2 }, (_, g) => [2 * g, 2 * g + 1]);
      const run = {
        ...runDesign(own, [{ renormalise: 'stored-training' }, { name: 'text', alpha: 200 }]),
        groups,
      };
      const kept = async (keep: 'weights' | 'predictions' | 'both') => {
        const store = memoryHeadStore();
        await fitHeads([run], store, { backend, keep, precision: 'auto', storage: form });
        return store;
      };
      const [both, weights, predictions] = [
        await kept('both'),
        await kept('weights'),
        await kept('predictions'),
      ];
      expect(both.matrices).toEqual(weights.matrices);
      for (const head of ['vision', 'text']) {
        expect(both.statistics(head)).toEqual(weights.statistics(head));
        expect(both.predictions(head).length).toBe(groups.length * own.t);
        expect(largestDifference(both.predictions(head), predictions.predictions(head))).toBeLessThan(1e-4);
      }
    },
  );

  it('renormalise by stored training predictions, in the bundle as through the hat matrix', async () => {
    const { train, test } = solved(data, 10, true);
    const expected = test.map((value, i) => {
      const k = i % data.t;
      const [pm, ps] = column(train, data.n, data.t, k);
      const [tm, ts] = column(data.y, data.n, data.t, k);
      return ((value - pm) / ps) * ts + tm;
    });
    const heads = [{ renormalise: 'stored-training' }] as const;
    const store = memoryHeadStore();
    await fitHeads([runDesign(data, heads)], store, { backend, keep: 'predictions', precision: 'auto' });
    expect(largestDifference(store.predictions('vision'), expected)).toBeLessThan(5e-4);
    const { decoder, betas } = await bundleOf(data, heads);
    expect(largestDifference(await decoder.predict(betas), expected)).toBeLessThan(5e-4);
    decoder.dispose();
  });

  it('renormalise by the test predictions where that is asked for, and the ledger says transductive', async () => {
    const heads = [{ renormalise: 'test-predictions' }] as const;
    const store = memoryHeadStore();
    await fitHeads([runDesign(data, heads)], store, { backend, keep: 'predictions', precision: 'auto' });
    for (let k = 0; k < data.t; k++) {
      const [mean, std] = column(store.predictions('vision'), data.m, data.t, k);
      const [tm, ts] = column(data.y, data.n, data.t, k);
      expect(mean).toBeCloseTo(tm, 4);
      expect(std).toBeCloseTo(ts, 4);
    }
    const { decoder, contents } = await bundleOf(data, heads);
    const step = contents.ledger.find(({ step }) => step.includes('predictions of vision'));
    expect(step).toMatchObject({ sawTest: 'yes', note: expect.stringContaining('transductive') });
    expect(decoder.warnings.join()).toContain('one by one');
    decoder.dispose();
  });

  it('choose penalties by unshuffled folds as an exhaustive search does', async () => {
    const grid = [0.1, 10, 1000];
    const alpha = {
      grid,
      folds: { count: 4, together: false },
      score: 'negativeSquaredError',
      perTarget: true,
    } as const;
    const store = memoryHeadStore();
    await fitHeads([runDesign(data, [{ alpha }])], store, { backend, keep: 'predictions', precision: 'f64' });
    const errors = grid.map(() => new Float64Array(data.t));
    for (let fold = 0; fold < 4; fold++) {
      const held = (i: number) => Math.floor(i / 10) === fold;
      const rows = Array.from({ length: data.n }, (_, i) => i);
      const take = (values: Float64Array, width: number, keep: (i: number) => boolean) =>
        Float64Array.from(rows.filter(keep).flatMap((i) => [...values.subarray(i * width, (i + 1) * width)]));
      const part = {
        ...data,
        x: take(data.x, data.p, (i) => !held(i)),
        y: take(data.y, data.t, (i) => !held(i)),
        xTest: take(data.x, data.p, held),
        n: 30,
        m: 10,
      };
      const truth = take(data.y, data.t, held);
      for (const [g, value] of grid.entries()) {
        const { test } = solved(part, value, true);
        for (let i = 0; i < test.length; i++) errors[g]![i % data.t]! += (test[i]! - truth[i]!) ** 2;
      }
    }
    const best = Float64Array.from({ length: data.t }, (_, k) => {
      const scores = errors.map((own) => own[k]!);
      return grid[scores.indexOf(Math.min(...scores))]!;
    });
    expect([...store.statistics('vision').alpha]).toEqual([...best]);
    const { test } = solved(data, best[0]!, true);
    expect(store.predictions('vision')[0]).toBeCloseTo(test[0]!, 3);
  });

  it('unit rows: each of length 1, in the bundle as in the design', async () => {
    const design = await unitRows(designIn(data));
    const { test } = await design.read(0, data.p);
    for (let i = 0; i < data.m; i++)
      expect(Math.hypot(...test.subarray(i * data.p, (i + 1) * data.p))).toBeCloseTo(1, 5);
    const unit = (values: Float64Array, rows: number) =>
      values.map((value, at) => {
        const i = Math.floor(at / data.p);
        expect(i).toBeLessThan(rows);
        return value / Math.hypot(...values.subarray(i * data.p, (i + 1) * data.p));
      });
    const expected = solved(
      { ...data, x: unit(data.x, data.n), xTest: unit(data.xTest, data.m) },
      10,
      true,
    ).test;
    const store = memoryHeadStore();
    const run = { ...runDesign(data, [{ unitVoxels: true }]), design };
    await fitHeads([run], store, { backend, keep: 'predictions', precision: 'auto' });
    expect(largestDifference(store.predictions('vision'), expected)).toBeLessThan(2e-4);
  });

  it('average predictions of repeats before they are renormalised', () => {
    const raw = Float32Array.of(1, 2, 3, 4, 5, 6);
    const ones = Float64Array.of(1, 1);
    const zeros = new Float64Array(2);
    const statistics = { target_mean: zeros, target_std: ones, prediction_mean: zeros, prediction_std: ones };
    const groups = [[0, 1], [2]];
    const averaged = finishPredictions(raw, 3, { renormalise: 'none', statistics, groups });
    expect([...averaged]).toEqual([2, 3, 5, 6]);
    expect([...finishPredictions(raw, 3, { renormalise: 'test-predictions', statistics, groups })]).toEqual([
      -1, -1, 1, 1,
    ]);
  });

  it('refuse damaged or foreign bundles, naming the field', async () => {
    const { contents, decoder } = await bundleOf(data, [{}]);
    expect(decoder).toBeInstanceOf(RidgeHeadsDecoder);
    decoder.dispose();
    const save = async (config: object) => {
      const files = new Map<string, Uint8Array>();
      const changed = { ...contents, config: { ...contents.config, ...config } };
      await saveBundle(
        { toBundle: () => changed as never },
        async (path, bytes) => void files.set(path, bytes),
      );
      return openBundle(
        { name: 'b', list: async () => [], open: async (path) => bytesSource(files.get(path)!, path) },
        { backend },
      );
    };
    await expect(save({ heads: [] })).rejects.toMatchObject({ code: 'FORMAT', field: 'config.heads' });
    const heads = contents.config.heads as { shape: number[] }[];
    await expect(save({ heads: [{ ...heads[0], shape: [7] }] })).rejects.toMatchObject({
      code: 'FORMAT',
      field: 'tensors.head.vision.weights',
    });
  });
});

describe('a grid that is too narrow', () => {
  it('is told of each head, the same by a run that goes on with penalties of an earlier one', async () => {
    const data = simulate(5, [24, 4, 6, 3]);
    const far = (grid: number[]) => ({
      alpha: {
        grid,
        folds: { count: 3, together: false },
        score: 'negativeSquaredError',
        perTarget: false,
      } as const,
    });
    const run = runDesign(data, [
      { name: 'small', ...far([1e-3, 1e5]) },
      { name: 'large', ...far([1e6, 1e7]) },
    ]);
    const store = memoryHeadStore();
    const options = { backend, keep: 'weights', precision: 'f64' } as const;
    const { warnings } = await fitHeads([run], store, options);
    expect(warnings).toEqual([
      expect.stringMatching(/^small: 3 of 3 targets chose the smallest alpha of the grid \(0\.001\)/),
      expect.stringMatching(/^large: 3 of 3 targets chose the (smallest|largest) alpha/),
    ]);
    expect((await fitHeads([run], store, options)).warnings).toEqual(warnings);
    // Of a run that was killed after it had chosen.
    const killed = memoryHeadStore();
    for (const head of ['small', 'large']) await killed.keepChosen(head, (await store.chosen(head))!);
    expect((await fitHeads([run], killed, options)).warnings).toEqual(warnings);
  });
});
