import { beforeAll, describe, expect, it } from 'vitest';
import {
  arrange,
  createRandom,
  encodeNifti,
  encodeNpy,
  layoutOf,
  loadStudy,
  memoryFolder,
  openRecording,
  packRecording,
  prepareStudy,
  recordingOf,
  stimuliInOrder,
} from '../../src/index.ts';
import { errorOf } from '../data/helpers/errors.ts';
import { damaged, fuzzRandom, outcomeOf } from '../data/helpers/fuzz.ts';

const grid = [3, 4, 2] as const;
const affine = [
  [2, 0, 0, -10],
  [0, 2, 0, -20],
  [0, 0, 2, 5],
];
const random = createRandom(4);
const text = (value: string) => new TextEncoder().encode(value);

/** Four volumes; volume t of file f at voxel v is the value below. */
const value = (f: number, t: number, v: number) => Math.fround(100 * f + 10 * t + v / 7);
const image = (f: number, volumes = 4) =>
  encodeNifti({
    dtype: 'f32',
    shape: [...grid, volumes],
    affine,
    data: Float32Array.from({ length: volumes * 24 }, (_, i) => value(f, Math.floor(i / 24), i % 24)),
  });
const table = (rows: string[]) => text(`${['onset\tstim_file\trun\tsplit\tlabel', ...rows].join('\n')}\n`);
const rows = (run: number, names: string[]) =>
  names.map((name, i) => `${4 * i}\timages/${name}.png\t${run}\t${name === 'a' ? 'test' : 'train'}\tanimal`);

const files: Record<string, Uint8Array> = {
  'dataset_description.json': text('{"Name": "x", "BIDSVersion": "1.8.0", "DatasetType": "derivative"}'),
  'sub-07/ses-2/func/sub-07_ses-2_task-see_desc-glm_betas.nii': image(1),
  'sub-07/ses-2/func/sub-07_ses-2_task-see_desc-glm_trials.tsv': table(rows(1, ['b', 'a', 'c', 'd'])),
  'sub-07/ses-10/func/sub-07_ses-10_task-see_run-3_stat-effect_statmap.nii': image(2),
  'sub-07/ses-10/func/sub-07_ses-10_task-see_run-3_events.tsv': table(
    rows(3, ['a', 'e', 'b', 'a']).map((row) => row.replace('\t3\t', '\tn/a\t')),
  ),
  'sub-07/anat/sub-07_desc-v1_mask.nii': encodeNifti({
    dtype: 'u8',
    shape: grid,
    affine,
    data: Uint8Array.from({ length: 24 }, (_, v) => (v % 5 === 2 ? 1 : 0)),
  }),
};
const open = (changes: Record<string, Uint8Array | undefined> = {}, options = {}) => {
  const all = Object.entries({ ...files, ...changes }).filter(
    (entry): entry is [string, Uint8Array] => !!entry[1],
  );
  return openRecording(memoryFolder(all, 'glm'), options);
};

