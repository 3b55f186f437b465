import { gzipSync } from 'node:zlib';
import {
  arrange,
  bytesSource,
  createRandom,
  createReferenceBackend,
  encodeHdf5,
  encodeNifti,
  F2iError,
  type Folder,
  layoutOf,
  memoryFolder,
  NSD_FILES,
  openHdf5,
  openRecording,
  packRecording,
  type Random,
  readArray,
  readNpy,
  syncOf,
  type WriteFile,
} from '@fmri2image/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Anatomy, drawAnatomy, gridFor } from '../src/nsd/anatomy.ts';
import { featureRequest, simulatedFeatures } from '../src/nsd/features.ts';
import { normaliseSession, type SimulatedNsd, simulateNsd } from '../src/nsd/simulate.ts';
import { writeNsdLayout } from '../src/nsd/write.ts';
import { writeNative } from '../src/nsd/writeNative.ts';
import { bytesOf } from './bytes.ts';

const options = {
  seed: 3,
  voxels: 30,
  trainPictures: 14,
  testPictures: 6,
  trainRepeats: 2,
  repeats: 3,
  sessions: 3,
  size: 8,
  noise: 0.5,
};
const BETAS = 'nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR';
const session = (number: number) => `${BETAS}/betas_session0${number}.hdf5`;

let simulated: SimulatedNsd;
let responses: Float32Array[];
let anatomy: Anatomy;
const files: Record<'hdf5' | 'nifti' | 'mindeye', Map<string, Uint8Array>> = {
  hdf5: new Map(),
  nifti: new Map(),
  mindeye: new Map(),
};

const into =
  (map: Map<string, Uint8Array>): WriteFile =>
  async (path, content) => {
    map.set(path, await bytesOf(content));
  };

/** The files as they are, or with some replaced or (undefined) removed. */
function folderOf(kind: keyof typeof files, changes: Record<string, Uint8Array | undefined> = {}): Folder {
  const all = new Map<string, Uint8Array | undefined>([...files[kind], ...Object.entries(changes)]);
  return memoryFolder(
    [...all].filter((entry): entry is [string, Uint8Array] => entry[1] !== undefined),
    'nsd',
  );
}

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (error: F2iError) => error.message,
  );

beforeAll(async () => {
  const backend = createReferenceBackend();
  simulated = await simulateNsd(options, backend, new AbortController().signal);
  responses = [...simulated.sessions()];
  anatomy = drawAnatomy(options.voxels, gridFor(options.voxels));
  const { experiment } = simulated;
  for (const format of ['hdf5', 'nifti'] as const) {
    const settings = { subject: 1, format, noise: options.noise, seed: 3 };
    await writeNative(experiment, anatomy, responses, into(files[format]), settings);
  }
  const normalised = responses.map((data) => normaliseSession(data, options.voxels));
  const shape = [experiment.trials.length, options.voxels] as const;
  await writeNsdLayout(
    1,
    { data: normalised, shape },
    experiment.trials,
    into(files.mindeye),
    experiment.sessionTrials,
  );
  backend.dispose();
});

