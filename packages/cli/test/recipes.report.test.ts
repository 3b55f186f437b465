import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordingRows } from '../src/pipeline/recordingRows.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const TARGETS = ['--targets', 'clip=sim/features/clip.npy'];
let page: string;
let said: string;

async function ok(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args, folder);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** A simulated person: 12 training pictures twice, 5 test pictures three times, in two sessions. */
beforeAll(async () => {
  const shown = ['--train-pictures', '12', '--train-repeats', '2', '--test-pictures', '5', '--repeats', '3'];
  const small = ['--voxels', '20', '--sessions', '2', '--size', '16', '--features', 'clip.npy=2x3'];
  await ok(['simulate', '--layout', 'nsd', '-o', 'sim', ...shown, ...small]);
  const recipe = [
    '--recipe',
    'custom',
    '--split',
    'brain-diffuser',
    '--alphas',
    '100',
    '--keep',
    'predictions',
  ];
  said = await ok(['fit', 'sim', ...recipe, ...TARGETS, '-o', 'predicted']);
  await ok(['report', 'sim', '--reconstructions', 'predicted', ...TARGETS, '-o', 'page']);
  page = readFileSync(join(folder, 'page/report.html'), 'utf8')
    .replace(/<svg.*?<\/svg>/gs, '')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&quot;', '"')
    .replace(/\s+/g, ' ');
});

describe('report of predictions of a recipe', () => {
  it('states the trials, sessions and rows of the recording, and the published counts beside', () => {
    expect(page).toMatch(
      /response amplitudes of 20 voxels in 39 trials of 17 pictures \(2 sessions, \d+ runs\)\. Of these, 24 trials of 12 pictures were for training and 15 trials of 5 pictures for testing, by the split of Brain-Diffuser \(Ozcelik &amp; VanRullen, 2023\)/,
    );
    expect(page).toContain('12 training pictures (published: 8859)');
    expect(page).toMatch(/12 rows, from 24 trials of 12 pictures: betas averaged/);
    expect(page).toMatch(/5 rows, from 15 trials of 5 pictures: betas averaged/);
    expect(page).toMatch(/of 5 held-out test rows \(15 trials, averaged\) of nsd-subj01 are identified/);
    expect(page).toMatch(/custom, clip 12 24 .*Given: alpha 100, recipe custom/);
    expect(page).toMatch(/dual, with intercept +all 2 sessions|primal, with intercept +all 2 sessions/);
    expect(page).not.toMatch(/ridge-heads|no split stated|shown twice|training trials unknown|\b5 trials/);
  });

  it('says which rows the permutation test exchanged: 5 averages make 5! orders', () => {
    expect(page).toMatch(/from all 120 orders of the reconstructions among all rows/);
    expect(page).toMatch(/exchanged among all test rows .* All 120 rearrangements/);
  });

  it('single trials are exchanged within their run', () => {
    const trials = [0, 1, 0, 1].map((stimulus, i) => ({
      stimulus,
      session: '1',
      run: `${i}`,
      repeat: i >> 1,
    }));
    const config = { split: 'split', normalisation: 'none', testAverage: 'none', heads: [{ design: 0 }] };
    const rows = (items: number[][]) =>
      recordingRows({ trials }, {
        items: items.map((own) => ({ trials: own, run: '1', seen: 'no' })),
        folds: [{ config: { ...config, designs: [{ rows: 2, average: 'none' }] }, report: {}, training: {} }],
      } as never)!;
    expect(rows([[1], [2]]).exchanged).toBe('within runs');
    expect(rows([[0, 2], [1]])).toMatchObject({ exchanged: 'among all rows', test: { rows: 2, trials: 3 } });
  });
});

describe('of predictions with several heads', () => {
  const both = [...TARGETS, '--targets', 'again=sim/features/clip.npy'];

  beforeAll(async () => {
    const plain = ['--recipe', 'custom', '--alphas', '100', '--keep', 'predictions', ...both, '-o', 'both'];
    const { code, stderr } = await run(['fit', 'sim', ...plain], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/states no split of its own: add --split .*brain-diffuser/);
    await ok(['fit', 'sim', '--split', 'brain-diffuser', ...plain]);
  });

  it('a report says which one it is about, in the terminal and on the page', async () => {
    const args = ['--reconstructions', 'both', ...both, '--permutations', '20', '-o', 'one'];
    const { code, stderr } = await run(['report', 'sim', ...args], folder);
    expect(code, stderr).toBe(0);
    const sentence = 'this report is about the head clip alone; another is again: --array NAME';
    expect(stderr).toContain(sentence);
    expect(readFileSync(join(folder, 'one/report.html'), 'utf8')).toContain(sentence);
  });

  // Whoever may do everything is refused nothing.
  it.skipIf(process.getuid?.() === 0)(
    'scores are told of all where their files cannot be written',
    async () => {
      chmodSync(join(folder, 'both'), 0o555);
      const args = ['--reconstructions', 'both', ...both, '--permutations', '20'];
      const { code, stdout, stderr } = await run(['evaluate', 'sim', ...args], folder);
      chmodSync(join(folder, 'both'), 0o755);
      expect(code).toBe(1);
      expect(stdout).toMatch(/clip \[2, 3\].*two-way.*again \[2, 3\].*two-way/is);
      expect(stderr).toMatch(/scores-clip\.tsv: /);
    },
  );
});

describe('rows of features', () => {
  it('are said to be in the order that was taken', async () => {
    expect(said).toMatch(
      /rows of clip: the 17 pictures of the split, by number among the 73,000: nsd-\d{5}, nsd-\d{5}, nsd-\d{5}, \.\.\., nsd-\d{5}, nsd-\d{5}, nsd-\d{5} \(17\)/,
    );
    const scores = await ok([
      'evaluate',
      'sim',
      '--reconstructions',
      'predicted',
      ...TARGETS,
      '--permutations',
      '20',
    ]);
    expect(scores).toMatch(
      /rows of its file: the 17 pictures of the split, by number among the 73,000: nsd-/,
    );
    expect(scores).toMatch(
      /5 scored test rows \(averages of 15 trials\); p from 20 random orders among all rows/,
    );
  });
});

describe('maps of a bundle of a recipe', () => {
  it('are of the voxels that it was fitted on, whatever else the folder holds', async () => {
    const early = [
      '--recipe',
      'custom',
      '--split',
      'brain-diffuser',
      '--roi',
      'streams:early',
      '--alphas',
      '100',
    ];
    await ok(['fit', 'sim', ...early, ...TARGETS, '--storage', 'dual', '-o', 'bundle']);
    const { maps } = JSON.parse(await ok(['maps', 'sim', '--bundle', 'bundle', '-o', 'maps', '--json']));
    const { config } = JSON.parse(readFileSync(join(folder, 'bundle/model.json'), 'utf8'));
    expect(maps).toHaveLength(2);
    for (const { voxels, units } of maps) {
      expect(voxels).toBe(config.designs[0].voxels);
      expect(units).toContain('voxel’s response over the training rows');
    }
    const { code, stderr } = await run(
      ['maps', 'sim', '--bundle', 'bundle', '--roi', 'nsdgeneral', '-o', 'other'],
      folder,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /the bundle was fitted on other voxels; expected \d+ \(.*early.*\), found \d+ \(.*nsdgeneral/,
    );
  });
});