describe('derivatives of BIDS', () => {
  it('are read: a volume a trial, the table beside it, the mask, sessions in order of their numbers', async () => {
    expect(await layoutOf(memoryFolder(Object.entries(files), 'glm'))).toBe('bids');
    const recording = await open();
    expect(recording).toMatchObject({ layout: 'bids', name: 'sub-07', voxels: 5 });
    expect([...recording.selection.indices]).toEqual([2, 7, 12, 17, 22]);
    expect(recording.selection.space).toMatchObject({ kind: 'image', grid: [3, 4, 2] });
    expect(recording.trials.map(({ session, run, repeat, split }) => [session, run, repeat, split])).toEqual([
      ['2', '1', 0, 'train'],
      ['2', '1', 0, 'test'],
      ['2', '1', 0, 'train'],
      ['2', '1', 0, 'train'],
      ['10', '3', 1, 'test'],
      ['10', '3', 0, 'train'],
      ['10', '3', 1, 'train'],
      ['10', '3', 2, 'test'],
    ]);
    expect(recording.trials.map(({ stimulus }) => recording.stimulusName!(stimulus))).toEqual(
      [...'bacdaeba'].map((name) => `images/${name}.png`),
    );
    const values = await recording.readTrials(3, 6);
    for (const [t, [f, volume]] of [
      [1, 3],
      [2, 0],
      [2, 1],
    ].entries()) {
      for (const [c, voxel] of [2, 7, 12, 17, 22].entries()) {
        expect(values[t * 5 + c]).toBe(value(f!, volume!, voxel));
      }
    }
    expect(recording.ledger).toMatchObject([{ sawTest: 'unknown' }]);
    expect(arrange(recording, { split: 'split' }).counts).toEqual([
      '4 training pictures',
      '5 training trials',
      '1 test picture',
      '3 test trials',
    ]);
  });

  it('say in which order rows of features are taken, and where counting gives another', async () => {
    const trialsOf2 = 'sub-07/ses-2/func/sub-07_ses-2_task-see_desc-glm_trials.tsv';
    const recording = await open();
    // The time between volumes is none between trials.
    expect(recording.warnings).toEqual([]);
    expect(stimuliInOrder(recording)).toBe(
      `by name, character by character: ${[...'abcde'].map((name) => `images/${name}.png`).join(', ')} (5)`,
    );
    const counted = await open({ [trialsOf2]: table(rows(1, ['im10', 'im9', 'im1', 'im2'])) });
    expect(counted.warnings.join()).toMatch(
      /in the order images\/a\.png, images\/b\.png, images\/e\.png, \.\.\., images\/im10\.png, images\/im2\.png, images\/im9\.png, not .*images\/im2\.png, images\/im9\.png, images\/im10\.png$/,
    );
    expect(stimuliInOrder(counted, [6, 3, 6])).toBe(
      'by name, character by character: images/im1.png, images/im9.png (2)',
    );
    const padded = await open({ [trialsOf2]: table(rows(1, ['im10', 'im09', 'im01', 'im02'])) });
    expect(padded.warnings).toEqual([]);
  });

  it('are refused by file, line and column', async () => {
    const events = 'sub-07/ses-10/func/sub-07_ses-10_task-see_run-3_events.tsv';
    const betas = 'sub-07/ses-10/func/sub-07_ses-10_task-see_run-3_stat-effect_statmap.nii';
    const message = async (changes: Record<string, Uint8Array | undefined>, options = {}) =>
      (await errorOf(open(changes, options))).message;
    expect(await message({ [events]: table(rows(3, ['a', 'b'])) })).toMatch(
      /run-3_events\.tsv: not a line for each volume.*4 lines.*found 2/,
    );
    expect(await message({ [events]: undefined })).toMatch(
      /no table of trials beside the betas.*run-3_trials\.tsv or .*run-3_events\.tsv/,
    );
    expect(await message({ [events]: text('onset\n1\n2\n3\n4\n') })).toMatch(
      /no column says what was shown.*found onset/,
    );
    const blank = table(
      rows(3, ['a', 'b', 'c', 'd']).map((row, i) => (i === 2 ? row.replace('images/c.png', 'n/a') : row)),
    );
    expect(await message({ [events]: blank })).toMatch(/line 4, column stim_file.*found "n\/a"/);
    expect(
      await message({
        [betas]: encodeNifti({ dtype: 'f32', shape: [2, 2, 2, 4], data: new Float32Array(32) }),
      }),
    ).toMatch(/images of different grids/);
    expect(await message({ [betas]: image(2).slice(0, 700) })).toMatch(/amount of data/);
    expect(await message({}, { subject: '08' })).toMatch(
      /name one of the participants; expected 07, found 08/,
    );
    expect(await message({}, { roi: 'V1' })).toMatch(/a derivative of BIDS with betas has no choice of roi/);
    const none = Object.fromEntries(
      Object.keys(files)
        .filter((path) => path.includes('/func/'))
        .map((path) => [path, undefined]),
    );
    expect(await message(none)).toMatch(/no betas in this derivative/);
  });

  it('end in an error or a recording, whatever is damaged', async () => {
    const draw = fuzzRandom(8);
    const paths = Object.keys(files).filter((path) => path !== 'dataset_description.json');
    for (let i = 0; i < 150; i++) {
      const path = paths[i % paths.length]!;
      await outcomeOf(() =>
        open({ [path]: damaged(files[path]!, draw) }).then((one) =>
          packRecording(one, { badVoxels: 'drop' }),
        ),
      );
    }
  });
});

