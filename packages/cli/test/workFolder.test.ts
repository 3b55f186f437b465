import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BundleModel,
  bytesSource,
  createRandom,
  encodeNpy,
  encodeSafetensors,
  type Features,
  type NdArray,
  type RecordedNoise,
  readNpy,
} from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { createConsole } from '../src/console.ts';
import { type ConvertedRun, openWork, runConverted } from '../src/pipeline/converted.ts';
import { chosenRun, type RunSettings } from '../src/pipeline/convertedSettings.ts';
import { openNoise } from '../src/pipeline/noiseFile.ts';
import { temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const console = createConsole({ quiet: true });
const { signal } = new AbortController();
const betas = { data: Float32Array.from({ length: 12 }, (_, i) => i), shape: [6, 2] };
const repetitions = [0, 2, 5, 1].map((row) => ({ trials: [row], averaged: [row, 3] }));

/** Features that are the sums of the averaged rows, and of the noise or seed; fails before the given reconstruction. */
function decoder(failsAt = Number.POSITIVE_INFINITY): ConvertedRun['decoder'] & { noises: RecordedNoise[] } {
  let made = 0;
  const noises: RecordedNoise[] = [];
  return {
    kind: 'mindeye2',
    noises,
    async *reconstruct(_, { repeats, seed = 0, noise } = {}) {
      for (const rows of repeats!) {
        if (made++ === failsAt) throw new Error('killed');
        if (noise) noises.push(noise);
        const value = rows.reduce((sum, row) => sum + betas.data[2 * row]!, seed);
        const features: Features = { data: Float32Array.of(value, value + 1, value + 2), shape: [3] };
        yield {
          trial: rows[0]!,
          features,
          beside: { retrieval: { data: Float32Array.of(-value), shape: [1, 1] } },
        };
      }
    },
  };
}

const identity = { bundle: 'abc', seed: 1 };
const open = (name: string, more: object = {}, restart = false) =>
  openWork(at(name), { ...identity, ...more }, repetitions.length, { restart });
const runOf = (own: ConvertedRun['decoder']): ConvertedRun => ({
  decoder: own,
  stage: 'tokens',
  betas,
  repetitions,
  seed: 1,
});
async function finish(name: string, work: Awaited<ReturnType<typeof open>>) {
  await writeFolderAtomic(at(name), (_, adopt) => work.handOver(adopt));
  await work.remove();
  return ['tokens.npy', 'retrieval.npy'].map((file) => readFileSync(at(`${name}/${file}`)));
}

describe('a run that may be killed', () => {
  it('writes rows as npy that are the same after a stop, a cut row and another process', async () => {
    const whole = await open('whole');
    await runConverted(runOf(decoder()), whole, { console, signal });
    const expected = await finish('whole', whole);
    const tokens = await readNpy(bytesSource(expected[0]!, 'tokens.npy'));
    expect(tokens.shape).toEqual([4, 3]);
    expect([...(tokens.data as Float32Array)]).toEqual([7, 8, 9, 11, 12, 13, 17, 18, 19, 9, 10, 11]);

    const first = await open('parts');
    await expect(runConverted(runOf(decoder(2)), first, { console, signal })).rejects.toThrow('killed');
    await expect(open('parts')).rejects.toThrow(/another process is at this run/);
    await first.leave();
    expect(existsSync(at('parts'))).toBe(false);
    // As if the process had been killed within a row, and its lock were left.
    truncateSync(at('.parts.unfinished/tokens.npy'), 128 + 12 + 5);
    writeFileSync(at('.parts.unfinished/lock'), '');
    const second = await open('parts');
    expect(second.done).toBe(1);
    const { made } = await runConverted(runOf(decoder()), second, { console, signal });
    expect(made).toBe(3);
    expect(await finish('parts', second)).toEqual(expected);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('refuses another run, naming the setting; --restart begins anew; nothing is left of nothing', async () => {
    const work = await open('other');
    await expect(runConverted(runOf(decoder(1)), work, { console, signal })).rejects.toThrow('killed');
    await work.leave();
    await expect(open('other', { seed: 2 })).rejects.toThrow(
      /run\.json: seed: .*another setting.*--restart.*expected 1, found 2/,
    );
    await expect(open('other', { noise: 'n' })).rejects.toThrow(/noise: .*expected none, found n$/);
    writeFileSync(at('.other.unfinished/run.json'), '{');
    await expect(open('other')).rejects.toThrow(/not the state of an unfinished run/);
    const anew = await open('other', { seed: 2 }, true);
    expect(anew.done).toBe(0);
    await anew.leave();
    expect(existsSync(at('.other.unfinished'))).toBe(false);
  });
});

describe('settings of a run', () => {
  const config = { counts: { subject: 2 }, extents: { 'voxels[0]': 12, 'voxels[1]': 13 } };
  const model = { kind: 'mindeye2', config } as unknown as BundleModel;
  const chosen = (settings: Partial<RunSettings>, of = model) =>
    chosenRun(of, { repeats: 'each', subject: 1, ...settings });

  it('are settled from what is given, and default to the first stage and seed 0', () => {
    const rest = { repeats: 'each', precision: 'as stored', subject: 1 };
    expect(chosen({})).toEqual({ ...rest, stage: 'tokens', seed: undefined });
    expect(chosen({ stage: 'prior' })).toEqual({ ...rest, stage: 'prior', seed: 0 });
    expect(chosen({ stage: 'prior', noise: 'n.npz' }).seed).toBeUndefined();
    const one = { kind: 'mindeye1-low-level', config: {} } as unknown as BundleModel;
    expect(chosen({ subject: undefined }, one)).toMatchObject({ stage: 'blurry', subject: 0 });
  });

  it('that the model does not know, or that would have no effect, are wrong usage', () => {
    for (const [settings, message] of [
      [{ stage: 'pixels' }, '--stage: no such stage; expected tokens, blurry, prior, found pixels'],
      [
        { subject: 4 },
        '--subject: the model has layers of 2 subjects; expected 0 (12 voxels), 1 (13 voxels), found 4',
      ],
      [
        { subject: undefined },
        '--subject: the model has layers of 2 subjects; expected 0 (12 voxels), 1 (13 voxels), found none chosen',
      ],
      [
        { seed: 3 },
        '--seed: stage tokens of mindeye2 draws no noise; expected --stage prior, found --stage tokens',
      ],
      [
        { stage: 'blurry', noise: 'n.npz' },
        '--noise: stage blurry of mindeye2 draws no noise; expected --stage prior, found --stage blurry',
      ],
    ] as const) {
      expect(() => chosen(settings)).toThrow(expect.objectContaining({ code: 'USAGE', message }));
    }
  });
});

describe('a full disk', () => {
  it('ends in the error of the disk, without the lock, and keeps what the last state knows of', async () => {
    const work = await open('full');
    await expect(runConverted(runOf(decoder(2)), work, { console, signal })).rejects.toThrow('killed');
    expect([work.done, work.kept]).toEqual([2, 1]);
    // The state cannot be written: as where a disk is full, but on any system.
    mkdirSync(at('.full.unfinished/run.json.new'));
    await expect(work.leave()).rejects.toMatchObject({ code: 'IO', file: work.path });
    expect(readdirSync(at('.full.unfinished')).sort()).toEqual(['retrieval.npy', 'run.json', 'tokens.npy']);
    const again = await open('full');
    expect(again.done).toBe(1);
    await again.remove();
  });
});

describe('recorded noise', () => {
  const random = createRandom(3);
  const array = (...shape: number[]): NdArray => ({
    dtype: 'f32',
    shape,
    data: Float32Array.from(random.normals(shape.reduce((product, extent) => product * extent, 1))),
  });
  const [initial, steps] = [array(4, 2, 3), array(5, 4, 2, 3)];
  const named = [
    { name: 'initial', ...initial },
    { name: 'steps', ...steps },
  ];
  const safetensors = encodeSafetensors(named as Parameters<typeof encodeSafetensors>[0]);
  const npz = zipSync({ 'initial.npy': encodeNpy(initial), 'steps.npy': encodeNpy(steps) });
  const slice = ({ data }: NdArray, start: number, length: number) =>
    (data as Float32Array).subarray(start, start + length);

  it('reaches the decoder item by item, from safetensors and npz', async () => {
    for (const [name, bytes] of [
      ['n.safetensors', safetensors],
      ['n.npz', npz],
    ] as const) {
      const noise = await openNoise(bytesSource(bytes, name), 4, signal);
      const own = decoder();
      const work = await open(`noise-${name}`);
      await runConverted({ ...runOf(own), noise }, work, { console, signal });
      await work.remove();
      expect(own.noises).toHaveLength(4);
      const last = own.noises[3]!;
      expect(last.initial).toEqual({ data: slice(initial, 18, 6), shape: [1, 2, 3] });
      expect(last.steps.shape).toEqual([5, 1, 2, 3]);
      expect(last.steps.data.subarray(12, 18)).toEqual(slice(steps, (2 * 4 + 3) * 6, 6));
    }
  });

  it('is another one where its last step differs, and names the array of a value that is no number', async () => {
    const changed = (value: number) => {
      const data = Float32Array.from(steps.data as Float32Array);
      data[data.length - 1] = value;
      const bytes = zipSync(
        { 'initial.npy': encodeNpy(initial), 'steps.npy': encodeNpy({ ...steps, data }) },
        { level: 0 },
      );
      return openNoise(bytesSource(bytes, 'n.npz'), 4, signal);
    };
    const [one, other, bad] = [await changed(1), await changed(2), await changed(Number.NaN)];
    expect(one.identity).not.toBe(other.identity);
    await bad.item(2, signal);
    await expect(bad.item(3, signal)).rejects.toThrow(
      /n\.npz: steps: the recorded noise of item 3 .*expected finite values, found NaN/,
    );
  });

  it('that does not fit is an error that names file, array and shapes', async () => {
    const refused = (bytes: Uint8Array, items: number) =>
      openNoise(bytesSource(bytes, 'n.npz'), items, signal).then(
        () => 'nothing',
        (error) => String(error.message),
      );
    expect(await refused(npz, 3)).toMatch(
      /n\.npz: initial: .*expected \[3 items, tokens, dim\], found \[4, 2, 3\]/,
    );
    const other = zipSync({ 'initial.npy': encodeNpy(initial), 'steps.npy': encodeNpy(array(5, 4, 3, 3)) });
    expect(await refused(other, 4)).toMatch(/steps: .*\[evaluations, 4, 2, 3\], found \[5, 4, 3, 3\]/);
    expect(await refused(zipSync({ 'steps.npy': encodeNpy(steps) }), 4)).toMatch(
      /initial: .*expected an array of this name, found steps/,
    );
    expect(await refused(encodeNpy(initial), 4)).toMatch(/not a recording of noise; .*found npy/);
  });
});
