import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, encodeHdf5, encodeNpy, encodeTar, MINDEYE_FILES } from '@fmri2image/core';
import { describe, expect, it } from 'vitest';
import { findNsdSubject, nsdSubjectAt } from '../src/nsd/find.ts';
import { openNsdSubject } from '../src/nsd/layout.ts';
import { type LaidOutTrial, writeNsdLayout } from '../src/nsd/write.ts';
import { repetitions } from '../src/pipeline/repeats.ts';
import { openStudy } from '../src/study.ts';
import { bytesOf } from './bytes.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const { signal } = new AbortController();
const [trials, voxels] = [40, 9];
const data = Float32Array.from(createRandom(1).normals(trials * voxels));

/** Writes files of subject 2, whose trials may be changed first. */
async function write(place: string, change: (trials: LaidOutTrial[]) => LaidOutTrial[] = (same) => same) {
  const made = Array.from({ length: trials }, (_, trial): LaidOutTrial => {
    const split = trial % 4 === 0 ? 'new_test' : 'train';
    return { image: split === 'new_test' ? 70_000 - (trial % 12) : trial, trial, split, repeat: 0 };
  });
  await writeNsdLayout(
    2,
    { data, shape: [trials, voxels] },
    change(made),
    async (path, content) => {
      mkdirSync(join(at(place), path, '..'), { recursive: true });
      writeFileSync(join(at(place), path), await bytesOf(content));
    },
    20,
  );
}

