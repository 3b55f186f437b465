import { describe, expect, it } from 'vitest';
import {
  createReferenceBackend,
  dirichletGammas,
  fitHeads,
  headsBundle,
  memoryHeadStore,
  type RecipeHead,
  regionBands,
} from '../../src/index.ts';
import { shareMemory } from '../../src/recipes/ceiling.ts';
import { runDesign, type SimulatedRidge, simulate, solved, sourceIn } from './simulated.ts';

const backend = createReferenceBackend();

describe('bands out of ROIs', () => {
  const regions = new Map<string, Int32Array>([
    ['nsdgeneral', Int32Array.of(0, 1, 2, 3, 4, 5, 6)],
    ['streams', Int32Array.of(0, 1, 2, 3)],
    ['streams:early', Int32Array.of(0, 1)],
    ['streams:ventral', Int32Array.of(2, 3)],
    ['streams:parietal', Int32Array.of()],
    ['faces', Int32Array.of(3, 5)],
  ]);
  const columns = Int32Array.of(0, 2, 3, 4, 5, 6);

  it('count their voxels among those that are read, and tell what is shared, empty or of none', () => {
    const found = regionBands(regions, columns, ['streams', 'faces']);
    expect(found.counts).toEqual([
      'streams:early 1 voxel, streams:ventral 2 voxels, faces 1 voxel',
      '1 voxel of both streams:ventral and faces: taken as the first',
      'streams:parietal has none of the voxels that the head reads: left out',
      '2 voxels of no band: left out',
    ]);
    // Voxels 0, 2, 3 and 5 are the columns of the design.
    expect([...found.columns]).toEqual([0, 2, 3, 5]);
    expect(found.bands.map(({ name, columns }) => [name, ...Array.from(columns)])).toEqual([
      ['streams:early', 0],
      ['streams:ventral', 1, 2],
      ['faces', 3],
    ]);
    // In the other order the other one has the voxel that is in both.
    const other = regionBands(regions, columns, ['faces', 'early+ventral']);
    expect(other.bands.map(({ name, columns }) => [name, ...Array.from(columns)])).toEqual([
      ['faces', 2, 3],
      ['early+ventral', 0, 1],
    ]);
    expect(regionBands(regions, Int32Array.of(0, 2, 3), ['streams', 'faces']).counts).toContain(
      'faces has no voxel of its own: left out',
    );
  });

  it.each([
    [['streams', 'V1'], /no such ROI.*found "V1"/],
    [['early', 'early'], /named twice.*found early/],
    [['early'], /two or more with voxels that the head reads, found early alone/],
    [['early', 'parietal'], /found early alone/],
  ])('are refused: %s', (names, message) => {
    expect(() => regionBands(regions, columns, names)).toThrow(message);
  });
});

