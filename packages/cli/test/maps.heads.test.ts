import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileSource, nodeFolder, openNifti } from '@fmri2image/node';
import { beforeAll, expect, it } from 'vitest';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args, folder);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** A simulated person who saw each training picture once, in six sessions. */
beforeAll(async () => {
  const shown = ['--train-pictures', '42', '--train-repeats', '1', '--test-pictures', '4', '--repeats', '3'];
  const small = ['--voxels', '20', '--sessions', '6', '--size', '16', '--features', 'clip.npy=13'];
  await ok('simulate', '--layout', 'nsd', '-o', 'sim', ...shown, ...small);
});

it('intervals over sessions take rows by picture for what they are: trials of their sessions', async () => {
  const standardErrors = async (average: string) => {
    const recipe = ['--recipe', 'custom', '--split', 'brain-diffuser', '--alphas', '10', '--storage', 'dual'];
    const targets = ['--targets', 'clip=sim/features/clip.npy', '--average', average];
    await ok('fit', 'sim', ...recipe, ...targets, '-o', average);
    const over = ['--target', '0', '--intervals', '4000', '--intervals-over', 'session'];
    await ok('maps', 'sim', '--bundle', average, ...over, '-o', `${average}-maps`);
    const files = await (await nodeFolder(join(folder, `${average}-maps`))).list();
    const file = files.find((name) => /weightsse.*\.nii/.test(name))!;
    const image = await openNifti(await fileSource(join(folder, `${average}-maps`, file)));
    return ((await image.readVolume(0)) as Float32Array).filter((value) => value > 0);
  };
  // The same rows in the order of time, and by ascending picture.
  const [single, averaged] = [await standardErrors('none'), await standardErrors('normalised')];
  expect(single.length).toBe(20);
  for (const [v, value] of averaged.entries()) expect(Math.abs(value / single[v]! - 1)).toBeLessThan(0.12);
  const all = await run(['maps', 'sim', '--bundle', 'none', '--intervals', '-o', 'all-maps'], folder);
  expect(all.code).toBe(2);
  expect(all.stderr).toMatch(/of each target by itself, 12 of them at most: --target names some of the 13/);
});

it('bands are ROIs of NSD by name; an atlas is all of its labels; maps say the unit', async () => {
  const recipe = ['--recipe', 'custom', '--split', 'brain-diffuser', '--alphas', '10', '--band-draws', '3'];
  const targets = ['--targets', 'clip=sim/features/clip.npy'];
  const said = await ok('fit', 'sim', ...recipe, ...targets, '--bands', 'streams', '-o', 'streams');
  const counts = said.match(/bands of clip: (.*)/)![1]!;
  expect(counts).toMatch(/streams:early \d+ voxels?/);
  const inBands = [...counts.matchAll(/(\d+) voxel/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  const nobody = Number(/(\d+) voxels? of no band: left out/.exec(said)?.[1] ?? 0);
  expect(inBands + nobody).toBe(20);
  await ok('maps', 'sim', '--bundle', 'streams', '-o', 'streams-maps');
  const maps = JSON.parse(readFileSync(join(folder, 'streams-maps/maps.json'), 'utf8')).maps;
  expect(maps[0].units).toMatch(/over the root of the weight of its band$/);
  // A voxel of both is of the first.
  const both = await ok('fit', 'sim', ...recipe, ...targets, '--bands', 'early,nsdgeneral', '-o', 'both');
  expect(both).toMatch(/\d+ voxels? of both early and nsdgeneral: taken as the first/);
  const wrong = await run(
    ['fit', 'sim', ...recipe, ...targets, '--bands', 'early,V9', '-o', 'wrong'],
    folder,
  );
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(/--bands: no such ROI/);
});

it('maps of a decoder are of the voxels that it was fitted on', async () => {
  await ok(
    'simulate',
    '-o',
    'study',
    '--voxels',
    '20',
    '--size',
    '16',
    '--train-pictures',
    '30',
    '--test-pictures',
    '4',
  );
  await ok('fit', 'study', '-o', 'study.bundle');
  const { code, stderr } = await run(['maps', 'sim', '--bundle', 'study.bundle', '-o', 'elsewhere'], folder);
  expect(code).toBe(1);
  expect(stderr).toMatch(/study\.bundle\/model\.json.*fitted on other voxels/);
  expect(stderr).not.toContain('--allow-other-voxels');
});
