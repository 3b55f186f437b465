import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { Picture, readArray, toFloat32, VERSION } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { enlarged } from '../src/pipeline/results.ts';
import { run, said, start, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const read = (...names: string[]) => readFileSync(at(...names), 'utf8');
const json = (...names: string[]) => JSON.parse(read(...names));

const SMALL = '--voxels 80 --train-pictures 150 --test-pictures 10 --repeats 2 --size 8'.split(' ');

async function ok(args: readonly string[], env?: Record<string, string>) {
  const outcome = await run(args, folder, env);
  expect(outcome.code, outcome.stderr).toBe(0);
  return outcome;
}

/** All files below a folder, relative to it. */
function filesOf(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)))
    .sort();
}

beforeAll(async () => {
  await ok(['simulate', '-o', 'study', '--seed', '3', ...SMALL]);
  await ok(['fit', 'study', '-o', 'bundle', '--alpha-for', 'all']);
  await ok(['reconstruct', 'bundle', 'study', '-o', 'pictures']);
  await ok(['report', 'study', '--reconstructions', 'pictures', '-o', 'report', '--seed', '5']);
});

describe('a report', () => {
  it('is a folder of a page, tables, pictures and plots: a BIDS derivative', () => {
    const files = filesOf(at('report'));
    const top = new Set(files.map((name) => name.split('/')[0]));
    expect([...top].sort()).toEqual(
      ['README', 'dataset_description.json', 'figures', 'pictures', 'report.html', 'report.json'].concat([
        'scores.json',
        'scores.tsv',
      ]),
    );
    // Twenty trials, two pictures each, named by trial and stimulus.
    const pictures = files.filter((name) => name.startsWith('pictures/'));
    expect(pictures).toHaveLength(40);
    for (const name of pictures) {
      expect(name).toMatch(
        /^pictures\/trial-\d{4}_stim-[a-zA-Z0-9]+_desc-(reconstruction|stimulus)_image\.png$/,
      );
    }
    expect(json('report', 'dataset_description.json')).toMatchObject({
      DatasetType: 'derivative',
      GeneratedBy: [{ Name: 'fmri2image', Version: VERSION }],
      SourceDatasets: [{ Name: 'simulated-3' }],
      License: 'CC0-1.0',
    });
  });

  it('says what evaluate says, to the last digit', async () => {
    const args = ['evaluate', 'study', '--reconstructions', 'pictures', '--seed', '5', '--json'];
    const { evaluation } = JSON.parse((await ok(args)).stdout);
    const { twoWay, frameCorrelation, withinCategory, permutation, trials } = json('report', 'report.json');
    for (const [ours, theirs] of [
      [twoWay, evaluation.twoWay],
      [frameCorrelation, evaluation.frameCorrelation],
      [withinCategory, evaluation.withinCategory],
    ]) {
      const { perTrial: _perTrial, controls: _controls, ...expected } = theirs;
      expect(ours).toEqual(expected);
    }
    expect(permutation).toEqual(evaluation.permutation);
    expect(trials).toBe(20);
    expect(read('report', 'scores.tsv')).toBe(read('pictures', 'scores.tsv'));
    expect(read('report', 'report.html')).toContain(`${(100 * twoWay.score).toFixed(1)}\u00a0%`);
    expect(read('report', 'report.html')).toContain(frameCorrelation.score.toFixed(3));
  });

  it('has a table whose every column is explained, with a line for each scored trial', () => {
    const [header, ...lines] = read('report', 'scores.tsv').trimEnd().split('\n');
    const columns = header!.split('\t');
    expect(Object.keys(json('report', 'scores.json'))).toEqual(columns);
    expect(lines).toHaveLength(20);
    const { twoWay, frameCorrelation } = json('report', 'report.json');
    for (const [name, mean] of [
      ['two_way_identification', twoWay.score],
      ['frame_correlation', frameCorrelation.score],
      ['frame_correlation_mean_picture', frameCorrelation.meanPicture],
      ['two_way_identification_nearest_training', twoWay.nearestTraining],
      ['frame_correlation_best_training', frameCorrelation.bestTraining],
    ] as const) {
      const values = lines.map((line) => Number(line.split('\t')[columns.indexOf(name)]));
      expect(values.reduce((sum, value) => sum + value, 0) / 20).toBeCloseTo(mean, 5);
    }
    const known = new Set(
      json('pictures', 'reconstructions.json').items.map(
        (item: { stimulusName: string }) => item.stimulusName,
      ),
    );
    for (const line of lines) {
      const nearest = line.split('\t')[columns.indexOf('nearest_training_stimulus')]!;
      // Only pictures of training trials are looked up.
      expect(nearest).toMatch(/^stimulus-/);
      expect(known).not.toContain(nearest);
    }
  });

  it('is one page that loads nothing and runs nothing', () => {
    const page = read('report', 'report.html');
    expect(page).not.toMatch(/<script|<iframe|<object|<embed|<link|javascript:|@import|\son[a-z]+=/i);
    for (const [, source] of page.matchAll(/\ssrc="([^"]*)"/g)) {
      expect(source).toMatch(/^data:image\/png;base64,/);
    }
    expect(page).not.toMatch(/url\((?!#)/);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`style-src &#39;sha256-${hash}&#39;`);
    expect(page).toContain('default-src &#39;none&#39;');
    expect(page).not.toMatch(/\sstyle="/);
    for (const [tag] of page.matchAll(/<img [^>]*>/g)) expect(tag).toMatch(/ alt="[^"]{8,}"/);
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    expect(levels[0]).toBe(1);
    for (const [i, level] of levels.entries()) {
      expect(level - (levels[i - 1] ?? 0)).toBeLessThanOrEqual(1);
    }
    expect(statSync(at('report', 'report.html')).size).toBeLessThan(2e6);
  });

  it('says how it came about, and what was fitted on what', () => {
    const page = read('report', 'report.html');
    const made = json('pictures', 'reconstructions.json').provenance;
    const { report, reconstructions } = json('report', 'report.json');
    expect(reconstructions).toEqual(made);
    expect(report.runId).not.toBe(made.runId);
    for (const text of [report.runId, made.runId, made.bundle, VERSION, process.versions.node, 'CC0-1.0']) {
      expect(page).toContain(text);
    }
    expect(page).toContain('fmri2image report study --reconstructions pictures -o report --seed 5');
    expect(page).toContain('fmri2image reconstruct bundle study -o pictures');
    const ledger = page.slice(page.indexOf('id="ledger"'), page.indexOf('id="methods"'));
    expect(ledger).toContain('ridge weights and target means');
    expect(ledger).toContain('<span class="saw-no">no</span>');
    expect(ledger).toContain('<td>its own run only, without labels</td>');
    expect(ledger).toContain('0 of 4 steps passed anything from test to training data.');
    expect(ledger).not.toContain('saw-yes');
    const methods = page.slice(page.indexOf('id="methods"'), page.indexOf('id="reproduce"'));
    expect(methods).toContain('(Hoerl &amp; Kennard, 1970)');
    expect(methods).toContain('10.1080/00401706.1970.10488634');
    expect(methods).toContain('Drifts slower than 128 s');
    expect(methods).toContain('20 trials of 10 stimuli were scored');
    // The decoder is no retinotopic one, and the stimulus not continuous.
    expect(methods).not.toContain('Dumoulin');
    expect(methods).not.toContain('Politis');
  });

  it('gives a noise ceiling where pictures repeat', () => {
    const page = read('report', 'report.html');
    expect(page).toContain('From 20 presentations of 10 repeated stimuli');
    expect(existsSync(at('report', 'figures', 'noise-ceiling.svg'))).toBe(true);
    const { agreementOfRepeats, noiseCeiling } = json('report', 'report.json');
    expect(noiseCeiling).toEqual({ stimuli: 10, presentations: 20, repeats: 2 });
    expect(agreementOfRepeats.pairs).toBe(10);
    expect(agreementOfRepeats.same).toBeGreaterThan(agreementOfRepeats.different);
  });
});

describe('report --leave-one-out', () => {
  it('fits, reconstructs, scores and reports in one go, with a ledger of all folds', async () => {
    const args = ['study', '--leave-one-out', 'run', '--alpha-for', 'all', '--seed', '2'];
    const reported = await ok(['report', ...args, '-o', 'one-go', '--json']);
    const evaluated = JSON.parse((await ok(['evaluate', ...args, '--json'])).stdout);
    const result = JSON.parse(reported.stdout);
    expect(result).toMatchObject({
      twoWay: evaluated.twoWay,
      frameCorrelation: evaluated.frameCorrelation,
      permutationP: evaluated.permutationP,
      page: 'one-go/report.html',
    });
    const page = read('one-go', 'report.html');
    const { folds, report, reconstructions } = json('one-go', 'report.json');
    expect(folds.length).toBeGreaterThan(2);
    expect(report).toEqual(reconstructions);
    expect(page).toContain('the training runs: all but those held out');
    expect(page).toContain(`each of ${folds.length} folds was fitted without the data it was tested on`);
    expect(page).toContain('made</dt><dd>in the same run');
  });
});

describe('report by the splits of the study', () => {
  it('is what fit, reconstruct and report say one after the other', async () => {
    await ok(['report', 'study', '--alpha-for', 'all', '--seed', '5', '-o', 'split']);
    expect(read('split', 'scores.tsv')).toBe(read('report', 'scores.tsv'));
    const { report, headline } = json('split', 'report.json');
    expect(report.bundle).toBe('none');
    expect(headline).toBe(json('report', 'report.json').headline);
    expect(headline).toMatch(/^The pictures of 20 held-out trials of simulated-3 are identified/);
  });
});

describe('report --no-stimuli', () => {
  it('leaves no trace of a stimulus, in any form', async () => {
    await ok(['report', 'study', '--reconstructions', 'pictures', '-o', 'bare', '--no-stimuli']);
    const source = await fileSource(at('study', 'pictures.npy'));
    const stimuli = await readArray(source);
    const values = toFloat32(stimuli, { file: 'pictures.npy' });
    const [count = 0, height = 0, width = 0] = stimuli.shape;
    const size = height * width;
    const patterns: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const data = values.slice(i * size, (i + 1) * size);
      const picture = new Picture(data, [height, width], [0, 1]);
      const bytes = Buffer.from(picture.toPng());
      const large = Buffer.from(enlarged(picture).toPng());
      // What is compressed, without the header that all pictures of a size share.
      patterns.push(bytes.subarray(45, -20), large.subarray(45, -20), Buffer.from(data.buffer));
      patterns.push(Buffer.from(bytes.toString('base64').slice(80, -30)));
    }
    const found = (name: string) =>
      filesOf(at(name)).filter((file) => {
        const content = readFileSync(at(name, file));
        return patterns.some((pattern) => content.includes(pattern));
      });
    // The search finds them where they are: twenty files, and the page.
    expect(found('report')).toContain('report.html');
    expect(found('report')).toHaveLength(21);
    expect(found('bare')).toEqual([]);
    expect(filesOf(at('bare')).filter((file) => file.includes('desc-stimulus'))).toEqual([]);
    expect(filesOf(at('bare')).filter((file) => file.includes('desc-reconstruction'))).toHaveLength(20);
    expect(read('bare', 'report.html')).toContain('The stimuli were left out');
    // Scores do not depend on what is shown.
    expect(read('bare', 'scores.tsv')).toBe(read('report', 'scores.tsv'));
    expect(json('bare', 'report.json')).toMatchObject({ stimuliShown: false });
  });
});

describe('what a report must not do', () => {
  it('does not tell the home folder', async () => {
    const home = at('home', 'ann.e');
    mkdirSync(home, { recursive: true });
    cpSync(at('study'), join(home, 'study'), { recursive: true });
    const out = join(home, 'report');
    const args = ['report', join(home, 'study'), '--leave-one-out', 'run', '--alphas', '1000', '-o', out];
    await ok(args, { HOME: home });
    for (const file of filesOf(out)) {
      expect(readFileSync(join(out, file)).includes(home), file).toBe(false);
    }
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('fmri2image report ~/study');
  });

  it('does not obey names from files', async () => {
    const attack = `<img src=x onerror=alert(1)>"'><script>alert(2)</script>`;
    cpSync(at('study'), at('hostile'), { recursive: true });
    const manifest = json('hostile', 'study.json');
    const runs = manifest.runs.map((one: { name: string }) => ({ ...one, name: `${one.name}${attack}` }));
    writeFileSync(
      at('hostile', 'study.json'),
      JSON.stringify({
        ...manifest,
        name: `evil ${attack}`,
        description: attack,
        dataTerms: attack,
        consentReference: attack,
        runs,
      }),
    );
    const [header, ...lines] = read('hostile', 'trials.tsv').trimEnd().split('\n');
    const [run, name] = [header!.split('\t').indexOf('run'), header!.split('\t').indexOf('label')];
    const changed = lines.map((line) => {
      const cells = line.split('\t');
      cells[run] += attack.replace(/"/g, '');
      cells[name] += attack.replace(/"/g, '');
      return cells.join('\t');
    });
    // The table's runs must be those of the manifest.
    writeFileSync(
      at('hostile', 'study.json'),
      read('hostile', 'study.json').replaceAll(JSON.stringify(attack).slice(1, -1), attack.replace(/"/g, '')),
    );
    writeFileSync(at('hostile', 'trials.tsv'), `${[header, ...changed].join('\n')}\n`);
    const args = ['--leave-one-out', 'run', '--alphas', '1000', '-o', 'hostile-report'];
    await ok(['report', 'hostile', ...args]);
    for (const file of filesOf(at('hostile-report'))) {
      if (!/\.(html|svg)$/.test(file)) continue;
      const text = read('hostile-report', file);
      expect(text, file).not.toMatch(/<img src=x|<script/);
      if (file.endsWith('.html')) expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
    }
  });

  it('does not replace what is no report', async () => {
    const again = ['report', 'study', '--reconstructions', 'pictures', '-o'];
    expect(await run([...again, 'report'], folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--force replaces this report/),
    });
    for (const name of ['bundle', 'study', 'pictures']) {
      const before = filesOf(at(name));
      expect(await run([...again, name, '--force'], folder)).toMatchObject({ code: 2 });
      expect(filesOf(at(name))).toEqual(before);
    }
    mkdirSync(at('bids', 'sub-01'), { recursive: true });
    writeFileSync(at('bids', 'dataset_description.json'), '{}');
    expect(await run([...again, 'bids', '--force'], folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/not a report \(no report\.json is in it\)/),
    });
    writeFileSync(at('report', 'figures', 'old.svg'), '');
    await ok([...again, 'report', '--force', '--seed', '5']);
    expect(existsSync(at('report', 'figures', 'old.svg'))).toBe(false);
  });

  it('does not leave a part of itself when it is interrupted', async () => {
    const args = ['report', 'study', '--leave-one-out', 'run', '--permutations', '100000', '-o', 'half'];
    const { child, done } = start([...args, '--device', 'reference'], folder);
    // This device says that it is slow when it starts.
    await said(child, 'device reference');
    child.kill('SIGINT');
    expect((await done).code).toBe(130);
    expect(readdirSync(folder).filter((name) => name.includes('half'))).toEqual([]);
  });

  it('does not fit where it only reads, and says what it needs', async () => {
    const both = ['report', 'study', '--reconstructions', 'pictures', '--delays', '4', '-o', 'x'];
    expect(await run(both, folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--delays belongs to fitting/),
    });
    const two = ['report', 'study', '--reconstructions', 'pictures', '--leave-one-out', 'run', '-o', 'x'];
    expect(await run(two, folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/report needs either --reconstructions FOLDER or --leave-one-out/),
    });
    cpSync(at('study'), at('unsplit'), { recursive: true });
    const { runs, ...manifest } = json('unsplit', 'study.json');
    const plain = runs.map(({ split: _split, ...one }: { split: string }) => one);
    writeFileSync(at('unsplit', 'study.json'), JSON.stringify({ ...manifest, runs: plain }));
    const table = read('unsplit', 'trials.tsv').replace(/\t(train|test)$/gm, '\tn/a');
    writeFileSync(at('unsplit', 'trials.tsv'), table);
    expect(await run(['report', 'unsplit', '-o', 'x'], folder)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/states no splits "train" and "test": name --reconstructions/),
    });
  });
});