describe('betas and trials as MindEye2 published them', () => {
  it('are found, and read by the rows of the test trials', async () => {
    await write('nsd');
    expect(await findNsdSubject(at('nsd'))).toEqual({ folder: at('nsd'), subject: 2 });
    expect(await findNsdSubject(at(`nsd/${MINDEYE_FILES.betas(2)}`))).toEqual({
      folder: at('nsd'),
      subject: 2,
    });
    const nsd = await openNsdSubject(at('nsd'), 2, signal);
    expect(nsd).toMatchObject({ name: 'subj02', trials, voxels });
    expect(nsd.test.map(({ row }) => row)).toEqual([0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
    expect(nsd.test[6]).toEqual({ image: 70_000, session: 2, run: 3, row: 24, shared: true });
    const rows = [36, 0, 4, 5, 36];
    const { data: read, shape } = await nsd.readBetas(rows, { signal });
    expect(shape).toEqual([5, voxels]);
    for (const [i, row] of rows.entries()) {
      expect(read.subarray(i * voxels, (i + 1) * voxels)).toEqual(
        data.subarray(row * voxels, (row + 1) * voxels),
      );
    }
    nsd.close();
  });

  it('are errors that name file, sample and column where they are not as published', async () => {
    const refused = async (place: string) =>
      openNsdSubject(at(place), 2, signal).then(
        () => 'nothing',
        (error) => String(error.message),
      );
    await write('foreign', (all) =>
      all.map((trial) => (trial.trial === 8 ? { ...trial, image: 73_000 } : trial)),
    );
    expect(await refused('foreign')).toMatch(
      /subj02\/new_test\/0\.tar\/sample000000002\.behav\.npy: column 0 \(image\).*from 0 to 72999, found 73000/,
    );
    await write('far', (all) => all.map((trial) => (trial.trial === 8 ? { ...trial, trial: 40 } : trial)));
    expect(await refused('far')).toMatch(/column 5 \(globalTrial\).*from 0 to 39, found 40/);
    await write('twice', (all) => [...all, all[4]!]);
    expect(await refused('twice')).toMatch(
      /two samples are the same trial; expected each trial once, found 4/,
    );
    await write('other');
    writeFileSync(
      at(`other/${MINDEYE_FILES.betas(2)}`),
      await encodeHdf5({ betas: { array: { dtype: 'f32', shape: [4], data: new Float32Array(4) } } }),
    );
    expect(await refused('other')).toMatch(/renorm\.hdf5: betas: no betas.*\[trials, voxels\], found \[4\]/);
    await write('short');
    const behaviour = encodeNpy({ dtype: 'f64', shape: [1, 16], data: new Float64Array(16) });
    writeFileSync(at('short/wds/subj02/new_test/0.tar'), encodeTar([['s.behav.npy', behaviour]]));
    expect(await refused('short')).toMatch(
      /s\.behav\.npy: not the behaviour of one trial; expected \[1, 17\], found \[1, 16\]/,
    );
    expect(await refused('nowhere')).toMatch(/nowhere.*no such file/);
    mkdirSync(at('empty'));
    expect(await refused('empty')).toMatch(/betas_all_subj02_fp32_renorm\.hdf5.*no such file/);
    await expect(nsdSubjectAt(folder)).rejects.toThrow(/no betas of NSD.*betas_all_subj01_fp32_renorm\.hdf5/);
    writeFileSync(at(`nsd/${MINDEYE_FILES.betas(5)}`), '');
    await expect(findNsdSubject(at('nsd'))).rejects.toThrow(/several subjects; name one of .*subj02.*subj05/);
  });

  it('are simulated at any scale: normalised within sessions, repeats of test pictures', async () => {
    const sizes = ['--voxels', '12', '--train-pictures', '30', '--test-pictures', '6', '--size', '16'];
    const made = await run(['simulate', '--layout', 'mindeye', '-o', at('sim'), ...sizes, '--json']);
    expect(made.stderr).toBe('');
    expect(JSON.parse(made.stdout)).toMatchObject({ trials: 48, testTrials: 18, voxels: 12 });
    const nsd = await openNsdSubject(at('sim'), 1, signal);
    expect(new Set(nsd.test.map(({ image }) => image)).size).toBe(6);
    const all = await nsd.readBetas([...Array(48).keys()], { signal });
    nsd.close();
    for (const session of [0, 1]) {
      const column = Array.from({ length: 24 }, (_, t) => all.data[(session * 24 + t) * 12 + 5]!);
      const mean = column.reduce((sum, value) => sum + value, 0) / 24;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 24;
      expect(Math.abs(mean)).toBeLessThan(1e-5);
      expect(Math.abs(variance - 1)).toBeLessThan(1e-4);
    }
    const many = await run(['simulate', '--layout', 'mindeye', '-o', at('many'), '--sessions', '41']);
    expect(many).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--sessions: .* at most 40 .*found 41/),
    });
    await expect(openStudy(at('sim'), undefined, new AbortController().signal)).rejects.toThrow(
      /read studies alone; expected a study \(study\.json\), found betas and trials of NSD/,
    );
    const again = await run(['simulate', '--layout', 'mindeye', '-o', at('sim'), ...sizes]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/--force replaces this simulated NSD layout/);
    expect((await run(['simulate', '--layout', 'mindeye', '-o', at('sim'), ...sizes, '--force'])).code).toBe(
      0,
    );
  });
});

describe('repeats', () => {
  const stimuli = [7, 3, undefined, 7, 3, 7, 7, 5];
  const of = (how: 'each' | 'all' | 'published') =>
    repetitions([0, 1, 2, 3, 4, 5, 6, 7], (trial) => stimuli[trial], how).map(({ averaged }) => averaged);

  it('stay apart, are averaged, or averaged over three as published', () => {
    expect(of('each')).toEqual([[0], [1], [2], [3], [4], [5], [6], [7]]);
    expect(of('all')).toEqual([[0, 3, 5, 6], [1, 4], [2], [7]]);
    expect(of('published')).toEqual([
      [1, 4, 1],
      [7, 7, 7],
      [0, 3, 5],
      [2, 2, 2],
    ]);
    const [two] = repetitions([1, 4], () => 3, 'published');
    expect(two!.trials).toEqual([1, 4]);
  });
});
