import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesSource, encodeNpy, readNpy } from '@fmri2image/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const json = (text: string) => JSON.parse(text.trim().split('\n').at(-1)!);
const model = (name: string) => JSON.parse(readFileSync(at(`${name}/model.json`), 'utf8'));

/** 24 betas of 10 voxels that show 6 pictures of 3 x 4, in three runs; the third is for testing. */
function writeStudy(
  name: string,
  manifest: object = {},
  voxels: { file?: string; names?: string[] } = {},
): void {
  mkdirSync(at(name));
  const [n, v, pixels] = [24, 10, 12];
  const picture = (k: number, p: number) => (Math.sin(3 * k + p) + 1) / 2;
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: v }, (_, j) => Math.fround(picture(i % 6, j) * (j + 1) + 0.1 * Math.cos(7 * i + j))),
  );
  const names = voxels.names ?? Array.from({ length: v }, (_, j) => `voxel-${j}`);
  const file = voxels.file ?? 'betas.tsv';
  writeFileSync(at(`${name}/${file}`), [names, ...rows].map((row) => `${row.join('\t')}\n`).join(''));
  const values = Float32Array.from({ length: 6 * pixels }, (_, i) =>
    picture(Math.floor(i / pixels), i % pixels),
  );
  writeFileSync(at(`${name}/pictures.npy`), encodeNpy({ dtype: 'f32', shape: [6, 3, 4], data: values }));
  const trials = rows.map((_, i) => `${i % 6}\tanna_${Math.floor(i / 8)}\t${i < 16 ? 'train' : 'test'}\n`);
  writeFileSync(at(`${name}/trials.tsv`), `stimulus\trun\tsplit\n${trials.join('')}`);
  const study = {
    format: 'fmri2image-study',
    version: 1,
    name: 'scenes of subject 7',
    indexBase: 0,
    voxels: { file, rows: 'trials' },
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 1] },
    ...manifest,
  };
  writeFileSync(at(`${name}/study.json`), JSON.stringify(study));
}

const fit = (study: string, bundle: string, ...more: string[]) =>
  run(['fit', at(study), '-o', at(bundle), '--alphas', '3', '--folds', '2', ...more]);

beforeAll(async () => {
  writeStudy('study', { dataTerms: 'internal', consentReference: 'protocol 12', pseudonym: 'sub-07' });
  expect(await fit('study', 'dual', '--storage', 'dual')).toMatchObject({ code: 0 });
  expect(await fit('study', 'primal', '--storage', 'primal')).toMatchObject({ code: 0 });
});

describe('terms', () => {
  it('of the study reach the bundle, what inspect says, and reconstructions', async () => {
    const terms = { dataTerms: 'internal', consentReference: 'protocol 12', pseudonym: 'sub-07' };
    expect(model('dual')).toMatchObject(terms);
    const { stdout } = await run(['inspect', at('dual')]);
    expect(stdout).toMatch(/fitted +by version \d\S* on CPU, [^,]+, in f(32|64)\n/);
    for (const text of [/terms of the data +internal/, /consent +protocol 12/, /person +sub-07/]) {
      expect(stdout).toMatch(text);
    }
    expect(await run(['reconstruct', at('dual'), at('study'), '-o', at('pictures')])).toMatchObject({
      code: 0,
    });
    expect(JSON.parse(readFileSync(at('pictures/reconstructions.json'), 'utf8')).terms).toEqual(terms);
    expect((await run(['inspect', at('pictures')])).stdout).toMatch(/terms of the data: internal/);
    expect((await run(['inspect', at('study')])).stdout).toMatch(/consent: protocol 12/);
  });

  it('on the command line stand above those of the study', async () => {
    expect(await fit('study', 'stated', '--data-terms', 'CC0', '--pseudonym', 'B')).toMatchObject({
      code: 0,
    });
    expect(model('stated')).toMatchObject({
      dataTerms: 'CC0',
      consentReference: 'protocol 12',
      pseudonym: 'B',
    });
  });
});

