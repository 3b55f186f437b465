import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeNpy } from '@fmri2image/core';
import { simulateBars } from '@fmri2image/core/conformance';
import { beforeAll, expect, it } from 'vitest';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const bars = simulateBars({ height: 6, width: 8, voxels: 40, noise: 0.6, seed: 7 });
const QUICK = [
  '--hrf',
  'canonical',
  '--smooth-time',
  '0.3',
  '--smooth-space',
  '0.3',
  '--noise-correlation',
  '0',
];

/** One recording of four sweeps, as files. */
beforeAll(() => {
  const { height, width, voxels, runs, tr } = bars;
  mkdirSync(at('study'));
  const volumes = runs.length;
  writeFileSync(
    at('study/betas.npy'),
    encodeNpy({ dtype: 'f32', shape: [volumes, voxels], data: bars.betas }),
  );
  writeFileSync(
    at('study/frames.npy'),
    encodeNpy({ dtype: 'f32', shape: [volumes, height, width], data: bars.frames }),
  );
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'bars',
    tr,
    indexBase: 0,
    voxels: { file: 'betas.npy', rows: 'volumes' },
    runs: [...new Set(runs)].map((name, i) => ({
      name,
      first: runs.indexOf(name),
      last: runs.lastIndexOf(name),
      continues: i > 0 || undefined,
    })),
    trials: { everyVolume: true },
    stimuli: { file: 'frames.npy', axes: ['stimulus', 'y', 'x'] },
    visualField: { widthDegrees: 16, heightDegrees: 12, origin: { x: 1, y: 0 }, yDirection: 'down' },
    scored: { above: 0.3, pixels: 6 },
  };
  writeFileSync(at('study/study.json'), JSON.stringify(manifest));
});

it('fits a bundle, in degrees, that knows its repetition time and its runs', async () => {
  const fit = ['fit', at('study'), '--decoder', 'retinotopic', '--leave-out', 'sweep-2', '-o', at('bundle')];
  expect(await run([...fit, ...QUICK, '--quiet'])).toMatchObject({ code: 0 });
  const model = JSON.parse(readFileSync(at('bundle/model.json'), 'utf8'));
  expect(model).toMatchObject({
    kind: 'retinotopic',
    containsTrainingData: false,
    input: { repetitionTime: bars.tr, voxels: 40 },
    output: { kind: 'picture', shape: [6, 8], range: [0, 1] },
    // (0, 0) lies a degree to the right of the pictures' centre.
    config: { visual: { unit: 'degrees', extent: { left: -9, right: 7, top: 6, bottom: -6 } } },
  });
  const fields = model.ledger.find(({ step }: { step: string }) => step.startsWith('receptive fields'));
  expect(fields).toMatchObject({ runs: ['sweep-1', 'sweep-3', 'sweep-4'], sawTest: 'no' });
  // Responses go on from one sweep into the next, except after the one that was left out: 12 s of volumes.
  expect(model.report).toMatchObject({ trials: 110, fittedOn: 101 });
  const decode = ['reconstruct', at('bundle'), at('study'), '-o', at('pictures'), '--quiet'];
  const outcome = await run([...decode, '--runs', 'sweep-2']);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  // Some trials of a run are decoded with the whole of it.
  const few = ['reconstruct', at('bundle'), at('study'), '-o', at('few'), '--quiet', '--trials', '40,45'];
  expect(await run(few)).toMatchObject({ code: 0 });
  const png = (path: string) => readFileSync(at(path));
  const [name] = readdirSync(at('few/pictures')).sort();
  expect(png(`few/pictures/${name}`)).toEqual(png(`pictures/pictures/${name}`));
});

it('is evaluated by leaving one run out', async () => {
  const evaluate = ['evaluate', at('study'), '--leave-one-out', 'run', '--decoder', 'retinotopic'];
  const outcome = await run([...evaluate, ...QUICK, '--permutations', '20', '--json', '--quiet']);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  const { decoder, twoWay, frameCorrelation } = JSON.parse(outcome.stdout);
  expect(decoder).toBe('retinotopic');
  expect(twoWay).toBeGreaterThan(0.85);
  expect(frameCorrelation).toBeGreaterThan(0.5);
});

it.each([
  [['--decoder', 'retinotopic', '--alphas', '1'], /--alphas belongs to --decoder ridge/],
  [['--prf', 'css', '--guard', '3'], /--prf, --guard belong to --decoder retinotopic/],
  [['--decoder', 'retinotopic', '--bounds', 'some'], /--bounds/],
  [['--decoder', 'svm'], /ridge, retinotopic/],
])('options that make no sense are refused: %j', async (options, message) => {
  const outcome = await run(['fit', at('study'), '-o', at('never'), ...options]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toMatch(message);
});

it('studies of separate trials are refused', async () => {
  mkdirSync(at('trials'));
  writeFileSync(
    at('trials/betas.npy'),
    encodeNpy({ dtype: 'f32', shape: [4, 2], data: new Float32Array(8) }),
  );
  writeFileSync(
    at('trials/pictures.npy'),
    encodeNpy({ dtype: 'f32', shape: [4, 2, 2], data: Float32Array.from({ length: 16 }, (_, i) => i / 16) }),
  );
  writeFileSync(at('trials/trials.tsv'), 'stimulus\trun\n0\t1\n1\t1\n2\t2\n3\t2\n');
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'separate',
    indexBase: 0,
    voxels: { file: 'betas.npy', rows: 'trials' },
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'] },
  };
  writeFileSync(at('trials/study.json'), JSON.stringify(manifest));
  const outcome = await run(['fit', at('trials'), '--decoder', 'retinotopic', '-o', at('never')]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toMatch(/needs a stimulus that never stops/);
});
