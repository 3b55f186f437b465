import {
  type BundleModel,
  bytesSource,
  correlationMatrix,
  createRandom,
  encodeNpy,
  F2iError,
  memoryFolder,
  selectionChecksum,
  twoWayIdentification,
} from '@fmri2image/core';
import { describe, expect, it } from 'vitest';
import { featurePicture, shownAs, stagesOf } from '../page/src/features.ts';
import { dataFolder, sortFiles, weightsOf } from '../page/src/files.ts';
import { checkMatch } from '../page/src/match.ts';
import { readResponses } from '../page/src/matrix.ts';
import { prepare } from '../page/src/responses.ts';
import { pictureName } from '../page/src/save.ts';
import { Scorer } from '../page/src/scores.ts';
import { readStudy } from '../page/src/study.ts';

const { signal } = new AbortController();
const text = (value: string) => new TextEncoder().encode(value);
const npy = (data: Float32Array, shape: number[]) => encodeNpy({ dtype: 'f32', data, shape });
const values = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

async function failure(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(F2iError);
  return error as F2iError;
}

/** A NIfTI-1 image of float32, x fastest. */
function nifti(space: readonly [number, number, number], volumes: number, data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(352 + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 348, true);
  const dim = [volumes > 1 ? 4 : 3, ...space, volumes, 1, 1, 1];
  dim.forEach((extent, i) => {
    view.setInt16(40 + 2 * i, extent, true);
  });
  view.setInt16(70, 16, true);
  view.setInt16(72, 32, true);
  for (let i = 0; i < 8; i++) view.setFloat32(76 + 4 * i, 1, true);
  view.setFloat32(108, 352, true);
  view.setFloat32(112, 1, true);
  bytes.set(text('n+1\0'), 344);
  data.forEach((value, i) => {
    view.setFloat32(352 + 4 * i, value, true);
  });
  return bytes;
}

describe('files that are dropped together', () => {
  const file = (path: string) => ({ path, blob: new Blob([]) });
  const paths = (list: readonly { path: string }[]) => list.map(({ path }) => path);

  it('are told apart by their names', () => {
    const sorted = sortFiles(['b/model.json', 'b/weights.safetensors', 'b/.DS_Store', 'betas.npy'].map(file));
    expect(paths(sorted.bundle)).toEqual(['b/model.json', 'b/weights.safetensors']);
    expect(paths(sorted.responses)).toEqual(['betas.npy']);
    const large = [
      'm/model.json',
      'm/weights-00001-of-00002.safetensors',
      'm/weights-00002-of-00002.safetensors',
    ];
    expect(paths(sortFiles(large.map(file)).bundle)).toEqual(large);
  });

  it('are the files of weights that the description lists', async () => {
    const named = (value: string) => weightsOf({ path: 'model.json', blob: new Blob([value]) });
    const files = {
      'weights-00001-of-00002.safetensors': {},
      'weights-00002-of-00002.safetensors': {},
      '../x': {},
    };
    expect(await named(JSON.stringify({ files }))).toEqual(Object.keys(files).slice(0, 2));
    expect(await named('{')).toEqual(['weights.safetensors']);
  });

  it('are a study where there is a manifest, with paths below it', () => {
    const sorted = sortFiles(['data/s/study.json', 'data/s/pictures/a.png', 'readme.txt'].map(file));
    expect(paths(sorted.study)).toEqual(['study.json', 'pictures/a.png']);
    expect(paths(sorted.data)).toEqual(['readme.txt']);
    // The manifest of an example and the folder of its data, dropped together.
    const example = sortFiles(['v1/study.json', 'raw/bold.tsv.gz', 'raw/dm.npz'].map(file));
    expect(paths(example.study)).toEqual(['study.json']);
    expect(paths(example.data)).toEqual(['bold.tsv.gz', 'dm.npz']);
    expect(sorted.responses).toEqual([]);
  });
});

