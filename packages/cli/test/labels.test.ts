import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LABELS, writeLabelledStudy } from './labelledStudy.ts';
import { root, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const data = process.env.F2I_TEST_DATA ?? join(root, '..', 'shared', 'data');
const isThere = existsSync(join(data, 'haxby'));
if (!isThere && process.env.F2I_REQUIRE?.split(',').includes('data')) {
  throw new Error(`F2I_REQUIRE lists data, but ${join(data, 'haxby')} does not exist`);
}

const json = (text: string) => JSON.parse(text.trim().split('\n').at(-1)!);
const tsv = (...names: string[]) =>
  readFileSync(at(...names), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));

describe('labels of a study without pictures', () => {
  let labels: string[];
  beforeAll(() => {
    labels = writeLabelledStudy(at('study'));
  });

  it('are decoded with each run held out, scored by volume and by block', async () => {
    const args = ['evaluate', at('study'), '--targets', 'labels', '--leave-one-out', 'run', '--json'];
    const outcome = await run([...args, '--permutations', '99', '-o', at('held')]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = json(outcome.stdout);
    const { evaluation } = result;
    expect(result).toMatchObject({ decoder: 'ridge', trials: 48, chance: 1 / 3 });
    expect(result.permutationP).toBeLessThanOrEqual(0.03);
    expect(result.accuracy).toBeGreaterThan(0.75);
    expect(evaluation.blocks).toMatchObject({ count: 12 });
    expect(evaluation.bootstrap).toMatchObject({ unit: 'run', units: 4 });
    expect(evaluation.permutation).toMatchObject({ crossFitted: true, exact: false });
    // The table holds what was scored.
    const [header, ...lines] = tsv('held', 'labels.tsv');
    expect(header).toEqual([
      'trial',
      'run',
      'block',
      'label',
      'decoded',
      'correct',
      ...LABELS.map((name) => `score_${name}`),
    ]);
    expect(lines.map((line) => line[3])).toEqual(labels);
    const right = lines.filter((line) => line[5] === '1').length;
    expect(right / 48).toBeCloseTo(result.accuracy);
    expect(evaluation.confusion.flat().reduce((a: number, b: number) => a + b)).toBe(48);
    expect(readdirSync(at('held')).sort()).toEqual([
      'evaluation.json',
      'label-frequencies.npy',
      'labels.tsv',
      'reconstructions.json',
      'reconstructions.npy',
    ]);
    // The ledger: cleaning of each run by itself saw the test runs, and nothing else did.
    const { folds } = JSON.parse(readFileSync(at('held', 'reconstructions.json'), 'utf8'));
    const saw = folds.flatMap(({ ledger }: { ledger: { sawTest: string; note?: string }[] }) =>
      ledger.filter(({ sawTest }) => sawTest !== 'no'),
    );
    expect(saw).toHaveLength(8);
    for (const { note } of saw) expect(note).toMatch(/^each run by itself, without its labels/);
    const again = await run([
      'evaluate',
      at('study'),
      '--reconstructions',
      at('held'),
      '--permutations',
      '99',
      '--json',
    ]);
    expect(json(again.stdout).evaluation).toEqual(evaluation);
  });

  it('come out of a bundle: a table of labels, and the same scores', async () => {
    const fit = ['fit', at('study'), '--targets', 'labels', '--leave-out', '4', '-o', at('bundle'), '--json'];
    expect((await run(fit)).code).toBe(0);
    const { formatVersion, output, input } = JSON.parse(readFileSync(at('bundle', 'model.json'), 'utf8'));
    expect({ formatVersion, output }).toEqual({
      formatVersion: 3,
      output: { kind: 'labels', shape: [3], names: LABELS },
    });
    expect(input.preprocess.map(({ name }: { name: string }) => name)).toEqual([
      'detrend',
      'zscore',
      'sample',
    ]);
    const reconstruct = ['reconstruct', at('bundle'), at('study'), '--runs', '4', '-o', at('decoded')];
    expect((await run(reconstruct)).code).toBe(0);
    const lines = tsv('decoded', 'labels.tsv').slice(1);
    expect(lines).toHaveLength(12);
    const held = tsv('held', 'labels.tsv').slice(1).slice(-12);
    // The decoder of the fold that held the same run out says the same.
    expect(lines).toEqual(held);
    const averaged = await run([...reconstruct.slice(0, -1), at('averaged'), '--average']);
    expect(averaged).toMatchObject({ code: 2, stderr: expect.stringMatching(/--average averages repeats/) });
  });

  it('are asked for by name', async () => {
    const without = await run(['fit', at('study'), '-o', at('none')]);
    expect(without).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no stimuli .*--targets labels/),
    });
    const retinotopic = [
      'fit',
      at('study'),
      '--decoder',
      'retinotopic',
      '--targets',
      'labels',
      '-o',
      at('none'),
    ];
    expect(await run(retinotopic)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--targets belongs to --decoder ridge/),
    });
    const unnormalised = [
      'evaluate',
      at('study'),
      '--targets',
      'labels',
      '--leave-one-out',
      'run',
      '--zscore',
      'none',
      '--detrend',
      '0',
      '--json',
      '--permutations',
      '9',
    ];
    const { accuracy } = json((await run(unnormalised)).stdout);
    // Runs differ in gain and level: what is learnt in some does not hold in another.
    expect(accuracy).toBeLessThan(0.7);
  });

  it('are reported with a confusion matrix: drawn, as tables, and without anything from elsewhere', async () => {
    const args = [
      'report',
      at('study'),
      '--targets',
      'labels',
      '--leave-one-out',
      'run',
      '--permutations',
      '99',
    ];
    const outcome = await run([...args, '-o', at('report')]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(
      /Of 48 held-out volumes of animals & houses, \d+\.\d % are decoded to the right one of 3 labels/,
    );
    const page = readFileSync(at('report', 'report.html'), 'utf8');
    expect(page).toContain('<h1>animals &amp; houses</h1>');
    expect(page).toMatch(/aria-label="Confusion matrix of 48 volumes\. Right: cat \d+.%, face/);
    expect(page).toMatch(/aria-label="Confusion matrix of 12 blocks/);
    for (const caption of ['Counts by label shown', 'Shares of each row', 'Label by label', 'Run by run']) {
      expect(page).toContain(caption);
    }
    expect(page).toMatch(/0 of 5 steps passed anything from test to training data/);
    expect(page).toMatch(/Each voxel was z-scored in each run by itself/);
    expect(page).toMatch(/orders of the labels of whole blocks within runs/);
    expect(page).not.toMatch(/pictures? (was|were) reconstructed|undefined|NaN|\[object/);
    expect(readdirSync(at('report', 'figures')).sort()).toEqual([
      'alphas.svg',
      'confusion-blocks.svg',
      'confusion.svg',
      'permutation-accuracy.svg',
      'permutation-blocks.svg',
    ]);
    const report = JSON.parse(readFileSync(at('report', 'report.json'), 'utf8'));
    expect(report).toMatchObject({ trials: 48, blocks: { count: 12 }, names: LABELS });
    expect(report.confusion).toHaveLength(3);
    const again = await run([
      'report',
      at('study'),
      '--reconstructions',
      at('held'),
      '-o',
      at('again'),
      '--permutations',
      '99',
    ]);
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(readFileSync(at('again', 'report.json'), 'utf8')).accuracy).toEqual(report.accuracy);
  });
});

describe.skipIf(!isThere)('haxby (skipped where ../shared/data is absent)', () => {
  it('reads eight categories out of a real slice, each run held out, from NIfTI to the report', () => {
    const script = join(root, 'examples', 'haxby', 'run.mjs');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [script, '--json', '--output', at('haxby')],
      {
        encoding: 'utf8',
      },
    );
    expect(status, stderr).toBe(0);
    const result = json(stdout);
    expect(result).toMatchObject({ trials: 864, chance: 1 / 8, permutationP: 0.001 });
    expect(result.accuracy).toBeGreaterThanOrEqual(0.67);
    expect(result.blockAccuracy).toBeGreaterThan(result.accuracy);
    const { confusion, bootstrap, blocks, folds } = JSON.parse(
      readFileSync(at('haxby', 'report.json'), 'utf8'),
    );
    // 12 runs with a block of 9 volumes of each category.
    for (const row of confusion) expect(row.reduce((a: number, b: number) => a + b)).toBe(108);
    expect(bootstrap).toMatchObject({ unit: 'run', units: 12 });
    expect(blocks.count).toBe(96);
    expect(folds).toHaveLength(12);
    expect(readFileSync(at('haxby', 'report.html'), 'utf8')).toContain('Confusion matrix of 864 volumes');
  });

  it.each([
    ['--help', 0, /Usage[\s\S]*--data <folder>/],
    ['--jsn', 2, /Unknown option '--jsn'[\s\S]*Usage/],
  ])('answers %s', (option, code, answer) => {
    const script = join(root, 'examples', 'haxby', 'run.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, option], { encoding: 'utf8' });
    expect(status).toBe(code);
    expect(code === 0 ? stdout : stderr).toMatch(answer);
  });
});