describe('NSD in its own files', () => {
  it('is read as it was written: trials, voxels at their places, percent signal change', async () => {
    const recording = await openRecording(folderOf('hdf5'), { subject: 'subj01' });
    const { trials, sessionTrials } = simulated.experiment;
    expect(recording).toMatchObject({
      layout: 'nsd',
      name: 'nsd-subj01',
      subject: 1,
      voxels: 30,
      warnings: [],
    });
    expect(recording.ledger).toMatchObject([{ sawTest: 'unknown' }]);
    expect(recording.trials).toHaveLength(46);
    for (const [i, trial] of recording.trials.entries()) {
      const { image, repeat, split } = trials[i]!;
      expect(trial).toMatchObject({ stimulus: image, repeat, shared: split === 'new_test' });
      expect(trial.session).toBe(`${Math.floor(i / sessionTrials) + 1}`);
      expect(trial).not.toHaveProperty('place');
    }
    // Voxel by voxel from the files: x is fastest in the grid, and last in the dataset.
    const [nx, ny] = anatomy.grid;
    const mask = await readArray(
      bytesSource(files.hdf5.get(NSD_FILES.roi(1, 'func1pt8mm', 'nsdgeneral'))!, 'roi.nii.gz'),
    );
    expect(mask.shape).toEqual(anatomy.grid);
    const all = await recording.readTrials(0, 46);
    let seen = 0;
    for (let s = 0; s < 3; s++) {
      const file = await openHdf5(syncOf(bytesSource(files.hdf5.get(session(s + 1))!, 'betas.hdf5')));
      expect(file.datasets.get('betas')).toMatchObject({ dtype: 'i16', chunks: [s < 2 ? 16 : 14, 1, 1, 1] });
      const { shape, data } = file.read('betas');
      const [count = 0, , height = 0, width = 0] = shape;
      for (let t = 0; t < count; t++, seen++) {
        for (const [column, voxel] of recording.selection.indices.entries()) {
          const [x, y, z] = [voxel % nx, Math.floor(voxel / nx) % ny, Math.floor(voxel / (nx * ny))];
          const [, my, mz] = mask.shape as [number, number, number];
          expect(mask.data[(x * my + y) * mz + z]).toBe(1);
          const stored = data[((t * shape[1]! + z) * height + y) * width + x]!;
          expect(all[seen * 30 + column]).toBe(Math.fround(Number(stored) / 300));
        }
      }
      file.close();
    }
    expect(seen).toBe(46);
    // And they are the responses that were simulated, but for a gain and a shift of each session.
    const first = responses[1]!;
    for (const voxel of [0, 13, 29]) {
      const [a, b] = [0, 1].map((which) =>
        Array.from({ length: 16 }, (_, t) => (which ? all[(16 + t) * 30 + voxel]! : first[t * 30 + voxel]!)),
      ) as [number[], number[]];
      expect(correlation(a, b)).toBeGreaterThan(0.999);
    }
    expect(await recording.readTrials(14, 20)).toEqual(all.slice(14 * 30, 20 * 30));
    recording.close();
  });

  it('is the same from NIfTI, and from betas of another order of chunks', async () => {
    const one = await (await openRecording(folderOf('hdf5'))).readTrials(0, 46);
    const nifti = await openRecording(folderOf('nifti'));
    expect(await nifti.readTrials(0, 46)).toEqual(one);
    expect(await nifti.readTrials(30, 33)).toEqual(one.slice(30 * 30, 33 * 30));
    const file = await openHdf5(syncOf(bytesSource(files.hdf5.get(session(1))!, 'betas.hdf5')));
    const array = file.read('betas');
    const byTrial = await encodeHdf5({ betas: { array } });
    const recording = await openRecording(folderOf('hdf5', { [session(1)]: byTrial }));
    expect(await recording.readTrials(0, 16)).toEqual(one.slice(0, 16 * 30));
  });

  it('takes the voxels of ROIs by name, or of a mask, at their places in the space', async () => {
    const streams = anatomy.atlases.streams!.labels;
    const early = [...streams.entries()].filter(([, label]) => label === 1).map(([voxel]) => voxel);
    const whole = await openRecording(folderOf('hdf5'));
    const recording = await openRecording(folderOf('hdf5'), { roi: 'streams:early' });
    expect([...recording.selection.indices]).toEqual(early);
    expect(recording.selection.space).toMatchObject({ kind: 'image', grid: anatomy.grid });
    const [some, all] = [await recording.readTrials(0, 5), await whole.readTrials(0, 5)];
    const columns = whole.regions.get('streams:early')!;
    expect([...columns].map((column) => whole.selection.indices[column])).toEqual(early);
    for (let t = 0; t < 5; t++) {
      for (const [c, column] of columns.entries()) {
        expect(some[t * early.length + c]).toBe(all[t * 30 + column]);
      }
    }
    const both = await openRecording(folderOf('hdf5'), { roi: 'prf-visualrois:V1v+V1d' });
    const visual = anatomy.atlases['prf-visualrois']!.labels;
    expect([...both.selection.indices].every((voxel) => [1, 2].includes(visual[voxel]!))).toBe(true);
    expect(await messageOf(openRecording(folderOf('hdf5'), { roi: 'streams:erly' }))).toMatch(
      /no such ROI: did you mean streams:early\?; expected one of nsdgeneral, streams, streams:early.*prf-visualrois:hV4/,
    );
    const chosen = new Int16Array(streams.length);
    for (const voxel of [early[0]!, early.at(-1)!]) chosen[voxel] = 3;
    const image = encodeNifti({ dtype: 'i16', shape: anatomy.grid, data: chosen });
    const masked = await openRecording(folderOf('hdf5'), { mask: bytesSource(image, 'my.nii') });
    expect([...masked.selection.indices]).toEqual([early[0], early.at(-1)]);
    const other = encodeNifti({ dtype: 'i16', shape: [2, 2, 2], data: new Int16Array(8) });
    expect(await messageOf(openRecording(folderOf('hdf5'), { mask: bytesSource(other, 'my.nii') }))).toMatch(
      /my\.nii: dim: images of different grids/,
    );
  });

  it('names sessions that are not there, and counts the others', async () => {
    const recording = await openRecording(folderOf('hdf5', { [session(2)]: undefined }));
    expect(recording.warnings).toEqual(['betas of session 2 are not there: counts are those of the other 2']);
    expect(recording.trials).toHaveLength(30);
    expect(new Set(recording.trials.map((trial) => trial.session))).toEqual(new Set(['1', '3']));
    // A repeat is one whether or not the first presentation is at hand.
    const whole = await openRecording(folderOf('hdf5'));
    const late = recording.trials.slice(16).map(({ repeat }) => repeat);
    expect(late).toEqual(whole.trials.slice(32).map(({ repeat }) => repeat));
    const [some, all] = [await recording.readTrials(10, 20), await whole.readTrials(0, 46)];
    expect(some.subarray(6 * 30)).toEqual(all.subarray(32 * 30, 36 * 30));
    const none = { [session(1)]: undefined, [session(2)]: undefined, [session(3)]: undefined };
    expect(await messageOf(openRecording(folderOf('hdf5', none)))).toMatch(
      /betas_session01\.hdf5.*no such file; expected the file of NSD, from s3:/,
    );
  });

  it('needs the experimental design or responses.tsv; other files by name', async () => {
    const table = NSD_FILES.responses(1);
    const { trials } = await openRecording(folderOf('hdf5', { [NSD_FILES.design]: undefined }));
    expect(trials.map(({ stimulus }) => stimulus)).toEqual(
      simulated.experiment.trials.map(({ image }) => image),
    );
    expect(await messageOf(openRecording(folderOf('hdf5', { [table]: undefined })))).toMatch(
      // 750 trials a session by the design.
      /betas_session01\.hdf5: betas: not the betas of this session/,
    );
    const roi = Object.fromEntries(
      ['nsdgeneral', 'streams', 'prf-visualrois'].map((atlas) => [
        NSD_FILES.roi(1, 'func1pt8mm', atlas),
        undefined,
      ]),
    );
    expect(await messageOf(openRecording(folderOf('hdf5', roi)))).toMatch(
      /roi\/nsdgeneral\.nii\.gz: the ROI is not there/,
    );
    const betas = await messageOf(openRecording(folderOf('hdf5'), { betas: 'betas_fithrf_GLMdenoise_R' }));
    expect(betas).toMatch(
      /betas: no such betas: did you mean betas_fithrf_GLMdenoise_RR\?; expected betas_fithrf_GLMdenoise_RR, found/,
    );
    expect(await messageOf(openRecording(folderOf('hdf5'), { subject: 2 }))).toMatch(
      /holds other subjects; expected 1, found 2/,
    );
    expect(await messageOf(openRecording(folderOf('hdf5'), { subject: 9 }))).toMatch(
      /subject.*1 to 8, found 9/,
    );
    expect(await messageOf(openRecording(memoryFolder([], 'empty')))).toMatch(
      /empty: no responses that are known/,
    );
  });

  it('refuses hostile files, naming file and field', async () => {
    const table = NSD_FILES.responses(1);
    const text = new TextDecoder().decode(files.hdf5.get(table)!);
    const changed = async (change: (lines: string[]) => string[]) => {
      const lines = change(text.trimEnd().split('\n'));
      const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`);
      return messageOf(openRecording(folderOf('hdf5', { [table]: bytes })));
    };
    const cell = (line: number, column: number, value: string) => (lines: string[]) =>
      lines.map((one, i) => (i === line - 1 ? one.split('\t').with(column, value).join('\t') : one));
    const without = (lines: string[]) => lines.map((line) => line.split('\t').toSpliced(4, 1).join('\t'));
    expect(await changed(without)).toMatch(/responses\.tsv: 73KID: a column is missing/);
    expect(await changed(cell(5, 4, '73001'))).toMatch(/line 5, column 73KID.*1 to 73000, found 73001/);
    expect(await changed(cell(5, 4, '1.5'))).toMatch(/line 5, column 73KID.*found 1\.5/);
    expect(await changed(cell(5, 4, '17'))).toMatch(
      /line 5, column 73KID: not the picture of the experimental design/,
    );
    expect(await changed(cell(7, 0, '2'))).toMatch(
      /line 7, column SUBJECT: trials of another subject; expected 1, found 2/,
    );
    expect(await changed(cell(47, 1, '1'))).toMatch(/line 47, column SESSION: sessions out of order/);
    // A line too few: the session's betas do not fit.
    expect(await changed((lines) => lines.toSpliced(3, 1))).toMatch(
      /betas_session01\.hdf5: betas: not the betas of this session; expected \[15, .*found \[16, /,
    );
    const cut = files.hdf5.get(session(2))!;
    const truncated = folderOf('hdf5', { [session(2)]: cut.slice(0, cut.length - 3000) });
    expect(await messageOf(openRecording(truncated).then((one) => packRecording(one)))).toMatch(
      /betas_session02\.hdf5.*(damaged|ends)/,
    );
    const small = gzipSync(encodeNifti({ dtype: 'i16', shape: [2, 2, 2], data: new Int16Array(8) }));
    expect(
      await messageOf(
        openRecording(folderOf('hdf5', { [NSD_FILES.roi(1, 'func1pt8mm', 'streams')]: small })),
      ),
    ).toMatch(/streams\.nii\.gz: dim: images of different grids/);
    const label = new TextEncoder().encode('1 early\nventral 5\n');
    expect(
      await messageOf(openRecording(folderOf('hdf5', { [NSD_FILES.labels(1, 'streams')]: label }))),
    ).toMatch(/streams\.mgz\.ctab: line 2: not a table of labels/);
    const design = files.hdf5.get(NSD_FILES.design)!.slice(0, 200);
    expect(await messageOf(openRecording(folderOf('hdf5', { [NSD_FILES.design]: design })))).toMatch(
      /nsd_expdesign\.mat/,
    );
  });
});

describe('NSD as MindEye2 published it', () => {
  it('is a recording of all trials that tars describe', async () => {
    expect(await layoutOf(folderOf('mindeye'))).toBe('mindeye');
    const recording = await openRecording(folderOf('mindeye'));
    expect(recording).toMatchObject({ layout: 'mindeye', subject: 1, voxels: 30, warnings: [] });
    const { trials } = simulated.experiment;
    expect(recording.trials.map(({ stimulus, shared, repeat }) => [stimulus, shared, repeat])).toEqual(
      trials.map(({ image, split, repeat }) => [image, split === 'new_test', repeat]),
    );
    const expected = responses.map((data) => normaliseSession(data, 30));
    expect(await recording.readTrials(16, 32)).toEqual(expected[1]);
    expect(recording.ledger).toMatchObject([
      { sawTest: 'unknown', note: expect.stringContaining('MindEye2') },
    ]);
    expect(arrange(recording, { split: 'split' }).test).toHaveLength(18);
  });

  it('leaves out rows that no tar describes, and says so', async () => {
    const recording = await openRecording(folderOf('mindeye', { 'wds/subj01/train/1.tar': undefined }));
    const lost = simulated.experiment.trials.slice(16, 32).filter(({ split }) => split === 'train').length;
    expect(recording.trials).toHaveLength(46 - lost);
    expect(recording.warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^${lost} of 46 rows of betas are described by no tar, and left out; train/1\\.tar, `),
      ),
    ]);
    const row = recording.trials.findIndex((trial) => trial.session === '3');
    const [some, last] = [await recording.readTrials(row, row + 1), normaliseSession(responses[2]!, 30)];
    expect(some).toEqual(last.slice(0, 30));
    expect(await messageOf(openRecording(folderOf('mindeye'), { roi: 'streams' }))).toMatch(
      /no choice of roi/,
    );
  });
});