describe('features', () => {
  it('are shown as a heat map, a latent as its four planes', () => {
    expect(shownAs([256, 1664])).toMatchObject({ height: 256, width: 1664 });
    const tokens = featurePicture({ data: Float32Array.of(1, -1, 1, -1, 1, -1), shape: [2, 3] });
    expect([tokens.height, tokens.width]).toEqual([2, 3]);
    expect(tokens.data[0]).toBeCloseTo(0.5 + 1 / 6, 6);
    expect(tokens.data[1]).toBeCloseTo(0.5 - 1 / 6, 6);
    // Planes of 1 x 2, each constant by itself: +, -, 0, and one value of two.
    const latent = featurePicture({ data: Float32Array.of(3, 3, -1, -1, 0, 0, 2, 0), shape: [4, 1, 2] });
    expect([latent.height, latent.width]).toEqual([2, 4]);
    const [up, down, zero] = [0.5 + 1 / 6, 0.5 - 1 / 6, 0.5];
    const expected = [up, up, down, down, zero, zero, 0.5 + Math.SQRT2 / 6, zero];
    for (const [i, value] of expected.entries()) expect(latent.data[i], `${i}`).toBeCloseTo(value, 6);
  });

  it('come from the stages that a checkpoint has', () => {
    expect(stagesOf({ kind: 'mindeye2', config: { groups: ['prior', 'blurry'] } })).toEqual([
      'tokens',
      'blurry',
      'prior',
    ]);
    expect(stagesOf({ kind: 'mindeye2', config: { groups: [] } })).toEqual(['tokens']);
    expect(stagesOf({ kind: 'ridge', config: {} })).toEqual([]);
  });
});

describe('responses', () => {
  it('are read from arrays and tables', async () => {
    const fromNpy = await readResponses([bytesSource(npy(values(6), [2, 3]), 'a.npy')], [3], signal);
    expect(fromNpy).toMatchObject({ kind: 'matrix', betas: { shape: [2, 3] }, notes: [] });
    const table = text('time\tv1\tv2\n0\t1\t2\n1\t3\t4\n');
    const fromTable = await readResponses([bytesSource(table, 'a.tsv')], [], signal);
    expect(fromTable).toMatchObject({ betas: { shape: [2, 2] }, notes: [expect.stringContaining('“time”')] });
    const { betas, labels, trials } = prepare(fromTable, undefined);
    expect(Array.from(betas.data)).toEqual([1, 2, 3, 4]);
    expect([labels, trials]).toEqual([
      ['Trial 1', 'Trial 2'],
      [0, 1],
    ]);
  });

  it('are turned where only their first axis fits the decoder, and say so', async () => {
    const source = bytesSource(npy(values(6), [3, 2]), 'a.npy');
    const opened = await readResponses([source], [3], signal);
    expect(opened).toMatchObject({ betas: { shape: [2, 3] }, notes: [expect.stringContaining('voxels')] });
    expect(Array.from(prepare(opened, undefined).betas.data)).toEqual([0, 2, 4, 1, 3, 5]);
  });

  it('are the voxels of an image that lie in its mask', async () => {
    const image = bytesSource(nifti([2, 2, 1], 2, values(8)), 'beta.nii');
    const mask = bytesSource(nifti([2, 2, 1], 1, Float32Array.of(0, 1, 0, 1)), 'mask.nii');
    for (const sources of [
      [image, mask],
      [mask, image],
    ]) {
      const { betas } = prepare(await readResponses(sources, [], signal), undefined);
      expect(betas.shape).toEqual([2, 2]);
      expect(Array.from(betas.data)).toEqual([1, 3, 5, 7]);
    }
    const small = bytesSource(nifti([2, 1, 1], 1, Float32Array.of(0, 1)), 'mask.nii');
    const error = await failure(readResponses([image, small], [], signal));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'mask.nii', field: 'dim' });
    expect(error.expected).toContain('2 x 2 x 1');
  });

  it('that cannot be used name file, field, expected and found', async () => {
    const nan = values(6);
    nan[4] = Number.NaN;
    expect(await failure(readResponses([bytesSource(npy(nan, [2, 3]), 'a.npy')], [3], signal))).toMatchObject(
      {
        code: 'FORMAT',
        file: 'a.npy',
        field: 'trial 2, voxel 2',
        expected: 'finite numbers',
        found: 'NaN',
      },
    );
    const cube = bytesSource(npy(values(8), [2, 2, 2]), 'cube.npy');
    expect(await failure(readResponses([cube], [2], signal))).toMatchObject({
      file: 'cube.npy',
      expected: '[trials, voxels]',
      found: '[2, 2, 2]',
    });
    const cut = bytesSource(npy(values(6), [2, 3]).slice(0, -4), 'cut.npy');
    expect(await failure(readResponses([cut], [3], signal))).toMatchObject({
      code: 'FORMAT',
      file: 'cut.npy',
    });
    const pth = [bytesSource(npy(values(6), [2, 3]), 'last.pth')];
    expect(await failure(readResponses(pth, [3], signal))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/convert it first: fmri2image convert last\.pth/),
    });
    const two = [1, 2].map((i) => bytesSource(npy(values(6), [2, 3]), `${i}.npy`));
    expect(await failure(readResponses(two, [3], signal))).toMatchObject({ code: 'USAGE', found: '2 files' });
    const other = bytesSource(text('hello'), 'readme.md');
    expect(await failure(readResponses([other], [3], signal))).toMatchObject({ file: 'readme.md' });
  });
});

