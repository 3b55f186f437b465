import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  defaultPreparation,
  detrend,
  encodeNpy,
  encodePng,
  type Folder,
  kFolds,
  lagVoxels,
  leaveOneGroupOut,
  loadStudy,
  memoryFolder,
  prepareStudy,
  sampleTrials,
  statedSplit,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';
import { dataFolder, repositoryRoot } from './shared.ts';

const text = (content: string) => new TextEncoder().encode(content);
const floats = (shape: number[], value: (i: number) => number = (i) => i) => {
  const length = shape.reduce((a, b) => a * b, 1);
  return encodeNpy({ dtype: 'f32', shape, data: Float32Array.from({ length }, (_, i) => value(i)) });
};

/** A small event-related study: 2 runs of 10 volumes, 3 voxels, 4 trials, 3 pictures of 2 x 4. */
function smallStudy(changes: Record<string, unknown> = {}, files: Record<string, Uint8Array> = {}): Folder {
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'small',
    tr: 2,
    indexBase: 1,
    voxels: { file: 'voxels.npy', rows: 'volumes' },
    runs: [
      { name: 'a', first: 1, last: 10, split: 'train' },
      { name: 'b', first: 11, last: 20, split: 'test' },
    ],
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 23] },
    ...changes,
  };
  return memoryFolder(
    Object.entries({
      'study.json': text(JSON.stringify(manifest)),
      'voxels.npy': floats([20, 3]),
      'trials.tsv': text('onset\trun\tstimulus\n0\ta\t1\n7\ta\t2\n0\tb\t3\n17\tb\t1\n'),
      'pictures.npy': floats([3, 2, 4]),
      ...files,
    }),
    'small',
  );
}