describe('a recipe with bands', () => {
  // What is regressed hangs on the first three voxels alone.
  const data = ((): SimulatedRidge => {
    const drawn = simulate(8, [40, 9, 13, 5]);
    const y = drawn.y.map((_, i) => {
      const [row, k] = [Math.floor(i / drawn.t), i % drawn.t];
      const x = (j: number) => drawn.x[row * drawn.p + j]!;
      return Math.fround(2 + x(k % 3) - x((k + 1) % 3) + 0.5 * (drawn.y[i]! - 3 - k));
    });
    return { ...drawn, y };
  })();
  const bands = [
    { name: 'told', columns: Int32Array.of(0, 1, 2) },
    { name: 'silent', columns: Int32Array.from({ length: 10 }, (_, j) => j + 3) },
  ];
  const draws = 6;
  const alpha: RecipeHead['alpha'] = {
    grid: [3, 30],
    folds: { count: 4, together: false },
    score: 'negativeSquaredError',
    perTarget: true,
  };
  const run = { ...runDesign(data, [{ alpha }]), bands: { bands, draws, seed: 0 } };
  const gammas = dirichletGammas(2, { draws }).map((own) => own.map((weight) => 2 * weight));
  const scaled = (values: Float64Array, weights: ArrayLike<number>) =>
    values.map((value, i) => value * Math.sqrt(weights[i % data.p < 3 ? 0 : 1]!));

  /** Mean squared error over folds of a candidate with a penalty. */
  function errorOf(weights: ArrayLike<number>, penalty: number): number {
    let sum = 0;
    for (let fold = 0; fold < 4; fold++) {
      const take = (values: Float64Array, width: number, isHeld: boolean) =>
        values.filter((_, i) => (Math.floor(i / width / 10) === fold) === isHeld);
      const x = scaled(data.x, weights);
      const part = { ...data, x: take(x, data.p, false), xTest: take(x, data.p, true), n: 30, m: 10 };
      const { test } = solved({ ...part, y: take(data.y, data.t, false) }, penalty, true);
      const truth = take(data.y, data.t, true);
      sum += test.reduce((all, value, i) => all + (value - truth[i]!) ** 2, 0) / truth.length / 4;
    }
    return sum;
  }
  const errors = gammas.map((weights) => Math.min(...[3, 30].map((penalty) => errorOf(weights, penalty))));
  const best = errors.indexOf(Math.min(...errors));

  it('takes the weights that an exhaustive search takes, and predicts what ridge on voxels times their roots does', async () => {
    expect(best).not.toBe(0);
    const store = memoryHeadStore();
    const outcome = await fitHeads([run], store, { backend, keep: 'predictions', precision: 'f64' });
    const { weights, scale } = outcome.bands[0]!;
    expect(weights.bands).toEqual([
      { name: 'told', voxels: 3, weight: gammas[best]![0] },
      { name: 'silent', voxels: 10, weight: gammas[best]![1] },
    ]);
    expect(weights.bands[0]!.weight).toBeGreaterThan(weights.bands[1]!.weight);
    expect(weights.chosen).toBeCloseTo(-errors[best]!, 5);
    expect(weights.plain).toBeCloseTo(-errors[0]!, 5);
    expect(scale[2]).toBeCloseTo(Math.sqrt(gammas[best]![0]!), 6);
    const banded = { ...data, x: scaled(data.x, gammas[best]!), xTest: scaled(data.xTest, gammas[best]!) };
    const chosen = store.statistics('vision').alpha;
    for (let k = 0; k < data.t; k++) {
      const { test } = solved(banded, chosen[k]!, true);
      for (let i = 0; i < data.m; i++)
        expect(store.predictions('vision')[i * data.t + k]).toBeCloseTo(test[i * data.t + k]!, 3);
    }
  });

  it('keeps them in the bundle, which divides voxels by the same roots, and in the ledger; a resumed run does not search', async () => {
    const store = memoryHeadStore();
    const options = { backend, keep: 'weights', precision: 'f64', storage: 'dual' } as const;
    const outcome = await fitHeads([run], store, options);
    const described = {
      recipe: { heads: run.heads.map(({ head }) => head), quirks: [], inferred: [], name: 'custom' } as never,
      designs: [
        { ...run, roi: 'all', average: 'none', unitVoxels: false, columns: new Int32Array(data.p) } as const,
      ],
      outcome,
      input: { voxels: data.p },
      runs: ['1'],
      ledger: [],
      report: {},
    };
    const bundle = await headsBundle(described, store.statistics);
    // What divides each voxel of this design is 2.
    const [told, silent] = gammas[best]!;
    expect(bundle.designs[0]!.std[0]).toBeCloseTo(2 / Math.sqrt(told!), 5);
    expect(bundle.designs[0]!.std[12]).toBeCloseTo(2 / Math.sqrt(silent!), 5);
    const step = bundle.ledger.find((one) => one.step === 'weights of bands of vision');
    expect(step).toMatchObject({
      sawTest: 'no',
      note: expect.stringMatching(/^told .*, silent .*: of 6 candidates/),
    });
    expect(bundle.report.headBands).toMatchObject({ vision: { candidates: 6, values: 5, of: 5 } });
    // Another search would begin at the training rows of the design.
    let reads = 0;
    const design = {
      ...run.design,
      read(...at: Parameters<typeof run.design.read>) {
        reads++;
        return run.design.read(...at);
      },
    };
    const again = await fitHeads([{ ...run, design }], store, options);
    expect(again.bands).toEqual(outcome.bands);
    expect(reads).toBe(1);
  });

  it('names file, row and column of a target that is not finite', async () => {
    const y = data.y.slice();
    y[7 * data.t + 2] = Number.NaN;
    const broken = { ...runDesign({ ...data, y }, [{ alpha }]), bands: run.bands };
    const options = { backend, keep: 'predictions', precision: 'f64' } as const;
    await expect(fitHeads([broken], memoryHeadStore(), options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      file: 'targets.npy',
      field: 'row 7, column 2',
      found: 'NaN',
    });
  });

  it('looks at wide heads through 2048 values in stretches, and plans its memory', async () => {
    const wide = 5000;
    const seen: [number, number][] = [];
    const values = new Float64Array(data.n * wide).map(
      (_, i) => data.y[Math.floor(i / wide) * data.t + (i % data.t)]!,
    );
    const source = sourceIn(values, data.n, [wide]);
    const watched = {
      ...source,
      read: (rows: ArrayLike<number>, from: number, to: number) => {
        seen.push([from, to]);
        return source.read(rows, from, to);
      },
    };
    const own = { ...run.heads[0]!, head: { ...run.heads[0]!.head, shape: [wide], alpha: 10 } };
    const heads = [{ ...own, targets: { ...own.targets, source: watched } }];
    const store = memoryHeadStore();
    const outcome = await fitHeads([{ ...run, heads, bands: { bands, draws: 2, seed: 0 } }], store, {
      backend,
      keep: 'predictions',
      precision: 'f32',
    });
    expect(outcome.bands[0]!.weights).toMatchObject({ values: 2048, of: wide, score: 'r2' });
    const search = seen.slice(0, 32);
    expect(search[0]).toEqual([0, 64]);
    expect(search.at(-1)).toEqual([wide - 64, wide]);
    expect(search.every(([from, to]) => to - from === 64)).toBe(true);
    const big = { ...run, design: { ...run.design, train: 8859 } };
    const settings = { keep: 'weights', precision: 'auto', form: 'dual', resident: 2e8 } as const;
    expect(() => shareMemory(big, { ...settings, memory: 4.5e9 })).toThrow(
      /expected at most 4500 MB, found \d{4} MB for 2 bands of 8859 training rows/,
    );
    expect(() => shareMemory({ ...big, bands: undefined }, { ...settings, memory: 4.5e9 })).not.toThrow();
  });
});
