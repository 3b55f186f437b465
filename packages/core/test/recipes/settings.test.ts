import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  chooseRecipe,
  createReferenceBackend,
  type Folder,
  fitHeads,
  headsBundle,
  headsContents,
  memoryHeadStore,
  openBundle,
  quirkInWords,
  RECIPES,
  saveBundle,
  targetRows,
  unitTokens,
} from '../../src/index.ts';
import { damaged, fuzzRandom, outcomeOf } from '../data/helpers/fuzz.ts';
import { runDesign, simulate, sourceIn } from './simulated.ts';

describe('recipes', () => {
  it('have the published settings', () => {
    const of = (name: string) => RECIPES.find((recipe) => recipe.name === name)!;
    const alphas = (name: string) =>
      Object.fromEntries(of(name).heads.map(({ name, alpha }) => [name, alpha]));
    expect(alphas('brain-diffuser')).toEqual({ vision: 6e4, text: 1e5, vdvae: 5e4 });
    const { z, c, blip } = alphas('takagi');
    expect(z).toEqual(c);
    expect(z).toMatchObject({ grid: [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1], score: 'negativeSquaredError' });
    expect(blip).toMatchObject({
      grid: [1e4, 2e4, 4e4],
      folds: { count: 5, together: false },
      perTarget: true,
    });
    expect(of('takagi').heads.every(({ intercept }) => !intercept)).toBe(true);
    expect(of('takagi').heads).toHaveLength(3 + 19 + 4);
    expect(of('mirage').heads.map(({ shape }) => shape!.join('x'))).toEqual([
      '1x768',
      '77x1280',
      '91168',
      '257x1024',
      '257x1024',
    ]);
    expect(
      of('mirage')
        .heads.filter(({ unitVoxels }) => unitVoxels)
        .map(({ name }) => name),
    ).toEqual(['retrieval']);
  });

  it('choose penalties by folds of successive rows, shuffled by a seed on request alone', () => {
    const foldsOf = (foldsSeed?: number) => {
      const { alpha } = chooseRecipe('custom', ['vision'], { folds: 3, foldsSeed }).heads[0]!;
      return typeof alpha === 'number' ? undefined : alpha.folds;
    };
    expect(foldsOf()).toEqual({ count: 3, together: true });
    expect(foldsOf(0)).toEqual({ count: 3, together: true, seed: 0 });
  });

  it('tell their peculiarities with the numbers of the data, not of the publication alone', () => {
    const rows = (...shown: [stimulus: number, trials: number][]) =>
      shown.map(([stimulus, trials]) => ({ stimulus, trials: new Int32Array(trials) }));
    const words = (name: string, head: string, sides: Parameters<typeof quirkInWords>[1]) =>
      chooseRecipe(name, [head])
        .quirks.filter(({ count }) => count)
        .map((quirk) => quirkInWords(quirk, sides).replace(/^.*\(/, ''));
    // Single rows of a picture are counted together; averages hold several trials.
    const single = { train: rows([3, 1], [4, 1], [3, 1]), test: rows([5, 2], [6, 2]) };
    expect(words('takagi', 'z', single)).toEqual([
      'training rows; published: some 25,000, here: 3)',
      'presentations of a test picture; published: 3, here: 2)',
    ]);
    const averaged = { train: rows([3, 1], [4, 3]), test: single.test };
    expect(words('brain-diffuser', 'text', averaged)).toEqual([
      'presentations of a training picture; published: 1 to 3, here: 1 to 3)',
    ]);
    expect(words('takagi', 'z', undefined)[0]).toBe('training rows; published: some 25,000)');
  });

  it('take what is set otherwise, keep their order of heads, and drop the peculiarities that are gone', () => {
    const { heads, split, quirks } = chooseRecipe('brain-diffuser', ['vdvae', 'vision'], {
      alphas: [1, 2],
      split: 'split',
      renormalise: 'test-predictions',
    });
    expect(heads.map(({ name }) => name)).toEqual(['vision', 'vdvae']);
    expect(heads[0]).toMatchObject({
      renormalise: 'test-predictions',
      alpha: { grid: [1, 2], perTarget: true },
    });
    expect(split).toBe('split');
    expect(quirks.map(({ option }) => option).join()).not.toMatch(/alphas|renormalise/);
    expect(chooseRecipe('takagi', ['z'], { folds: 3 }).heads[0]!.alpha).toMatchObject({
      folds: { count: 3 },
    });
    const about = (heads: string[]) => chooseRecipe('takagi', heads).quirks.filter((one) => one.heads).length;
    expect([about(['z', 'blip']), about(['blip'])]).toEqual([1, 0]);
    for (const [name, targets, message] of [
      ['mindeye', ['z'], /no such recipe; expected brain-diffuser, takagi, mirage, custom/],
      ['takagi', ['vision'], /no such targets/],
      ['takagi', ['z', 'z'], /z twice/],
      ['takagi', [], /needs the features/],
      ['custom', ['../x'], /not a name of targets/],
    ] as const) {
      expect(() => chooseRecipe(name, targets)).toThrow(message);
    }
  });
});

describe('targets', () => {
  const split = { train: Int32Array.of(3, 5, 9), test: Int32Array.of(4, 20) };
  const rowsOf = (rows: number, pictures: number[], of: 'train' | 'test') => [
    ...targetRows({ name: 'f.npy', rows }, pictures, of, split),
  ];

  it('find the row of each picture: of the split, of a side, of the whole set', () => {
    expect(rowsOf(5, [9, 3, 3], 'train')).toEqual([3, 0, 0]);
    expect(rowsOf(3, [9, 3], 'train')).toEqual([2, 0]);
    expect(rowsOf(2, [20, 4], 'test')).toEqual([1, 0]);
    expect(rowsOf(73_000, [9, 5], 'train')).toEqual([9, 5]);
    expect(rowsOf(21, [9, 5], 'train')).toEqual([9, 5]);
    expect(() => rowsOf(20, [9], 'train')).toThrow(
      /f\.npy: not a row for each picture; expected 5 .*found 20 rows/,
    );
    expect(() => rowsOf(2, [9], 'train')).toThrow(/not a row for each picture/);
  });

  it('divide tokens by their length, wherever a block begins', async () => {
    const values = Float64Array.of(3, 4, 0, 0, 0, 5, 6, 8);
    const unit = unitTokens(sourceIn(values, 2, [2, 2]), [2, 2]);
    const whole = await unit.read([0, 1], 0, 4);
    expect([...whole].map((value) => Number(value.toFixed(6)))).toEqual([0.6, 0.8, 0, 0, 0, 1, 0.6, 0.8]);
    expect([...(await unit.read([1], 1, 3))].map((value) => Number(value.toFixed(6)))).toEqual([1, 0.6]);
  });
});

it('damaged bundles of heads end in a clear error', async () => {
  const backend = createReferenceBackend();
  const data = simulate(1, [8, 2, 11, 3]);
  const store = memoryHeadStore();
  const run = runDesign(data, [{}]);
  const outcome = await fitHeads([run], store, { backend, keep: 'weights', precision: 'auto' });
  const recipe = { ...chooseRecipe('custom', ['vision']), heads: run.heads.map(({ head }) => head) };
  const columns = Int32Array.from({ length: data.p }, (_, j) => j);
  const designs = [{ ...run, roi: 'all', average: 'none', unitVoxels: false, columns } as const];
  const described = { recipe, designs, outcome, input: { voxels: data.p }, runs: [], ledger: [], report: {} };
  const contents = headsContents(await headsBundle(described, store.statistics), store.matrices);
  const files = new Map<string, Uint8Array>();
  await saveBundle({ toBundle: () => contents }, async (path, bytes) => void files.set(path, bytes));
  const open = async (from: ReadonlyMap<string, Uint8Array>) => {
    const folder: Folder = {
      name: 'bundle',
      list: async () => [...from.keys()],
      open: async (path) => bytesSource(from.get(path)!, path),
    };
    (await openBundle(folder, { backend })).dispose();
  };
  await open(files);
  const random = fuzzRandom(11);
  const names = [...files.keys()];
  for (let i = 0; i < 150; i++) {
    const name = names[i % names.length]!;
    const broken = new Map(files).set(name, damaged(files.get(name)!, random));
    await outcomeOf(() => open(broken));
  }
  expect(backend.stats().liveTensors).toBe(0);
});