describe('export', () => {
  it('--shareable refuses training data, with the remedy, and writes nothing', async () => {
    const outcome = await run(['export', at('dual'), '-o', at('never'), '--shareable']);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /dual\/model\.json: containsTrainingData.*training_voxels, \[16, 10\].*--primal/,
    );
    expect(existsSync(at('never'))).toBe(false);
  });

  it('--shareable --primal gives a bundle that reconstructs the same pictures and names nobody', async () => {
    const args = [
      'export',
      at('dual'),
      '-o',
      at('shared'),
      '--shareable',
      '--primal',
      '--data-terms',
      'CC BY 4.0',
    ];
    const outcome = await run([...args, '--no-pseudonym', '--no-consent-reference', '--json']);
    expect(outcome).toMatchObject({ code: 0 });
    const result = json(outcome.stdout);
    expect(result).toMatchObject({
      shareable: true,
      containsTrainingData: false,
      parent: model('dual').contentHash,
      contentHash: model('shared').contentHash,
      terms: { dataTerms: 'CC BY 4.0' },
    });
    expect(result.holds.join()).toMatch(/mean of the training pictures/);
    for (const file of readdirSync(at('shared'))) {
      const text = readFileSync(at(`shared/${file}`), 'latin1');
      for (const secret of ['anna', 'subject 7', 'sub-07', 'protocol', 'betas', folder])
        expect(text).not.toContain(secret);
    }
    await run(['reconstruct', at('dual'), at('study'), '-o', at('from-dual')]);
    await run(['reconstruct', at('shared'), at('study'), '-o', at('from-shared')]);
    const read = async (name: string) =>
      (await readNpy(bytesSource(readFileSync(at(`${name}/reconstructions.npy`)), name)))
        .data as Float32Array;
    const [one, other] = [await read('from-dual'), await read('from-shared')];
    expect(one.length).toBe(8 * 12);
    expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-6);
  });

  it('--shareable wants terms', async () => {
    const outcome = await run(['export', at('primal'), '-o', at('never'), '--shareable', '--no-data-terms']);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/dataTerms.*--data-terms/);
  });

  it('without a change gives the same bytes', async () => {
    const outcome = await run(['export', at('dual'), '-o', at('copy')]);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout).toMatch(/nothing to change/);
    for (const file of ['model.json', 'weights.safetensors']) {
      expect(readFileSync(at(`copy/${file}`)).equals(readFileSync(at(`dual/${file}`)))).toBe(true);
    }
  });

  it('refuses a bundle onto itself, and a damaged one', async () => {
    const itself = await run(['export', at('dual'), '-o', at('dual'), '--force']);
    expect(itself.code).toBe(2);
    mkdirSync(at('damaged'));
    for (const file of ['model.json', 'weights.safetensors']) {
      writeFileSync(at(`damaged/${file}`), readFileSync(at(`dual/${file}`)).subarray(0, -1));
    }
    const damaged = await run(['export', at('damaged'), '-o', at('never')]);
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toMatch(/damaged\/model\.json/);
    expect(existsSync(at('never'))).toBe(false);
  });
});

describe('inspect --diff', () => {
  const diff = (...names: string[]) => run(['inspect', '--diff', ...names.map(at), '--json']);

  it('ends with 0 for the same bundle', async () => {
    const outcome = await diff('dual', 'dual');
    expect(outcome.code).toBe(0);
    expect(json(outcome.stdout)).toMatchObject({ verdict: 'identical', fields: [], tensors: [] });
  });

  it('ends with 1 for other metadata and for other numbers, and says which', async () => {
    expect(await run(['export', at('dual'), '-o', at('renamed'), '--pseudonym', 'B'])).toMatchObject({
      code: 0,
    });
    const outcome = await run(['inspect', at('dual'), at('renamed'), '--diff']);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/same numbers, different metadata/);
    expect(outcome.stdout).toMatch(/pseudonym: "sub-07" -> "B"/);
    const other = await diff('dual', 'primal');
    expect(other.code).toBe(1);
    expect(json(other.stdout)).toMatchObject({ verdict: 'different' });
    await fit('study', 'weaker', '--storage', 'primal', '--alphas', '300');
    const weaker = await run(['inspect', '--diff', at('primal'), at('weaker')]);
    expect(weaker.stdout).toMatch(
      /tensor weights: f32 \[10, 12\]\n +120 of 120 values differ, by at most \d/,
    );
  });

  it('ends with 2 for trouble and for wrong usage', async () => {
    const missing = await diff('dual', 'nowhere');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/nowhere/);
    for (const args of [
      ['--diff', at('dual')],
      [at('dual'), at('primal')],
    ]) {
      const outcome = await run(['inspect', ...args]);
      expect(outcome.code).toBe(2);
      expect(outcome.stderr).toMatch(/two bundles/);
    }
  });
});

describe('the voxels of a decoder', () => {
  const names = Array.from({ length: 10 }, (_, j) => `voxel-${j === 3 ? 33 : j}`);

  it('are recognised whatever their file is called', async () => {
    writeStudy('same', {}, { file: 'responses.tsv' });
    expect(await run(['reconstruct', at('dual'), at('same'), '-o', at('from-same')])).toMatchObject({
      code: 0,
    });
  });

  it('others of the same number are refused, unless they are allowed with a warning', async () => {
    writeStudy('other', {}, { names });
    const args = ['reconstruct', at('dual'), at('other'), '-o', at('from-other')];
    const refused = await run(args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /dual\/model\.json: input\.selectionSha256.*--allow-other-voxels.*10 columns of betas\.tsv/,
    );
    expect(existsSync(at('from-other'))).toBe(false);
    const allowed = await run([...args, '--allow-other-voxels']);
    expect(allowed).toMatchObject({ code: 0 });
    expect(allowed.stderr).toMatch(/other voxels/);
    const { provenance } = JSON.parse(readFileSync(at('from-other/reconstructions.json'), 'utf8'));
    expect(provenance.warnings.join()).toMatch(/fitted on other voxels/);
  });
});

describe('reconstructions.json', () => {
  it('that lies is an error with file, field, expected and found', async () => {
    const path = at('pictures/reconstructions.json');
    const text = readFileSync(path, 'utf8');
    const edits: [from: string, to: string, message: RegExp][] = [
      [
        '"kind": "picture"',
        '"kind": "photo"',
        /kind: .*expected "picture" or "features" or "labels", found "photo"/,
      ],
      ['"seen": "stimulus"', '"sean": "stimulus"', /items\.0: unknown key "sean".*seen/],
      ['"version": 1', '"version": 2', /version: .*expected 1, found 2/],
    ];
    for (const [from, to, message] of edits) {
      writeFileSync(path, text.replace(from, to));
      const outcome = await run(['evaluate', at('study'), '--reconstructions', at('pictures')]);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toMatch(/reconstructions\.json/);
      expect(outcome.stderr).toMatch(message);
    }
    writeFileSync(path, text);
  });
});