describe('a person with a pseudonym', () => {
  it('has the files named after it', async () => {
    cpSync(at('study'), at('named'), { recursive: true });
    writeFileSync(
      at('named', 'study.json'),
      JSON.stringify({ ...json('named', 'study.json'), pseudonym: 'P-07' }),
    );
    await ok(['reconstruct', 'bundle', 'named', '-o', 'named-pictures']);
    await ok(['report', 'named', '--reconstructions', 'named-pictures', '-o', 'named-report']);
    const files = filesOf(at('named-report'));
    expect(files).toContain('sub-P07.html');
    expect(files).toContain('sub-P07/sub-P07_scores.tsv');
    expect(files).toContain('sub-P07/figures/sub-P07_scores-identification.svg');
    expect(files.filter((file) => /^sub-P07\/pictures\/sub-P07_trial-\d{4}_stim-/.test(file))).toHaveLength(
      40,
    );
    await ok(['report', 'named', '--reconstructions', 'named-pictures', '-o', 'named-report', '--force']);
  });
});

describe('reconstructions of an earlier version', () => {
  it('are reported with what is known of them', async () => {
    cpSync(at('pictures'), at('earlier'), { recursive: true });
    const { folds: _folds, ...index } = json('earlier', 'reconstructions.json');
    writeFileSync(at('earlier', 'reconstructions.json'), JSON.stringify(index));
    rmSync(at('earlier', 'scores.tsv'), { force: true });
    await ok(['report', 'study', '--reconstructions', 'earlier', '-o', 'earlier-report']);
    const page = read('earlier-report', 'report.html');
    expect(page).toContain('Unknown: the reconstructions do not say how their decoder was fitted');
    expect(page).not.toContain('nearest training');
    expect(read('earlier-report', 'scores.tsv').split('\n')[0]).not.toContain('nearest');
  });
});