describe('damaged files', () => {
  it('end in an error that names a file, or in responses', async () => {
    const random = createRandom(11);
    let refused = 0;
    for (const kind of ['hdf5', 'nifti', 'mindeye'] as const) {
      const paths = [...files[kind].keys()].filter((path) => !/ncsnr/.test(path));
      for (let i = 0; i < 50; i++) {
        const path = paths[i % paths.length]!;
        const folder = folderOf(kind, { [path]: damaged(files[kind].get(path)!, random) });
        try {
          const recording = await openRecording(folder);
          await packRecording(recording, { badVoxels: 'drop' }).finally(() => recording.close());
        } catch (error) {
          if (!(error instanceof F2iError)) throw error;
          expect(error.message).not.toMatch(/undefined/);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(50);
  });
});

/** Bits flipped, a part filled, or an end cut off. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = random.integer(copy.length);
  switch (random.integer(3)) {
    case 0:
      for (let k = 0; k < 4; k++) copy[random.integer(copy.length)]! ^= 1 << random.integer(8);
      return copy;
    case 1:
      return copy.fill([0, 0xff, 0x20][random.integer(3)]!, at, at + 1 + random.integer(64));
    default:
      return copy.slice(0, at);
  }
}

describe('simulated features', () => {
  it('are told by the responses that pictures evoke, and not by them alone', async () => {
    const request = featureRequest('vision.npy=4x5');
    const { numbers } = simulated.experiment;
    const bytes = await bytesOf(simulatedFeatures(request, simulated.features, numbers, 3));
    const { shape, data } = await readNpy(bytesSource(bytes, 'vision.npy'));
    expect(shape).toEqual([20, 4, 5]);
    const shares: number[] = [];
    const told = (share: number) => void shares.push(share);
    expect(bytes).toEqual(await bytesOf(simulatedFeatures(request, simulated.features, numbers, 3, told)));
    expect(shares).toEqual(Array.from({ length: 20 }, (_, i) => i / 20));
    const other = await bytesOf(
      simulatedFeatures(featureRequest('text.npy=4x5'), simulated.features, numbers, 3),
    );
    expect(other).not.toEqual(bytes);
    expect((data as Float32Array).every(Number.isFinite)).toBe(true);
    expect(() => featureRequest('vision.txt=4')).toThrow(/NAME\.npy=SHAPE/);
    expect(() => featureRequest('vision.npy=4x0')).toThrow(/NAME\.npy=SHAPE/);
    const hdf5 = await bytesOf(simulatedFeatures(featureRequest('v.hdf5=3'), simulated.features, numbers, 3));
    const file = await openHdf5(syncOf(bytesSource(hdf5, 'v.hdf5')));
    expect(file.datasets.get('features')).toMatchObject({ dtype: 'f32', shape: [20, 3] });
    file.close();
  });
});

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = a.reduce((sum, value, i) => sum + (value - ma) * (b[i]! - mb), 0);
  const norm = (values: readonly number[], m: number) =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - m) ** 2, 0));
  return product / (norm(a, ma) * norm(b, mb));
}
