import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keptModel, keptPictures } from '@fmri2image/core/conformance';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFolder, writeKept } from './kept.ts';
import { typeErrors, typescript } from './typescript.ts';

const repository = resolve(fileURLToPath(import.meta.url), '../../../..');
const pages = [
  'README.md',
  'packages/core/README.md',
  'packages/node/README.md',
  'packages/cli/README.md',
  'docs/ridge.md',
];

/** A README, or of `docs/ridge.md` the part whose snippet is a whole program. */
function textOf(page: string): string {
  const text = readFileSync(join(repository, page), 'utf8');
  return page === 'docs/ridge.md' ? /^## Streamed ridge\n.*?(?=^## )/ms.exec(text)![0] : text;
}

/** Snippets for this runtime: those of browsers run in tests of packages/web. */
const snippets = pages.flatMap((page) =>
  [...textOf(page).matchAll(/```(ts|js)\n(.*?)```/gs)]
    .map(([, language, code], index) => ({ page, index, language: language!, code: code! }))
    .filter(({ code }) => !code.includes('@fmri2image/web')),
);

/** A user's folder: packages, a bundle, responses. */
let project: string;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'f2i-readme-'));
  symlinkSync(join(repository, 'node_modules'), join(project, 'node_modules'));
  renameSync(await writeKept(project), join(project, 'subject-1.bundle'));
  await writeFolder(await keptModel(), join(project, 'mindeye2.bundle'));
  mkdirSync(join(project, 'data'));
  const { betas } = keptPictures('ridge_v1');
  writeFileSync(join(project, 'data/betas.npy'), npy(betas));
  writeStudy(join(project, 'study'), betas);
  const noise = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));
  writeFileSync(join(project, 'data/voxels.npy'), npy({ data: noise(50 * 30), shape: [50, 30] }));
  writeFileSync(join(project, 'data/clip.npy'), npy({ data: noise(40 * 40), shape: [40, 5, 8] }));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** The same responses as a study: the first trial is of the training, the others of the test. */
function writeStudy(folder: string, betas: Parameters<typeof npy>[0]): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'betas.npy'), npy(betas));
  const splits = Array.from({ length: betas.shape[0]! }, (_, row) => `1\t${row === 0 ? 'train' : 'test'}`);
  writeFileSync(join(folder, 'trials.tsv'), `run\tsplit\n${splits.join('\n')}\n`);
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    indexBase: 0,
    name: 'mine',
    voxels: { file: 'betas.npy', rows: 'trials' },
    trials: { file: 'trials.tsv' },
  };
  writeFileSync(join(folder, 'study.json'), JSON.stringify(manifest));
}

function npy({ data, shape }: { data: Float32Array; shape: readonly number[] }): Uint8Array {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117);
  return Buffer.concat([
    Buffer.from(`\x93NUMPY\x01\x00v\x00${header}\n`, 'latin1'),
    Buffer.from(data.buffer),
  ]);
}

function run(code: string) {
  // A file, as users have it: workers inherit no flags from it.
  const file = join(project, 'snippet.mjs');
  writeFileSync(file, code);
  return spawnSync(process.execPath, [file], { cwd: project, encoding: 'utf8', timeout: 120_000 });
}

describe('snippets of the READMEs', () => {
  it('are there', () => {
    expect(snippets.filter(({ page }) => page === 'README.md').length).toBeGreaterThanOrEqual(3);
    expect(snippets.filter(({ page }) => page === 'packages/node/README.md').length).toBeGreaterThanOrEqual(
      2,
    );
  });

  it('have no type errors', () => {
    const typed = snippets.filter(({ language }) => language === 'ts').map(({ code }) => code);
    expect(typeErrors(typed)).toEqual([]);
    expect(typeErrors(["import { loadDecoder } from '@fmri2image/node';\nloadDecoder(3);"])).not.toEqual([]);
  });

  it.each(snippets)('$page, snippet $index: runs', ({ code, language }) => {
    const { status, stderr, stdout } = run(language === 'ts' ? typescript(code) : code);
    expect(stderr).not.toMatch(/Error|Warning/);
    expect(status).toBe(0);
    if (!code.includes('writePng')) expect(stdout).not.toBe('');
  });

  it('write the pictures that they name', () => {
    const test = Array.from({ length: keptPictures('ridge_v1').betas.shape[0]! - 1 }, (_, i) => i + 1);
    expect(
      readdirSync(project)
        .filter((name) => name.endsWith('.png'))
        .sort(),
    ).toEqual([...test.map((i) => `study-trial-${i}.png`), 'trial-0.png', 'trial-5.png'].sort());
    expect(readdirSync(join(project, 'pictures')).sort()).toEqual([0, 1, 2, 3].map((i) => `trial-${i}.png`));
  });

  it('run a second time', () => {
    for (const { code, language } of snippets.filter(({ code }) => code.includes('writePng'))) {
      expect(run(language === 'ts' ? typescript(code) : code)).toMatchObject({ status: 0 });
    }
  });

  it('say what they print', () => {
    const page = readFileSync(join(repository, 'packages/node/README.md'), 'utf8');
    const { stdout } = run(/```js\n(.*?)```/s.exec(page)![1]!);
    expect(stdout).toMatch(/^CPU, .*F2I_CUDA_LIBRARY names.*\[ 14, 32, 32, 77 \]\n$/s);
    expect(existsSync(join(project, 'snippet.mjs'))).toBe(true);
  });
});
