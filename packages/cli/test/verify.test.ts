import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHdf5, encodeNpy, type NdArray, readNpy } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkFolder, targetRows } from '../src/pipeline/verify.ts';
import { run, temporaryFolder } from './run.ts';
import { writeSmallModel } from './smallModel.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const verify = (...args: string[]) => run(['verify', 'mindeye2', '--nsd', at('nsd'), ...args]);

beforeAll(async () => {
  await writeSmallModel(at('bundle'));
  const sizes = ['--voxels', '12', '--train-pictures', '20', '--test-pictures', '8', '--size', '16'];
  expect((await run(['simulate', '--layout', 'mindeye', '-o', at('nsd'), ...sizes])).code).toBe(0);
});

/** The embeddings that verify wrote, each row replaced by the one `shift` rows on. */
async function embeddings(shift: number): Promise<NdArray> {
  const { shape, data } = await readNpy(await fileSource(at('features/retrieval.npy')));
  const rotated = new Float32Array(data.length);
  for (let i = 0; i < 8; i++) {
    rotated.set((data as Float32Array).subarray(i * 24, i * 24 + 24), ((i + shift) % 8) * 24);
  }
  return { dtype: 'f32', shape, data: rotated };
}

describe('verify', () => {
  it('prints counts beside those published, and says what is missing', async () => {
    const { code, stdout, stderr } = await verify('--bundle', at('bundle'), '-o', at('features'));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/subj01 +found +published/);
    expect(stdout).toMatch(/voxels +12 +15724 +differs/);
    expect(stdout).toMatch(/test trials +24 +3000 +differs/);
    expect(stdout).toMatch(/image retrieval +n\/a +0\.9996 +0\.988 +0\.79/);
    expect(stdout).toMatch(
      /image retrieval, brain retrieval: needs embeddings of the test pictures \(--targets\)/,
    );
    expect(stdout).toMatch(/SSIM.*: needs pictures/);
    expect(stdout).toMatch(/this project has not verified any result on NSD/);
    const stored = JSON.parse(readFileSync(at('features/verification.json'), 'utf8'));
    expect(stored).toMatchObject({ subject: 'subj01', images: 8, counts: expect.any(Array) });
    expect(stored.comparisons).toHaveLength(10);
  });

  it('scores retrieval in both directions where targets are given', async () => {
    writeFileSync(at('own.npy'), encodeNpy(await embeddings(0)));
    writeFileSync(at('other.hdf5'), await encodeHdf5({ tokens: { array: await embeddings(1) } }));
    const of = async (targets: string, ...flags: string[]) => {
      const args = ['--reconstructions', at('features'), '--targets', at(targets), '--json'];
      const made = await verify(...args, ...flags);
      expect(made.stderr).toBe('');
      return JSON.parse(made.stdout);
    };
    const own = await of('own.npy');
    expect(own.retrieval).toMatchObject({ trials: 8, pool: 8, chance: 0.125, draws: 30 });
    expect(own.comparisons[0]).toMatchObject({ name: 'image retrieval', measured: 1, average: 0.988 });
    expect(own.comparisons[1]).toMatchObject({ name: 'brain retrieval', measured: 1, average: 0.983 });
    const other = await of('other.hdf5', '--force');
    expect(other.comparisons[0]).toMatchObject({ measured: 0, chance: 0.125 });
    expect(other.retrieval.array).toBe('retrieval');
    expect(other.comparisons[0].asPublished.mean).toBe(0);
    // Scores that are there stay there.
    const again = ['--reconstructions', at('features'), '--targets', at('own.npy')];
    const kept = await verify(...again);
    expect(kept.code).toBe(2);
    expect(kept.stderr).toMatch(
      /verification\.json holds the scores of an earlier verify; --force replaces it/,
    );
    const { stdout } = await verify(...again, '--force');
    expect(stdout).toMatch(/image retrieval +1\.000 +none: all alike +1\.000 +0\.125 +0\.9996/);
    expect(stdout).toContain('the nearest of a pool of 8 of 8 pictures, chance 0.125');
    expect(stdout).toContain('in place of an earlier one');
  });

  it('refuses targets that are not of these pictures, and options that do not go together', async () => {
    writeFileSync(at('few.npy'), encodeNpy({ dtype: 'f32', shape: [5, 3, 8], data: new Float32Array(120) }));
    const few = await verify('--reconstructions', at('features'), '--targets', at('few.npy'), '--force');
    expect(few.code).toBe(1);
    expect(few.stderr).toMatch(/few\.npy: not a row for each picture; expected 8 rows.*found 5/);
    writeFileSync(at('wide.npy'), encodeNpy({ dtype: 'f32', shape: [8, 3, 9], data: new Float32Array(216) }));
    const wide = await verify('--reconstructions', at('features'), '--targets', at('wide.npy'), '--force');
    expect(wide.code).toBe(1);
    expect(wide.stderr).toMatch(
      /wide\.npy: targets and .* differ in shape; expected \[pictures, 3, 8\] \(.*retrieval\.npy is \[8, 3, 8\]\), found \[8, 3, 9\]/,
    );
    const both = await verify('--reconstructions', at('features'), '--bundle', at('bundle'));
    expect(both.code).toBe(2);
    expect(both.stderr).toMatch(/give --bundle \(and --output\), or --reconstructions/);
    const targets = { name: 't', rows: 73_000, shape: [3, 8], read: never, close: never };
    const items = [5, 70_000].map((stimulus) => ({
      trials: [0],
      stimulus,
      run: '1',
      seen: 'unknown' as const,
    }));
    expect(targetRows(targets, items)).toEqual([5, 70_000]);
    expect(targetRows({ ...targets, rows: 2 }, items)).toEqual([0, 1]);

    const index = JSON.parse(readFileSync(at('features/reconstructions.json'), 'utf8'));
    const of = { of: 'nsd-subj01', images: 8 };
    expect(checkFolder('f', index, of)).toEqual([]);
    expect(checkFolder('f', { ...index, items }, of)).toEqual([
      'f holds 2 of the 8 test pictures: figures of some are not those of all',
    ]);
    for (const [change, message] of [
      [{ provenance: { ...index.provenance, decoder: 'ridge' } }, /another model; expected mindeye2/],
      [{ provenance: { ...index.provenance, study: 'mine' } }, /other data; expected nsd-subj01, found mine/],
      [{ run: { ...index.run, repeats: 'each' } }, /not made with --repeats published/],
      [{ outputs: [{ name: 'latent' }], run: { ...index.run, stage: 'blurry' } }, /stage blurry.*latent/],
    ] as const) {
      expect(() => checkFolder('f', { ...index, ...change }, of)).toThrow(message);
    }
  });
});

function never(): never {
  throw new Error('not called');
}