describe('loading a study', () => {
  it('places trials in their runs and pictures in 0..1', async () => {
    const study = await loadStudy(smallStudy(), 'study.json');
    expect(study.voxels.shape).toEqual([20, 3]);
    expect(study.trials.map((trial) => trial.volume)).toEqual([0, 3.5, 10, 18.5]);
    expect(study.trials.map((trial) => trial.split)).toEqual(['train', 'train', 'test', 'test']);
    expect(study.trials.map((trial) => trial.stimulus)).toEqual([0, 1, 2, 0]);
    expect(study.stimuli!.values.shape).toEqual([3, 2, 4]);
    expect(study.stimuli!.values.data[23]).toBe(1);
    expect(study.continuous).toBe(false);
  });

  it('turns axes, flips a y that grows upwards, and takes block means', async () => {
    const study = await loadStudy(
      smallStudy(
        {
          stimuli: {
            file: 'pictures.npy',
            axes: ['x', 'stimulus', 'y'],
            range: [0, 100],
            reduce: { x: 2, y: 1 },
          },
          visualField: { widthDegrees: 8, heightDegrees: 4, origin: 'centre', yDirection: 'up' },
        },
        // value 25 * x + 10 * stimulus + y
        {
          'pictures.npy': floats(
            [4, 3, 2],
            (i) => 25 * Math.floor(i / 6) + 10 * (Math.floor(i / 2) % 3) + (i % 2),
          ),
        },
      ),
      'study.json',
    );
    const { data, shape } = study.stimuli!.values;
    expect(shape).toEqual([3, 2, 2]);
    // picture 1: top row is y = 1
    expect([...data.subarray(4, 8)].map((value) => Math.round(value * 1000) / 10)).toEqual([
      23.5, 73.5, 22.5, 72.5,
    ]);
  });

  it('samples the series after onset, within the run', async () => {
    const study = await loadStudy(smallStudy(), 'study.json');
    const { data, shape } = sampleTrials(study, { delays: [0, 4] });
    expect(shape).toEqual([4, 6]);
    // Voxel 0 of volume t is 3 t. Trial 2 begins at volume 3.5; trial 4 at 18.5, two volumes from the end.
    expect([...data].filter((_, i) => i % 3 === 0)).toEqual([0, 6, 10.5, 16.5, 30, 36, 55.5, 57]);
  });

  it.each([
    ['an unknown key', { voxls: 1 }, /unknown key "voxls": did you mean voxels\?/],
    ['a missing repetition time', { tr: undefined }, /repetition time/],
    [
      'a run outside the data',
      { runs: [{ name: 'a', first: 1, last: 21 }] },
      /runs\.0.*rows 1 to 20, found 1 to 21/,
    ],
    [
      'overlapping runs',
      {
        runs: [
          { name: 'a', first: 1, last: 10 },
          { name: 'b', first: 10, last: 20 },
        ],
      },
      /runs\.1/,
    ],
    ['another version', { version: 2 }, /version/],
    [
      'axes that do not fit',
      { stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y'] } },
      /stated axes.*stimulus, y.*3, 2, 4/,
    ],
    [
      'blocks that do not divide',
      { stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], reduce: { x: 3, y: 1 } } },
      /blocks/,
    ],
    ['a path above the folder', { voxels: { file: '../voxels.npy', rows: 'volumes' } }, /leaves the folder/],
    ['an absolute path', { voxels: { file: '/etc/passwd', rows: 'volumes' } }, /absolute/],
    ['a data path without a data folder', { voxels: { file: 'data:v.npy', rows: 'volumes' } }, /--data/],
    [
      'a missing file',
      { voxels: { file: 'nothing.npy', rows: 'volumes' } },
      /study\.json: voxels\.file: nothing\.npy: no such file/,
    ],
    ['a misspelt file', { voxels: { file: 'voxel.npy', rows: 'volumes' } }, /did you mean voxels\.npy\?/],
    [
      'runs counted from 1 where the base is 0',
      {
        indexBase: 0,
        runs: [
          { name: 'a', first: 1, last: 10 },
          { name: 'b', first: 11, last: 20 },
        ],
      },
      /runs\.1: run "b" does not lie.*is indexBase 1\?/,
    ],
  ])('refuses %s, naming it', async (_, changes, message) => {
    const error = await errorOf(loadStudy(smallStudy(changes), 'study.json'));
    expect(error.message).toMatch(message);
  });

  it.each([
    [
      'a stimulus that does not exist',
      'onset\trun\tstimulus\n0\ta\t4\n',
      /trials\.tsv: line 2, stimulus: trial 1.*1 to 3.*found 4/,
    ],
    ['an onset outside its run', 'onset\trun\tstimulus\n0\ta\t1\n20\ta\t1\n', /line 3, onset.*found 20 s/],
    ['an unknown run', 'onset\trun\tstimulus\n0\tc\t1\n', /line 2, run.*one of a, b.*found c/],
    ['an onset that is no number', 'onset\trun\tstimulus\nsoon\ta\t1\n', /line 2, onset.*found soon/],
    [
      'a trial without stimulus',
      'onset\trun\tstimulus\n0\ta\tn/a\n',
      /trials\.tsv: line 2, stimulus: trial 1 names no stimulus/,
    ],
    ['onsets in milliseconds', 'onset\trun\tstimulus\n2000\ta\t1\n', /line 2, onset: .*in milliseconds\?/],
    ['onsets of the series', 'onset\trun\tstimulus\n22\ta\t1\n', /onsetFrom: "series"/],
    [
      'no column of stimuli',
      'onset\trun\tpicture\n0\ta\t1\n',
      /trials\.tsv: line 1: .*trials\.columns.*found the columns onset, run, picture/,
    ],
    [
      'commas between cells',
      'onset,run,stimulus\n0,a,1\n',
      /one column named "onset,run,stimulus": is it comma separated\?/,
    ],
    [
      'two trials at once',
      'onset\trun\tstimulus\n2\ta\t1\n2\ta\t2\n',
      /line 3: two trials.*than that of line 2, found volume 2 of the series, counted from 1/,
    ],
    ['no trials at all', 'onset\trun\tstimulus\n', /no trials|empty|rows/],
  ])('refuses %s, naming line and column', async (_, table, message) => {
    const error = await errorOf(loadStudy(smallStudy({}, { 'trials.tsv': text(table) }), 'study.json'));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/trials\.tsv|study\.json/);
  });

  it('counts rows of betas against trials', async () => {
    const folder = smallStudy({ voxels: { file: 'voxels.npy', rows: 'trials' }, runs: undefined });
    const error = await errorOf(loadStudy(folder, 'study.json'));
    expect(error.message).toMatch(/trials\.tsv.*20 rows, as in voxels\.npy, found 4/);
    expect(error.message).not.toMatch(/orientation/);
    const turned = smallStudy(
      { voxels: { file: 'voxels.npy', rows: 'trials' }, runs: undefined },
      { 'voxels.npy': floats([3, 4]) },
    );
    expect((await errorOf(loadStudy(turned, 'study.json'))).message).toMatch(
      /is voxels\.orientation "voxels-by-rows"\?/,
    );
  });

  it('says that a file is one run where the manifest states none', async () => {
    const error = await errorOf(loadStudy(smallStudy({ runs: undefined }), 'study.json'));
    expect(error.message).toMatch(/states no runs, so voxels\.npy is one run, named 1.*found a$/);
  });

  it('hints at the other way to count onsets', async () => {
    const trials = { file: 'trials.tsv', onsetFrom: 'series' };
    const error = await errorOf(loadStudy(smallStudy({ trials }), 'study.json'));
    expect(error.message).toMatch(/line 4: two trials begin at the same time .*onsetFrom: "run"/);
  });

  it('refuses an empty file', async () => {
    const folder = smallStudy({}, { 'voxels.npy': new Uint8Array() });
    expect((await errorOf(loadStudy(folder, 'study.json'))).message).toMatch(
      /voxels\.npy: the file is empty/,
    );
  });

  it('counts missing pictures, naming the line that asks for them', async () => {
    const png = encodePng({ width: 8, height: 4, channels: 1, data: new Float32Array(32).fill(0.5) });
    const load = (names: string[], size: number[], folder = 'pictures') =>
      loadStudy(
        smallStudy(
          { stimuli: { folder, size } },
          {
            'pictures/a.png': png,
            'trials.tsv': text(
              `onset\trun\tstimulus\n${names.map((name, i) => `${i}\ta\t${name}`).join('\n')}\n`,
            ),
          },
        ),
        'study.json',
      );
    expect((await load(['a.png'], [2, 4])).warnings).toEqual([]);
    expect((await load(['a.png'], [4, 4])).warnings).toEqual([
      'stimuli.size [4, 4] stretches 1 of 1 pictures: a.png has 4 x 8 (height x width)',
    ]);
    expect((await errorOf(load(['a.png', 'x.png', 'y.png'], [2, 4]))).message).toBe(
      'small/trials.tsv: line 3, stimulus: pictures/x.png: no such file; 2 of 3 pictures are missing',
    );
    expect((await errorOf(load(['a'], [2, 4]))).message).toMatch(
      /1 of 1 pictures is missing; did you mean a\.png\?/,
    );
    expect((await errorOf(load(['a.png'], [2, 4], 'images'))).message).toMatch(
      /study\.json: stimuli\.folder: images: no such folder/,
    );
  });

  it('warns of a range that is not that of the pictures', async () => {
    const stimuli = { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'] };
    const warningsOf = async (change: object) =>
      (await loadStudy(smallStudy({ stimuli: { ...stimuli, ...change } }), 'study.json')).warnings;
    expect(await warningsOf({ range: [0, 23] })).toEqual([]);
    expect(await warningsOf({ range: [0, 5000] })).toEqual([
      'small/pictures.npy: its values go from 0 to 23, but stimuli.range is [0, 5000]: the pictures come out nearly black',
    ]);
    expect(await warningsOf({})).toEqual([
      'small/pictures.npy: its values go from 0 to 23, but stimuli.range is not stated, so [0, 1]: the pictures lose what lies outside',
    ]);
  });

  it('says which kind of rows a preparation belongs to', async () => {
    const series = await loadStudy(smallStudy(), 'study.json');
    expect(() => prepareStudy(series, [])).toThrow(/no step "sample".*small holds a time series/);
    const steps = defaultPreparation(series);
    const betas = { ...series, rows: 'trials' as const };
    expect(() => prepareStudy(betas, steps)).toThrow(/has a step "detrend".*small holds one row a trial/);
  });

  it('refuses values that are not finite, or drops them when told to, and points out constant voxels', async () => {
    const voxels = floats([20, 3], (i) => (i === 4 ? Number.NaN : i % 3 === 2 ? 5 : i));
    const error = await errorOf(loadStudy(smallStudy({}, { 'voxels.npy': voxels }), 'study.json'));
    expect(error.message).toMatch(/1 of 3 voxels \(1\).*dropBadVoxels/);
    const repaired = await loadStudy(
      smallStudy(
        { voxels: { file: 'voxels.npy', rows: 'volumes', dropBadVoxels: true } },
        { 'voxels.npy': voxels },
      ),
      'study.json',
    );
    expect(repaired.voxels.shape).toEqual([20, 2]);
    expect([...repaired.selection.indices]).toEqual([0, 2]);
    expect([...repaired.voxels.data.subarray(2, 4)]).toEqual([3, 5]);
    expect(repaired.repairs[0]).toMatch(/left out 1 of 3/);
    expect(repaired.warnings[0]).toMatch(/1 of 3 voxels never change/);
  });
});

