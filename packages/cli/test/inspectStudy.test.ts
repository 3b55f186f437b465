import type { Study } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { describeStudy, extent, stack } from '../src/commands/inspectStudy.ts';
import { withTargets } from '../src/pipeline/targets.ts';

/** Four betas of two voxels in two runs, of which the manifest states none. */
const study: Study = {
  name: 'small',
  voxels: { data: Float32Array.from([0, 1, 2, 3, -3.125, 4, 5, 6]), shape: [4, 2] },
  rows: 'trials',
  runs: [{ name: '1', start: 0, end: 4 }],
  trials: [1, 1, 2, 2].map((run, row) => ({ row, run: `${run}`, split: row < 3 ? 'train' : 'test' })),
  continuous: false,
  stimuli: {
    kind: 'pictures',
    names: ['a', 'b'],
    values: { data: Float32Array.from({ length: 24 }, (_, i) => i / 23), shape: [2, 2, 2, 3] },
  },
  scored: Int32Array.from([0, 1, 2]),
  selection: { description: 'all 2 columns of betas.npy', indices: Int32Array.from([0, 1]) },
  warnings: ['something is odd'],
  repairs: [],
};

it('says in sentences what a study holds, runs as its trials have them', () => {
  const lines: string[] = [];
  const results: unknown[] = [];
  const print = (line = '') => void lines.push(line);
  const result = (value: unknown) => void results.push(value);
  describeStudy('here', study, { json: false, print, result, warn: print, progress: () => {} });
  expect(lines).toEqual([
    'here: study small',
    '  4 trials in 2 runs (3 train, 1 test)',
    '  3 of them are scored',
    '  2 voxels, -3.13 to 6 (all 2 columns of betas.npy)',
    '  2 pictures of 2 x 2, rgb, 0 to 1',
    '  warning: something is odd',
  ]);
  expect(results).toMatchObject([{ trials: 4, runs: 2, voxels: 2, splits: { train: 3, test: 1 } }]);
});

it.each([
  ['named by number', '7', /^ {2}no stimuli, but trials name them by number: 7, 8, 9, 10 \(4\): rows of/],
  ['under another column', undefined, /^ {2}no stimuli, and trials without one by name: a column "stimulus"/],
])('says of stimuli that are %s what features could be of', (_, first, expected) => {
  const lines: string[] = [];
  const print = (line = '') => void lines.push(line);
  const none = () => {};
  const trials = study.trials.map((trial, i) => ({
    ...trial,
    stimulusName: first && `${Number(first) + i}`,
  }));
  const unnamed = { ...study, stimuli: undefined, trials };
  describeStudy('here', unnamed, { json: false, print, result: none, warn: none, progress: none });
  expect(lines).toContainEqual(expect.stringMatching(expected));
  expect(() => withTargets(unnamed)).toThrow(
    first ? /--recipe custom --targets NAME=FILE/ : /its trials name neither stimulus nor label/,
  );
});

it('names extents and kinds', () => {
  expect(extent([0.123456, 12345])).toBe('0.123 to 12300');
  expect(stack('pictures', [1, 15, 20])).toBe('1 picture of 15 x 20 (height x width), grey');
  expect(stack('features', [3, 512])).toBe('3 rows of features of [512]');
});