describe('a study', () => {
  const study = (manifest: object = {}) =>
    memoryFolder(
      [
        [
          'study.json',
          text(
            JSON.stringify({
              format: 'fmri2image-study',
              version: 1,
              name: 'mine',
              indexBase: 0,
              voxels: { file: 'betas.npy', rows: 'trials' },
              trials: { file: 'trials.tsv' },
              stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 1] },
              ...manifest,
            }),
          ),
        ],
        ['betas.npy', npy(values(9), [3, 3])],
        [
          'trials.tsv',
          text('stimulus\tlabel\trun\tsplit\n0\tcat\t1\ttrain\n1\tdog\t2\ttest\n0\tcat\t2\ttest\n'),
        ],
        ['pictures.npy', npy(Float32Array.of(0, 1, 1, 0, 1, 1, 0, 0), [2, 2, 2])],
      ],
      'mine',
    );

  it('gives test trials, their labels, and what was shown', async () => {
    const responses = prepare(await readStudy(study(), signal), undefined);
    expect(responses).toMatchObject({
      trials: [1, 2],
      labels: ['Trial 1 · cat', 'Trial 2 · dog', 'Trial 3 · cat'],
      runs: ['1', '2', '2'],
      simulated: false,
      truth: { stimulusOf: [0, 1, 0] },
    });
    // The mean training picture: that of the one training trial.
    expect(Array.from(responses.truth!.meanPicture!.data)).toEqual([0, 1, 1, 0]);
  });

  it('leaves out what the decoder was fitted on', async () => {
    const opened = await readStudy(study(), signal);
    const fittedOn = (trials: [number, number][], name = 'mine') =>
      prepare(opened, {
        input: { voxels: 3 },
        report: { training: { study: name, trials, stimuli: [] } },
      } as unknown as BundleModel);
    expect(fittedOn([[0, 1]])).toMatchObject({
      trials: [2],
      notes: [expect.stringMatching(/^1 trials .* 2 others/)],
    });
    expect(fittedOn([[0, 2]])).toMatchObject({
      trials: [1, 2],
      notes: [expect.stringContaining('say nothing')],
    });
    expect(fittedOn([[0, 1]], 'another').trials).toEqual([1, 2]);
  });

  it('says which trials are scored', async () => {
    const opened = await readStudy(study({ scored: { above: 0.5, pixels: 2 } }), signal);
    expect([...prepare(opened, undefined).truth!.scored!]).toEqual([0, 1, 2]);
    const none = await readStudy(study({ scored: { above: 0.5, pixels: 3 } }), signal);
    const { truth } = prepare(none, undefined);
    expect(new Scorer(truth!, [1, 2]).score(1, Float32Array.of(1, 0, 0, 0))).toBeUndefined();
    expect(
      new Scorer({ ...truth!, scored: undefined }, [1, 2]).score(1, Float32Array.of(1, 0, 0, 0)),
    ).toBeDefined();
  });

  it('is for a decoder of its own voxels and repetition time alone', async () => {
    const opened = await readStudy(study(), signal);
    const check = (input: object) => {
      const model = { input: { voxels: 3, ...input }, report: {} } as unknown as BundleModel;
      return checkMatch(opened, prepare(opened, model), model, 'b');
    };
    await check({});
    expect(await failure(check({ voxels: 4 }))).toMatchObject({
      file: 'mine',
      field: 'voxels',
      expected: '4, as b',
    });
    const sample = [{ name: 'sample', settings: { delays: [3.5, 5, 6.5, 8] } }];
    const delayed = { input: { voxels: 12, preprocess: sample }, report: {} } as unknown as BundleModel;
    const matrix = await readResponses([bytesSource(npy(values(6), [2, 3]), 'voxels.npy')], [12], signal);
    expect(await failure(checkMatch(matrix, prepare(matrix, delayed), delayed, 'b'))).toMatchObject({
      message: expect.stringContaining(
        'this decoder reads 4 delays of 3 voxels: open the study folder instead of voxels.npy',
      ),
      expected: '12 (4 delays of 3 voxels), as b',
      found: '3 (2 rows of 3 values)',
    });
    const { study: read } = opened as Extract<typeof opened, { kind: 'study' }>;
    await check({ selectionSha256: await selectionChecksum(read.selection) });
    const others = await failure(check({ selectionSha256: 'a'.repeat(64) }));
    expect(others).toMatchObject({ field: 'voxels', expected: 'those of the fit (aaaaaaaaaaaa)' });
    const series = { ...opened, study: { ...read, tr: 2 } } as typeof opened;
    const model = { input: { voxels: 3, repetitionTime: 1.5 }, report: {} } as unknown as BundleModel;
    expect(await failure(checkMatch(series, prepare(opened, model), model, 'b'))).toMatchObject({
      field: 'tr',
      expected: '1.5 s',
      found: '2 s',
    });
  });

  it('asks for the data files that it names, where they were not chosen', async () => {
    const folder = study({ voxels: { file: 'data:betas.npy', rows: 'trials' } });
    const named = (path: string) => ({ path, blob: new Blob([npy(values(9), [3, 3]).slice()]) });
    const error = await failure(readStudy(folder, signal, { data: dataFolder([named('other.npy')]) }));
    expect(error).toMatchObject({
      code: 'IO',
      field: 'voxels.file',
      message: expect.stringContaining('choose study.json together with the data files'),
    });
    expect(await readStudy(folder, signal, { data: dataFolder([named('betas.npy')]) })).toMatchObject({
      kind: 'study',
    });
  });

  it('is not prepared in a way that the page does not know', async () => {
    const opened = await readStudy(study(), signal);
    const model = { input: { voxels: 3, preprocess: [{ name: 'whiten', settings: {} }] } };
    expect(() => prepare(opened, model as unknown as BundleModel)).toThrow(/input\.preprocess\.0.*whiten/);
  });
});