describe.skipIf(!dataFolder)('real studies (skipped where ../shared/data is absent)', () => {
  async function diskFolder(path: string): Promise<Folder> {
    return {
      name: path,
      list: async () => [],
      open: async (file) => bytesSource(new Uint8Array(await readFile(join(path, file))), join(path, file)),
    };
  }
  const load = async (name: string) =>
    loadStudy(await diskFolder(join(repositoryRoot, 'examples', name)), 'study.json', {
      data: await diskFolder(join(dataFolder!, name)),
    });

  it('v1-bars: 150 volumes of 2365 voxels, pictures of 20 x 15, 100 scored frames', async () => {
    const study = await load('v1-bars');
    expect(study.voxels.shape).toEqual([150, 2365]);
    expect(study.voxels.data[0]).toBeCloseTo(-0.7982142, 6);
    expect(study.stimuli!.values.shape).toEqual([150, 15, 20]);
    expect(study.scored.length).toBe(100);
    expect(study.continuous).toBe(true);
    expect(study.runs.map(({ start, end }) => end - start)).toEqual([46, 29, 42, 33]);
  });

  it('haxby: 864 labelled volumes of 530 voxels in 12 runs', async () => {
    const study = await load('haxby');
    expect(study.voxels.shape).toEqual([1452, 530]);
    expect(study.trials.length).toBe(864);
    expect(new Set(study.trials.map((trial) => trial.label)).size).toBe(8);
    expect(new Set(study.trials.map((trial) => trial.run)).size).toBe(12);
  });
});

