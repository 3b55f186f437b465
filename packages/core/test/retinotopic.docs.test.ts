import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { keptBundle, keptPictures } from '../conformance/index.ts';
import { encodeNpy, RETINOTOPIC_DEFAULTS, readBundle } from '../src/index.ts';
import { repositoryRoot } from './shared.ts';

const page = readFileSync(join(repositoryRoot, 'docs/bundle.md'), 'utf8');
const section = page.split(/^## /m).find((text) => text.startsWith('kind `retinotopic`')) ?? '';

/** The Python under a heading of the page. */
function python(heading: string): string {
  const text = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...text.matchAll(/```python\n(.*?)```/gs)].map(([, code]) => code!).join('\n');
}

const interpreter = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import numpy'], { timeout: 300_000 }).status === 0,
);

it('docs/bundle.md explains every setting and tensor', async () => {
  const { model } = await readBundle(keptBundle('retinotopic_v1'));
  for (const key of [...Object.keys(model.config), ...Object.keys(model.tensors)]) {
    expect(section.includes(`\`${key}\``), key).toBe(true);
  }
});

it('docs/retinotopic.md states the defaults', () => {
  const text = readFileSync(join(repositoryRoot, 'docs/retinotopic.md'), 'utf8').replace(/\b0\./g, '.');
  const { ridge, threshold, guardSeconds, smoothTime, smoothSpace, noiseCorrelation, iterations } =
    RETINOTOPIC_DEFAULTS;
  const plain = (values: readonly number[]) =>
    values.map((value) => `${value}`.replace(/^0\./, '.')).join(', ');
  expect(text).toContain(
    `ridge ${plain(ridge)}, threshold ${plain([threshold])}, guard ${guardSeconds} s, halfway variances, ${iterations} steps`,
  );
  expect(text).toContain(`{${plain(smoothTime)}} × {${plain(smoothSpace)}}`);
  expect(text).toContain(`| noise correlation | ${plain(noiseCorrelation)}:`);
});

describe.skipIf(!interpreter)('the Python of docs/bundle.md (skipped where no python3 has numpy)', () => {
  const root = mkdtempSync(join(tmpdir(), 'fmri2image-docs-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('gives the pictures of the kept retinotopic bundle', async () => {
    const bundle = keptBundle('retinotopic_v1');
    mkdirSync(join(root, 'my-decoder'));
    for (const name of await bundle.list()) {
      const source = await bundle.open(name);
      writeFileSync(join(root, 'my-decoder', name), await source.read(0, source.size));
    }
    const { betas, pictures } = keptPictures('retinotopic_v1');
    const { data, shape } = betas;
    writeFileSync(join(root, 'betas.npy'), encodeNpy({ dtype: 'f32', shape: [...shape], data }));
    const code = [
      python('Reading one'),
      python('kind `retinotopic`'),
      'print(json.dumps(decode(model, w, np.load("betas.npy")).ravel().tolist()))',
    ].join('\n');
    const options = { cwd: root, encoding: 'utf8', timeout: 300_000, maxBuffer: 2 ** 26 } as const;
    const { status, stdout, stderr } = spawnSync(interpreter!, ['-c', code], options);
    expect(status, stderr).toBe(0);
    const found = JSON.parse(stdout) as number[];
    expect(found.length).toBe(pictures.length);
    for (const [i, value] of found.entries()) expect(Math.abs(value - pictures[i]!)).toBeLessThan(1e-5);
  });
});
