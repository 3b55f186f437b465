import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, run, temporaryFolder } from './run.ts';

const data = join(process.env.F2I_TEST_DATA ?? join(root, '..', 'shared', 'data'), 'v1-bars');
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('data');
const missing = !existsSync(data) && !required;
if (missing) console.warn(`reports of a retinotopic decoder: skipped, no data at ${data}`);

const folder = temporaryFolder();
const study = join(root, 'examples', 'v1-bars');
const read = (...names: string[]) => readFileSync(join(folder, ...names), 'utf8');

async function ok(args: readonly string[]): Promise<void> {
  const outcome = await run([...args, '--data', data], folder);
  expect(outcome.code, outcome.stderr).toBe(0);
}

describe.skipIf(missing)('the report of a bundle with receptive fields', () => {
  beforeAll(async () => {
    await ok(['fit', study, '--decoder', 'retinotopic', '--leave-out', 'sweep-1', '-o', 'bundle']);
    await ok(['reconstruct', 'bundle', study, '--runs', 'sweep-1', '-o', 'pictures']);
    await ok(['report', study, '--reconstructions', 'pictures', '-o', 'report']);
  });

  it('draws them, and keeps them as a table', () => {
    for (const name of ['receptive-fields', 'size-eccentricity', 'fit', 'hrf', 'timeline']) {
      expect(existsSync(join(folder, 'report', 'figures', `${name}.svg`)), name).toBe(true);
    }
    const [header, ...lines] = read('report', 'receptive-fields.tsv').trimEnd().split('\n');
    expect(header).toBe('fold\tvoxel\tx\ty\tsize\tamplitude\tcorrelation');
    expect(lines.length).toBeGreaterThan(500);
    // Those of the visual cortex of one person: most lie where the pictures were, in both hemifields.
    const x = lines.map((line) => Number(line.split('\t')[2]));
    expect(x.filter((value) => Math.abs(value) < 9.1).length / x.length).toBeGreaterThan(0.8);
    expect(x.filter((value) => value < 0).length / x.length).toBeGreaterThan(0.2);
    expect(read('report', 'report.html')).toContain(`${lines.length}, selected by their fit`);
  });

  it('says what was done, by which bundle, and cites it', () => {
    const page = read('report', 'report.html');
    const { contentHash } = JSON.parse(read('bundle', 'model.json'));
    expect(page).toContain(contentHash);
    expect(page).toContain('Gaussian population receptive fields (Dumoulin &amp; Wandell, 2008)');
    expect(page).toContain('32 held-out frames of v1-bars');
    expect(page).not.toContain('Hoerl');
    const ledger = page.slice(page.indexOf('id="ledger"'), page.indexOf('id="methods"'));
    expect(ledger).toContain('the training runs sweep-2, sweep-3 and sweep-4');
    expect(ledger).not.toContain('<span class="saw-yes"');
    const { twoWay } = JSON.parse(read('report', 'report.json'));
    expect(twoWay.meanPicture).toBeGreaterThan(0);
    expect(twoWay.nearestTraining).toBeGreaterThan(0.5);
  });

  it('does without controls where the bundle was fitted on another study', async () => {
    const manifest = JSON.parse(readFileSync(join(study, 'study.json'), 'utf8'));
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other', 'study.json'), JSON.stringify({ ...manifest, name: 'elsewhere' }));
    await ok(['reconstruct', 'bundle', 'other', '--runs', 'sweep-1', '-o', 'other-pictures']);
    expect(existsSync(join(folder, 'other-pictures', 'mean-training-picture.npy'))).toBe(false);
    await ok(['report', 'other', '--reconstructions', 'other-pictures', '-o', 'other-report']);
    const { twoWay, headline } = JSON.parse(read('other-report', 'report.json'));
    expect(twoWay).not.toHaveProperty('meanPicture');
    expect(twoWay).not.toHaveProperty('nearestTraining');
    // Nobody knows what that decoder had seen: nothing is called held out.
    expect(headline).toMatch(/^32 frames of elsewhere are identified/);
    expect(read('other-report', 'scores.tsv')).not.toContain('mean_picture');
  });
});