describe('time series', () => {
  it('lags stay within a run', () => {
    const volumes = { data: Float32Array.from([1, 2, 3, 10, 20, 30]), shape: [6, 1] };
    const lagged = lagVoxels(volumes, [0, 1], ['a', 'a', 'a', 'b', 'b', 'b']);
    expect([...lagged.data]).toEqual([1, 2, 2, 3, 3, 3, 10, 20, 20, 30, 30, 30]);
    expect(() => lagVoxels(volumes, [0.5])).toThrow(/whole numbers/);
  });

  it('detrending removes lines and slow waves of each run, and keeps means and fast signals', () => {
    const n = 120;
    const fast = (t: number) => (t % 6 < 3 ? 1 : -1);
    const drift = (t: number) => 0.3 * t + 8 * Math.cos((Math.PI * 2 * (t + 0.5)) / 60);
    const data = Float32Array.from(
      { length: n },
      (_, t) => 100 + fast(t) + drift(t % 60) + (t < 60 ? 0 : 50),
    );
    const runs = Array.from({ length: n }, (_, t) => (t < 60 ? 'a' : 'b'));
    const clean = detrend({ data, shape: [n, 1] }, { tr: 2, cutoffSeconds: 100, runs }).data;
    const mean = (x: Float32Array) => x.reduce((a, b) => a + b, 0) / x.length;
    for (const [from, to] of [
      [0, 60],
      [60, 120],
    ] as const) {
      const part = clean.subarray(from, to);
      expect(mean(part)).toBeCloseTo(mean(data.subarray(from, to)), 3);
      part.forEach((value, t) => {
        expect(Math.abs(value - mean(part) - fast(t))).toBeLessThan(0.5);
      });
    }
  });
});

describe('splits', () => {
  const sorted = (rows: Int32Array) => [...rows].toSorted((a, b) => a - b);

  it('folds hold out each row once and never train on it', () => {
    for (const seed of [undefined, 3]) {
      const folds = kFolds(11, { folds: 4, seed });
      expect(folds.map(({ test }) => test.length)).toEqual([3, 3, 3, 2]);
      expect(folds.flatMap(({ test }) => [...test]).toSorted((a, b) => a - b)).toEqual([...Array(11).keys()]);
      for (const { train, test } of folds) {
        expect(sorted(Int32Array.from([...train, ...test]))).toEqual([...Array(11).keys()]);
      }
    }
    expect([...kFolds(6, { folds: 3 })[1]!.test]).toEqual([2, 3]);
  });

  it('repeats of a stimulus stay on one side', () => {
    const together = [1, 2, 3, 1, 2, 3, 4, 5];
    for (const { train, test } of kFolds(8, { folds: 3, seed: 1, together })) {
      const inTest = new Set([...test].map((row) => together[row]));
      expect([...train].some((row) => inTest.has(together[row]!))).toBe(false);
    }
  });

  it('leaves one group out, and refuses a single group', () => {
    const splits = leaveOneGroupOut(['a', 'a', 'b', 'c', 'b'], 'run');
    expect(splits.map(({ name, test }) => [name, [...test]])).toEqual([
      ['run a', [0, 1]],
      ['run b', [2, 4]],
      ['run c', [3]],
    ]);
    expect(() => leaveOneGroupOut(['a', 'a'], 'run')).toThrow(/run: .*at least two/);
  });

  it('the stated split ignores other labels and names what is missing', () => {
    const { train, test } = statedSplit(['train', 'skip', 'test', 'train']);
    expect([[...train], [...test]]).toEqual([[0, 3], [2]]);
    expect(() => statedSplit(['train', 'tset'])).toThrow(/"test".*"train", "tset"/);
  });
});