describe('scores', () => {
  it('are those of the metrics', async () => {
    const random = createRandom(3);
    const [stimuli, pixels] = [5, 12];
    const shown = Float32Array.from(random.normals(stimuli * pixels));
    // Stimulus 1 is shown twice.
    const stimulusOf = [0, 1, 2, 1, 3, 4];
    const made = stimulusOf.map((stimulus) =>
      Float32Array.from({ length: pixels }, (_, i) => shown[stimulus * pixels + i]! + 1.5 * random.normal()),
    );
    const wanted = stimulusOf.map((_, row) => row);
    const truth = { pictures: { data: shown, shape: [stimuli, 3, 4] }, stimulusOf };
    const scorer = new Scorer(truth, wanted);
    const rows = (list: Float32Array[]) => ({
      data: Float32Array.from(list.flatMap((row) => [...row])),
      shape: [list.length, pixels],
    });
    const truths = stimulusOf.map((stimulus) => shown.slice(stimulus * pixels, (stimulus + 1) * pixels));
    const matrix = await correlationMatrix(rows(truths), rows(made));
    const own = Int32Array.from(wanted);
    const identification = twoWayIdentification(matrix, own, 'reconstruction', stimulusOf);
    let correct = 0;
    for (const row of wanted) {
      const score = scorer.score(row, made[row]!)!;
      const at = row * wanted.length + row;
      expect(score.correlation).toBeCloseTo(matrix.values[at]!, 6);
      expect(score.twoWay).toBeCloseTo(identification.values[at]!, 12);
      const others = wanted.filter((other) => stimulusOf[other] !== stimulusOf[row]);
      const mean = others.reduce((sum, other) => sum + matrix.values[other * wanted.length + row]!, 0);
      expect(score.chance).toBeCloseTo(mean / others.length, 6);
      if (score.twoWay === 1) correct++;
    }
    // Neither all nor none: the comparison above says something.
    expect(correct).toBeGreaterThan(0);
    expect(correct).toBeLessThan(wanted.length);
  });

  it('are absent where nothing competes, or sizes differ', () => {
    const truth = { pictures: { data: values(8), shape: [2, 4] }, stimulusOf: [0, 1] };
    expect(new Scorer(truth, [0]).score(0, values(4))).toBeUndefined();
    expect(new Scorer(truth, [0, 1]).score(0, values(3))).toBeUndefined();
  });
});

it('names of pictures are those of the command line', () => {
  expect(pictureName(11, 'Trial 12 · beach house')).toBe('trial-0012_beach-house.png');
  expect(pictureName(0, 'Trial 1')).toBe('trial-0001.png');
});
