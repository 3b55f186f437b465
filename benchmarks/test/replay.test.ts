import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeFolder } from '@fmri2image/node';
import { expect, it } from 'vitest';
import { conformanceScript } from '../src/replay/conformance.ts';
import { goldensScript } from '../src/replay/goldens.ts';
import { goldensFolder } from '../src/replay/goldensFolder.ts';
import { shapesScript } from '../src/replay/shapes.ts';
import { readShapes } from '../src/shape.ts';

const kept = fileURLToPath(new URL('../../native/tests/replay/cases', import.meta.url));

it('the smallest cases that native tests keep are those of the conformance', async () => {
  const text = readFileSync(`${kept}.script`, 'utf8');
  const names = new Set(text.split('\n').flatMap((line) => /^case (.*)/.exec(line)?.[1] ?? []));
  expect(names.size).toBeGreaterThan(300);
  const { script } = await conformanceScript((id) => names.has(id), 2000);
  const hint = 'npm run replay -- native/tests/replay --most 2000, and rename conformance.* to cases.*';
  expect(script.text() === text, hint).toBe(true);
  expect(Buffer.concat(script.chunks).equals(readFileSync(`${kept}.data`)), hint).toBe(true);
});

const goldens = process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');
const absent = existsSync(goldens) || required ? '' : ' (no goldens here)';

it.skipIf(absent !== '')(`goldens are calls with the original's numbers in between${absent}`, async () => {
  const only = /^(kernel_softmax|kernel_attn_d64|mindeye2_prior_a|metrics_pairs)$/;
  const { script, cases, leftOut } = await goldensScript(await nodeFolder(goldens), 1e9, only);
  expect(leftOut).toEqual(['metrics_pairs (its results are computed after the download)']);
  expect(cases).toBe(3);
  const [, attention = '', softmax = '', prior = ''] = script.text().split(/^case /m);
  expect(attention).toMatch(/^kernel_attn_d64\n.*\ncall attention .*\nentries .*\nentries .*\nend\n$/s);
  expect(softmax).toMatch(/\ncall softmax .*\nentries /s);
  // What a result is compared with lies before the buffer goes.
  const buffer = / (\d+) /.exec(/\nentries.*/.exec(prior)![0])![1];
  expect(prior.indexOf('\nentries')).toBeLessThan(prior.indexOf(`\nfree ${buffer}\n`));
});

it('a folder of goldens that was named must be there; the one beside the repository may be missing', () => {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const gone = `${here}none`;
  expect(goldensFolder([['--goldens', here]], gone)).toBe(here);
  expect(goldensFolder([['--goldens', undefined]], here)).toBe(here);
  expect(goldensFolder([['--goldens', undefined]], gone)).toBeUndefined();
  for (const named of [
    [['--goldens', gone] as const, ['F2I_GOLDENS', here] as const],
    [['--goldens', undefined] as const, ['F2I_GOLDENS', gone] as const],
    // A file is no folder.
    [['--goldens', fileURLToPath(import.meta.url)] as const],
  ]) {
    expect(() => goldensFolder(named, here)).toThrow(/(--goldens|F2I_GOLDENS): expected a folder of goldens/);
  }
});

it('every shape of the benchmarks is timed by one call, whose result is held against float64', async () => {
  const shapes = readShapes(fileURLToPath(new URL('../shapes', import.meta.url)), []);
  const { script, cases } = await shapesScript(shapes);
  expect(cases).toBeGreaterThan(shapes.length);
  const bodies = script
    .text()
    .split(/^case /m)
    .slice(1);
  expect(bodies.length).toBe(cases);
  for (const body of bodies) expect(body).toMatch(/\ntimed\ncall [^\n]*\nresult /);
  const ops = new Set(bodies.map((body) => body.slice(0, body.indexOf('/'))));
  expect(shapes.filter(({ op }) => !ops.has(op))).toEqual([]);
});