describe('recordingOf', () => {
  const [trials, voxels] = [12, 4];
  const data = Float32Array.from(random.normals(trials * voxels));
  const study = async (labels: boolean) => {
    const manifest = {
      format: 'fmri2image-study',
      version: 1,
      name: 'own',
      indexBase: 0,
      voxels: { file: 'voxels.npy', rows: 'trials' },
      trials: { file: 'trials.tsv' },
      ...(labels ? {} : { stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 1] } }),
    };
    const lines = Array.from({ length: trials }, (_, i) =>
      [
        i,
        i % 3,
        ['cat', 'house', 'ant'][i % 3],
        i < 6 ? '1' : '2',
        i < 6 ? 's1' : 's2',
        i % 4 === 0 ? 'test' : 'train',
      ].join('\t'),
    );
    const folder = memoryFolder(
      [
        ['study.json', text(JSON.stringify(manifest))],
        ['voxels.npy', encodeNpy({ dtype: 'f32', shape: [trials, voxels], data })],
        ['trials.tsv', text(`${['row\tstimulus\tlabel\trun\tsession\tsplit', ...lines].join('\n')}\n`)],
        [
          'pictures.npy',
          encodeNpy({ dtype: 'f32', shape: [3, 2, 2], data: new Float32Array(12).map((_, i) => i / 12) }),
        ],
      ],
      'own',
    );
    return { folder, study: await loadStudy(folder, 'study.json') };
  };
  let pictures: Awaited<ReturnType<typeof study>>;
  let named: Awaited<ReturnType<typeof study>>;
  beforeAll(async () => {
    pictures = await study(false);
    named = await study(true);
  });

  it('keeps trials, sessions, splits and repeats', async () => {
    const recording = await openRecording(pictures.folder);
    expect(recording).toMatchObject({ layout: 'study', name: 'own', voxels });
    expect(recording.trials[7]).toEqual({
      session: 's2',
      run: '2',
      stimulus: 1,
      repeat: 2,
      split: 'train',
      label: 'house',
    });
    expect(await recording.readTrials(2, 5)).toEqual(data.slice(2 * voxels, 5 * voxels));
    expect(arrange(recording, { split: 'split' }).test.flatMap((row) => [...row.trials])).toEqual([0, 4, 8]);
    expect(() => arrange(recording, { split: 'takagi' })).toThrow(/all subjects saw/);
  });

  it('takes what the table of trials names where there are no stimuli: numbers, or names', () => {
    const numbered = recordingOf(named.study);
    expect(numbered.trials.slice(0, 4).map(({ stimulus }) => stimulus)).toEqual([0, 1, 2, 0]);
    expect(stimuliInOrder(numbered)).toBe('by number: 0, 1, 2 (3)');
    const trials = named.study.trials.map((trial, i) => ({ ...trial, stimulusName: `${1 + (i % 3)}` }));
    const fromOne = recordingOf({ ...named.study, indexBase: 1, trials });
    expect(fromOne.trials.slice(0, 4).map(({ stimulus }) => stimulus)).toEqual([0, 1, 2, 0]);
    expect(stimuliInOrder(fromOne)).toBe('by number: 1, 2, 3 (3)');
    expect(() => recordingOf({ ...named.study, indexBase: 1 })).toThrow(/1 or more \(indexBase\)/);
    const own = recordingOf({
      ...named.study,
      trials: named.study.trials.map((trial, i) => ({ ...trial, stimulusName: `im${i % 2 ? 2 : 10}.png` })),
    });
    expect(own.trials.slice(0, 3).map(({ stimulus }) => stimulus)).toEqual([0, 1, 0]);
    expect(own.stimulusName!(0)).toBe('im10.png');
    expect(own.warnings.join()).toMatch(/not by the numbers in them/);
  });

  it('refuses trials that do not say what they show, naming the column', () => {
    const trials = named.study.trials.map(({ stimulusName: _, label, ...trial }, i) =>
      i === 4 ? trial : { ...trial, label },
    );
    expect(() => recordingOf({ ...named.study, trials })).toThrow(/column "stimulus" or "label".*trial 5/);
  });

  it('takes labels for what was shown where nothing names it', () => {
    const recording = recordingOf({
      ...named.study,
      trials: named.study.trials.map(({ stimulusName: _, ...trial }) => trial),
    });
    expect(recording.trials.slice(0, 4).map(({ stimulus }) => recording.stimulusName!(stimulus))).toEqual([
      'cat',
      'house',
      'ant',
      'cat',
    ]);
  });

  it('averages the delays at which a time series is read, and refuses rows of another study', async () => {
    const prepared = prepareStudy(pictures.study, []);
    const twice = new Float32Array(2 * data.length);
    for (let t = 0; t < trials; t++) {
      for (let v = 0; v < voxels; v++) {
        twice[(2 * t + 0) * voxels + v] = data[t * voxels + v]!;
        twice[(2 * t + 1) * voxels + v] = 3 * data[t * voxels + v]!;
      }
    }
    const recording = recordingOf(pictures.study, {
      ...prepared,
      voxels: { data: twice, shape: [trials, 2 * voxels] },
    });
    const read = await recording.readTrials(0, trials);
    for (let i = 0; i < data.length; i++) expect(read[i]).toBeCloseTo(2 * data[i]!, 5);
    const other = { ...prepared, voxels: { data: twice, shape: [2 * trials, voxels] } };
    expect(() => recordingOf(pictures.study, other)).toThrow(
      /prepared rows are not the voxels of the trials/,
    );
  });
});
