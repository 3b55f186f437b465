import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { F2iError, type HeadStatistics, openSafetensors, STATISTICS } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { expect, it } from 'vitest';
import { BlockFolder } from '../src/recipes/blockFolder.ts';
import { temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const [TARGETS, INPUTS, BLOCK] = [100, 3, 40];
const identity = { recipe: 'custom', 'vision.alpha': 10 };
const targets = new Map([['vision', TARGETS]]);
// Rows of 12 bytes: files of 30 rows each.
const open = (name: string, other = {}) =>
  BlockFolder.open(at(name), { ...identity, ...other }, targets, { shardBytes: 30 * 4 * INPUTS });
const full = new F2iError('IO', 'no space is left');
const spec = {
  name: 'vision',
  shape: [TARGETS],
  targets: TARGETS,
  weights: { inputs: INPUTS, dtype: 'f32' },
} as const;

/** Weight i of all is i; statistics of target t are t plus a tenth of their place. */
function block(from: number, to: number): [{ weights: Float32Array }, HeadStatistics] {
  const values = Float32Array.from({ length: (to - from) * INPUTS }, (_, i) => from * INPUTS + i);
  const about = STATISTICS.map((part, s) => [
    part,
    Float64Array.from({ length: to - from }, (_, t) => from + t + s / 10),
  ]);
  return [{ weights: values }, Object.fromEntries(about)];
}

async function write(work: BlockFolder, until = TARGETS): Promise<void> {
  const head = await work.head(spec);
  for (let from = head.done; from < until; from += BLOCK) {
    const to = Math.min(TARGETS, from + BLOCK);
    await head.write(from, to, ...block(from, to));
  }
}

it('a killed fit goes on behind the last block that is surely on the disk, in files of the same bytes', async () => {
  const killed = await open('killed');
  await write(killed, BLOCK);
  await killed.flush();
  // What a kill leaves: a block that is half there and that no state speaks of, and the lock of a process that ended.
  const left = at('.parts.unfinished');
  cpSync(killed.path, left, { recursive: true });
  const file = join(left, 'head.vision.weights-1.safetensors');
  const bytes = readFileSync(file);
  writeFileSync(file, Buffer.concat([bytes, Buffer.from([1, 2, 3])]).subarray(0, bytes.length + 3));
  writeFileSync(join(left, 'lock'), '');
  await killed.remove();

  await expect(open('parts', { 'vision.alpha': 5 })).rejects.toMatchObject({
    code: 'USAGE',
    field: 'vision.alpha',
    expected: '10',
    found: '5',
  });
  const again = await open('parts');
  expect(again.done).toBe(BLOCK);
  await write(again);
  expect(again.isDone('vision')).toBe(true);
  await again.flush();
  const [matrix] = again.matrices;
  expect(matrix!.files.map(({ rows }) => rows)).toEqual([30, 30, 30, 10]);
  let first = 0;
  for (const part of matrix!.files) {
    const source = await fileSource(again.file(part.file));
    expect(source.size).toBe(part.bytes);
    const { data } = await (await openSafetensors(source)).read('head.vision.weights');
    for (const value of data as Float32Array) expect(value).toBe(first++);
  }
  expect(first).toBe(TARGETS * INPUTS);
  const statistics = await again.statistics('vision');
  expect(statistics.alpha[99]).toBe(99);
  expect(statistics.prediction_std[41]).toBeCloseTo(41.4, 12);

  await expect(open('parts')).rejects.toThrow(/another process is at this run/);
  await again.leave();
  rmSync(left, { recursive: true });
});

it('penalties that were chosen are kept, and those of other targets refused', async () => {
  const work = await open('choice');
  expect(await work.chosen('vision')).toBeUndefined();
  const alphas = Float64Array.from({ length: TARGETS }, (_, t) => 10 ** (t % 3));
  await work.keepChosen('vision', { alphas, scores: alphas.map((alpha) => 1 / alpha) });
  expect((await work.chosen('vision'))!.alphas).toEqual(alphas);
  expect((await work.chosen('vision'))!.scores[1]).toBe(0.1);
  writeFileSync(work.file('vision.alphas'), new Uint8Array(16));
  await expect(work.chosen('vision')).rejects.toMatchObject({
    code: 'FORMAT',
    expected: '100 targets',
    found: '1',
  });
  await work.remove();
});

it('a run that came to nothing takes no name: it goes, and another setting is free to begin', async () => {
  const failed = await open('nothing');
  expect(await failed.abandon(full, false)).toBeUndefined();
  expect(existsSync(failed.path)).toBe(false);
  const interrupted = await open('nothing');
  writeFileSync(interrupted.file('responses.packed'), 'of this setting');
  expect(await interrupted.abandon(full, true)).toMatch(/^0 of 100 targets .*; the same command goes on/);
  const same = await open('nothing');
  expect(existsSync(same.file('responses.packed'))).toBe(true);
  await same.abandon(full, true);
  const other = await open('nothing', { 'vision.alpha': 5 });
  expect(existsSync(other.file('responses.packed'))).toBe(false);
  await write(other, BLOCK);
  expect(await other.abandon(full, false)).toMatch(/^40 of 100/);
  await expect(open('nothing')).rejects.toMatchObject({ code: 'USAGE', field: 'vision.alpha' });
});

it('penalties alone are worth keeping, unless the same command would fail again', async () => {
  const work = await open('penalties');
  const numbers = Float64Array.from({ length: TARGETS }, () => 1);
  await work.keepChosen('vision', { alphas: numbers, scores: numbers });
  expect(await work.abandon(full, false)).toBeDefined();
  await expect(open('penalties', { 'vision.alpha': 5 })).rejects.toMatchObject({ code: 'USAGE' });
  const again = await open('penalties');
  expect(await again.chosen('vision')).toBeDefined();
  expect(await again.abandon(new F2iError('FORMAT', 'targets hold NaN'), false)).toBeUndefined();
  expect(existsSync(again.path)).toBe(false);
});

it('what is made is kept though an input is at fault, without a promise', async () => {
  const work = await open('faulty');
  await write(work, BLOCK);
  const kept = await work.abandon(new F2iError('FORMAT', 'targets hold NaN'), false);
  expect(kept).toMatch(/^40 of 100 targets .*--restart begins anew$/);
  expect(kept).not.toMatch(/goes on/);
});

it('says that a file has changed, not that a setting has', async () => {
  const bytes = (count: number, day: number) => `a, b.npy, ${count} bytes of 2024-05-0${day}T10:00:00.000Z`;
  const work = await open('changed', { 'vision.targets': bytes(1e8, 1) });
  await write(work, BLOCK);
  await work.leave();
  await expect(open('changed', { 'vision.targets': bytes(1e8, 2) })).rejects.toMatchObject({
    file: 'a, b.npy',
    message: expect.stringMatching(
      /: the file has changed since .*\.changed\.unfinished.*--restart begins anew/,
    ),
    expected: '100000000 bytes (0.10 GB) written 2024-05-01T10:00:00.000Z',
    found: '100000000 bytes (0.10 GB) written 2024-05-02T10:00:00.000Z',
  });
  const other = open('changed', { 'vision.targets': bytes(1e8, 1).replace('b.npy', 'c.npy') });
  await expect(other).rejects.toThrow(/vision\.targets: .*another setting; repeat its command to go on/);
});
