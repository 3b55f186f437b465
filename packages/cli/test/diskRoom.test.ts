// Disk space is planned: what will be written is said before, and refused where there is not the room.
import { existsSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allocatedBytes, checkDiskRoom, fileSystemOf } from '../src/diskRoom.ts';
import { SAMPLE_BYTES, writeNsdLayout } from '../src/nsd/write.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();

describe('room on the disk', () => {
  const systems = (free: Readonly<Record<string, number | undefined>>) => async (path: string) => ({
    id: path.split('/')[0]!,
    free: free[path.split('/')[0]!],
  });
  const parts = [
    { what: 'weights', bytes: 3e9, at: 'a/bundle' },
    { what: 'predictions', bytes: 1e9, at: 'b/predictions' },
    { what: 'statistics', bytes: 5e8, at: 'a/bundle' },
  ];

  it('is told of each file system', async () => {
    const words = await checkDiskRoom(parts, 0, systems({ a: 4e9, b: 1e9 }));
    expect(words).toBe(
      '3.50 GB (weights 3.00 GB, statistics 0.50 GB); 4.00 GB are free; elsewhere 1.00 GB of predictions; 1.00 GB are free',
    );
  });

  it.each([
    ['a/bundle', { a: 3.4e9, b: 1e12 }, /expected 3\.50 GB \(weights .*found 3\.40 GB free/],
    ['b/predictions', { a: 1e12, b: 9e8 }, /expected 1\.00 GB \(predictions .*found 0\.90 GB free/],
  ])('is refused on %s with both numbers', async (file, free, message) => {
    const error = await checkDiskRoom(parts, 0, systems(free)).catch((error) => error);
    expect(error).toMatchObject({ code: 'IO', file });
    expect(error.message).toMatch(message);
  });

  it('counts what an earlier run has left, once, and nothing where nobody knows what is free', async () => {
    const words = await checkDiskRoom(parts, 2e9, systems({ a: 1.6e9, b: 1e9 }));
    expect(words).toContain('of which an earlier run has made a part');
    await expect(checkDiskRoom(parts, 2e9, systems({ a: 1.4e9, b: 1e9 }))).rejects.toThrow(
      /expected 1\.50 GB/,
    );
    await expect(checkDiskRoom(parts, 9e9, systems({ a: 1e9, b: 9e8 }))).rejects.toThrow(/expected 1\.00 GB/);
    expect(await checkDiskRoom(parts, 0, systems({}))).toContain('what is free is not known');
  });

  it('is that of the nearest folder that exists', async () => {
    const here = await fileSystemOf(folder);
    expect(here.free).toBeGreaterThan(0);
    expect(here.id).toBe(statSync(folder).dev);
    expect((await fileSystemOf(join(folder, 'not', 'there'))).id).toBe(here.id);
  });

  it('what is only reserved takes none', async () => {
    const work = join(folder, 'work');
    mkdirSync(work);
    writeFileSync(join(work, 'written'), new Uint8Array(2 ** 20).fill(1));
    writeFileSync(join(work, 'reserved'), '');
    truncateSync(join(work, 'reserved'), 2 ** 30);
    const bytes = await allocatedBytes(work);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(2 ** 22);
    expect(await allocatedBytes(join(folder, 'nothing'))).toBe(0);
  });
});

it('a trial takes in a tar what is planned for it', async () => {
  const trials = [0, 1, 2].map((trial) => ({ image: trial, trial, split: 'train' as const, repeat: 0 }));
  const sizes: number[] = [];
  await writeNsdLayout(1, { data: new Float32Array(6), shape: [3, 2] }, trials, async (name, content) => {
    if (name.endsWith('.tar')) sizes.push((content as Uint8Array).length);
  });
  // Of one session, and of no test trials: archives end with two empty blocks.
  expect(sizes).toEqual([3 * SAMPLE_BYTES + 1024, 1024]);
});

describe('commands', () => {
  const shown = ['--train-pictures', '6', '--test-pictures', '3', '--repeats', '2', '--sessions', '1'];
  const small = ['simulate', '--layout', 'nsd', ...shown, '--voxels', '20', '--size', '16'];

  it('refuse what no disk holds before anything is made', async () => {
    const huge = ['--features', 'huge.npy=1000000x1000000'];
    const { code, stderr } = await run([...small, ...huge, '-o', 'never'], folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /never: there is not enough room on the disk; nothing was written; expected \d+\.\d\d GB \(betas .*huge\.npy .*found \d+\.\d\d GB free/,
    );
    expect(readdirSync(folder).filter((name) => name.includes('never'))).toEqual([]);
  });

  it('say what they will write, and write that', async () => {
    const simulated = await run([...small, '--features', 'f.npy=64x64', '-o', 'sim'], folder);
    expect(simulated.stdout).toMatch(/^writes .*\(betas .*f\.npy 0\.1 MB\); \d+\.\d\d GB are free/m);
    expect(simulated.code, simulated.stderr).toBe(0);
    const recipe = ['--recipe', 'custom', '--split', 'takagi', '--alphas', '1', '--precision', 'f32'];
    const outputs = ['--storage', 'dual', '-o', 'bundle', '--predictions', 'predictions'];
    const targets = ['--targets', 'f=sim/features/f.npy'];
    const fit = await run(['fit', 'sim', ...recipe, ...targets, ...outputs], folder);
    expect(fit.code, fit.stderr).toBe(0);
    // Of each of 4096 targets 6 weights of training rows, 3 predictions and 5 numbers; 6 rows of 20 voxels.
    const found = /weights (\S+) kB, predictions (\S+) kB, statistics (\S+) MB/.exec(fit.stdout);
    const weights = readdirSync(join(folder, 'bundle'))
      .filter((name) => name.startsWith('weights'))
      .reduce((sum, name) => sum + statSync(join(folder, 'bundle', name)).size, 0);
    const [, w, p, s] = found!.map(Number) as [number, number, number, number];
    const predictions = statSync(join(folder, 'predictions/f.npy')).size;
    expect(Math.abs(1e3 * p - predictions)).toBeLessThan(1000);
    // In the bundle statistics are float32 or float64, and files have headers.
    expect(1e3 * w).toBeGreaterThanOrEqual(6 * 4096 * 4);
    expect(1e3 * w).toBeLessThan(weights);
    expect(1e3 * w + 1e6 * s).toBeGreaterThan(0.7 * weights);
    expect(existsSync(join(folder, '.bundle.unfinished'))).toBe(false);
    // Folders are easily mixed up.
    const mixed = await run(['evaluate', 'sim', '--reconstructions', 'bundle', ...targets], folder);
    expect(mixed.code).toBe(2);
    expect(mixed.stderr).toMatch(/bundle: .*this is a bundle; reconstruct makes a folder of reconstructions/);
  });
});
