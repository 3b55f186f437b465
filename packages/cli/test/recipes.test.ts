import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  bytesSource,
  createRandom,
  encodeNifti,
  encodeNpy,
  encodeSafetensors,
  readNpy,
} from '@fmri2image/core';
import { loadDecoder } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { ridge64 } from './ridge64.ts';
import { reached, run, start, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const [TRAIN, TEST, VOXELS] = [18, 6, 12];
const PICTURES = TRAIN + TEST;

/** Trials of the study: training pictures twice, test pictures three times. */
const trials = [
  ...Array.from({ length: 2 * TRAIN }, (_, i) => ({ picture: i % TRAIN, split: 'train' })),
  ...Array.from({ length: 3 * TEST }, (_, i) => ({ picture: TRAIN + (i % TEST), split: 'test' })),
];
let betas: number[][];
let features: number[][];

const npy = (values: readonly (readonly number[])[], shape: readonly number[]) =>
  encodeNpy({ dtype: 'f32', shape: [values.length, ...shape], data: Float32Array.from(values.flat()) });

/** Features of a published head, so that its shape is right: random, the same for a seed. */
function headFile(name: string, shape: readonly number[], seed: number): string {
  const size = shape.reduce((all, extent) => all * extent, 1);
  const data = Float32Array.from(createRandom(seed).normals(PICTURES * size));
  writeFileSync(at(name), encodeNpy({ dtype: 'f32', shape: [PICTURES, ...shape], data }));
  return at(name);
}

async function arrayOf(path: string): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const { shape, data } = await readNpy(bytesSource(readFileSync(at(path)), path));
  return { shape, data: data as Float32Array };
}

const bytesOf = (bundle: string) =>
  Object.fromEntries(
    readdirSync(at(bundle)).map((file) => [file, readFileSync(at(`${bundle}/${file}`), 'hex')]),
  );

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

async function ok(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args, folder);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Whether a run has made something that the state on the disk knows of. */
const isBegun = (work: string) => {
  try {
    return !/"done":0,/.test(readFileSync(join(work, 'run.json'), 'utf8'));
  } catch {
    return false; // not there yet, or no more
  }
};

const CUSTOM = ['fit', 'study', '--recipe', 'custom', '--targets', 'tokens=tokens.npy', '--roi', 'all'];
const PLAIN = [...CUSTOM, '--alphas', '10', '--normalisation', 'none'];

beforeAll(() => {
  const random = createRandom(7);
  const rows = (count: number, width: number) =>
    Array.from({ length: count }, () => Array.from(Float32Array.from(random.normals(width))));
  features = rows(PICTURES, 4);
  const code = rows(4, VOXELS);
  betas = trials.map(({ picture }) =>
    Array.from(
      Float32Array.from(random.normals(VOXELS), (noise, j) =>
        features[picture]!.reduce((sum, value, k) => sum + value * code[k]![j]!, noise + 2),
      ),
    ),
  );
  mkdirSync(at('study'));
  writeFileSync(at('study/betas.npy'), npy(betas, [VOXELS]));
  writeFileSync(at('study/features.npy'), npy(features, [4]));
  writeFileSync(at('tokens.npy'), npy(features, [2, 2]));
  const tokens = {
    name: 'tokens',
    dtype: 'f32',
    shape: [PICTURES, 2, 2],
    data: Float32Array.from(features.flat()),
  } as const;
  const ids = { name: 'ids', dtype: 'f32', shape: [PICTURES], data: new Float32Array(PICTURES) } as const;
  writeFileSync(at('many.safetensors'), encodeSafetensors([tokens, ids]));
  const lines = trials.map(({ picture, split }, i) =>
    [i, picture, Math.floor(i / 9), Math.floor(i / 18), split].join('\t'),
  );
  writeFileSync(at('study/trials.tsv'), `${['row\tstimulus\trun\tsession\tsplit', ...lines].join('\n')}\n`);
  const study = {
    format: 'fmri2image-study',
    version: 1,
    name: 'small',
    indexBase: 0,
    voxels: { file: 'betas.npy', rows: 'trials' },
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'features.npy', axes: ['stimulus', 'feature'] },
  };
  writeFileSync(at('study/study.json'), JSON.stringify(study));
});

/** Means over the trials of each picture. */
const averages = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => {
    const own = betas.filter((_, row) => trials[row]!.picture === from + i);
    return own[0]!.map((_, j) => own.reduce((sum, row) => sum + row[j]!, 0) / own.length);
  });

describe('fit --recipe', () => {
  it('predicts what float64 ridge on averaged betas does: through the hat matrix, from the bundle, trial by trial', async () => {
    const expected = ridge64(
      averages(0, TRAIN),
      features.slice(0, TRAIN),
      averages(TRAIN, PICTURES),
      10,
    ).flat();
    await ok([...PLAIN, '--keep', 'predictions', '-o', 'predicted']);
    const { shape, data } = await arrayOf('predicted/tokens.npy');
    expect(shape).toEqual([TEST, 2, 2]);
    expect(largest(data, expected)).toBeLessThan(1e-4);
    const index = JSON.parse(readFileSync(at('predicted/reconstructions.json'), 'utf8'));
    expect(index.outputs).toEqual([
      { name: 'tokens', file: 'tokens.npy', shape: [2, 2], mean: 'tokens.mean.npy' },
    ]);
    expect(index.items[0]).toMatchObject({ stimulus: TRAIN, trials: [36, 42, 48], seen: 'no' });

    for (const storage of ['primal', 'dual']) {
      await ok([...PLAIN, '--storage', storage, '-o', storage]);
      await ok(['reconstruct', storage, 'study', '-o', `by-${storage}`]);
      expect(largest((await arrayOf(`by-${storage}/tokens.npy`)).data, expected)).toBeLessThan(1e-4);
      const decoder = await loadDecoder(at(storage), { device: 'cpu' });
      expect(decoder.model.containsTrainingData).toBe(storage === 'dual');
      expect(decoder.model.report.fittedBy).toMatchObject({ device: expect.stringMatching(/^CPU, [^,]+$/) });
      expect(await ok(['inspect', storage])).toMatch(/fitted +by version \d\S* on CPU, [^,]+, in f(32|64)/);
      // In one pass: the same bundle, and the predictions beside it, which say of which bundle they are.
      const both = await ok([
        ...PLAIN,
        '--storage',
        storage,
        '--predictions',
        `${storage}-p`,
        '-o',
        `${storage}-b`,
      ]);
      expect(both).toMatch(new RegExp(`predictions of ${TEST} test rows in ${storage}-p`));
      expect(bytesOf(`${storage}-b`)).toEqual(bytesOf(storage));
      expect(largest((await arrayOf(`${storage}-p/tokens.npy`)).data, expected)).toBeLessThan(1e-4);
      const beside = JSON.parse(readFileSync(at(`${storage}-p/reconstructions.json`), 'utf8'));
      expect(beside.provenance.bundle).toBe(decoder.model.contentHash);
      expect(beside.items).toEqual(index.items);
      const rows = averages(TRAIN, PICTURES).slice(2, 3).flat();
      const one = await decoder.predict({ data: Float32Array.from(rows), shape: [1, VOXELS] });
      expect(largest(one, expected.slice(8, 12))).toBeLessThan(1e-4);
      await decoder.dispose();
    }
  });

  it('evaluates each head beside chance and the mean, and refuses files of other pictures', async () => {
    const said = JSON.parse(
      await ok([
        'evaluate',
        'study',
        '--reconstructions',
        'predicted',
        '--targets',
        'tokens=tokens.npy',
        '--json',
      ]),
    );
    expect(said.heads.tokens).toMatchObject({ rows: TEST });
    expect(said.heads.tokens.twoWay).toBeGreaterThan(0.8);
    expect(said.evaluation.tokens.frameCorrelation.meanPicture).toBeDefined();
    expect(said.evaluation.tokens.retrieval.pool).toBe(TEST);
    expect(existsSync(at('predicted/scores-tokens.tsv'))).toBe(true);
    await ok([
      'report',
      'study',
      '--reconstructions',
      'predicted',
      '--targets',
      'tokens=tokens.npy',
      '-o',
      'page',
    ]);
    const page = readFileSync(at('page/report.html'), 'utf8');
    expect(page).toMatch(
      /ridge regression \(Hoerl &amp; Kennard, 1970\) with an intercept, fitted on 18 training rows/,
    );
    expect(page).toMatch(/0 of 2 steps passed anything from test to training data/);
    writeFileSync(at('few.npy'), npy(features.slice(0, 5), [2, 2]));
    const wrong = await run(
      ['evaluate', 'study', '--reconstructions', 'predicted', '--targets', 'tokens=few.npy'],
      folder,
    );
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/few\.npy: not a row for each picture; expected 24 .*found 5 rows/);
    const unknown = await run(
      ['evaluate', 'study', '--reconstructions', 'predicted', '--targets', 'z=few.npy'],
      folder,
    );
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/no such head; expected tokens, found z/);
    const unscored = await run(['evaluate', 'study', '--reconstructions', 'predicted'], folder);
    expect(unscored.code).toBe(2);
    expect(unscored.stderr).toMatch(/predictions of a recipe.*--targets tokens=FILE/);
  });

  it('goes on after SIGKILL and SIGINT with the bytes of a run that was never stopped', async () => {
    const text = headFile('text.npy', [77, 768], 1);
    const args = [
      'fit',
      'study',
      '--recipe',
      'brain-diffuser',
      '--targets',
      `text=${text}`,
      '--split',
      'split',
      '--roi',
      'all',
    ];
    // Predictions beside the weights, which go on as these do.
    const whole = ['--predictions', 'whole-predictions', '-o', 'whole'];
    await ok([...args, '--storage', 'dual', '--threads', '1', '--memory', '400MB', ...whole]);
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const stopped = ['--predictions', 'stopped-predictions', '-o', 'stopped'];
      const again = [...args, '--storage', 'dual', '--threads', '2', ...stopped];
      const { child, done } = start(again, folder);
      await reached(child, () => isBegun(at('.stopped.unfinished')));
      child.kill(signal);
      const { code, stderr } = await done;
      // It may be through before the signal comes, which then finds it tidying up.
      const through = existsSync(at('stopped'));
      if (through) rmSync(at('.stopped.unfinished'), { recursive: true, force: true });
      if (signal === 'SIGINT' && !through) {
        expect(code).toBe(130);
        expect(stderr).toMatch(
          /targets are made and kept in .*\.stopped\.unfinished; the same command goes on/,
        );
      }
      if (!through) {
        const other = await run([...again, '--alphas', '5'], folder);
        expect(other.code).toBe(2);
        expect(other.stderr).toMatch(/text\.alpha: .*expected 100000, found 5/);
        const state = join(at('.stopped.unfinished'), 'run.json');
        const made = readFileSync(state, 'utf8');
        const block = '"text.targetBlock":2048';
        expect(made).toContain(block);
        // What a version with narrower blocks has left.
        writeFileSync(state, made.replace(block, '"text.targetBlock":512'));
        const wide = await run(again, folder);
        expect(wide.code).toBe(2);
        expect(wide.stderr).toMatch(/text\.targetBlock: .*--restart.*expected 512, found 2048/);
        writeFileSync(state, made);
        await ok(again);
      }
      expect(bytesOf('stopped')).toEqual(bytesOf('whole'));
      // A signal behind the bundle leaves none of these.
      if (existsSync(at('stopped-predictions'))) {
        expect(bytesOf('stopped-predictions')['text.npy']).toBe(bytesOf('whole-predictions')['text.npy']);
        rmSync(at('stopped-predictions'), { recursive: true });
      }
      expect(existsSync(at('.stopped.unfinished'))).toBe(false);
      rmSync(at('stopped'), { recursive: true });
    }
  });

  it('goes on where it ended between its bundle and its predictions, and writes into no file of the bundle', async () => {
    const fit = [...PLAIN, '--storage', 'dual', '-o', 'first', '--predictions'];
    // Names that leave no room for a temporary one are seen when predictions are written: the bundle is there by then.
    const failed = await run([...fit, 'p'.repeat(250)], folder);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/targets are made and kept in .*; the same command goes on/);
    const before = bytesOf('first');
    const args = [...fit, 'second'];

    // What others have put there since is not replaced, nor is anything when all begins anew.
    const model = readFileSync(at('first/model.json'));
    writeFileSync(at('first/model.json'), `${model} `);
    const other = await run(args, folder);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/exists already; --force/) });
    writeFileSync(at('first/model.json'), model);
    const [anew, another] = await Promise.all([
      run([...args, '--restart'], folder),
      run([...args, '--alphas', '5'], folder),
    ]);
    expect(anew).toMatchObject({ code: 2, stderr: expect.stringMatching(/exists already; --force/) });
    expect(another).toMatchObject({ code: 2, stderr: expect.stringMatching(/started with another setting/) });

    // Other names of the files of the bundle show what is written into them.
    const files = Object.keys(before).filter((file) => file !== 'model.json');
    expect(files.length).toBeGreaterThan(2);
    mkdirSync(at('kept'));
    for (const file of files) linkSync(at(`first/${file}`), at(`kept/${file}`));
    const times = () => files.map((file) => statSync(at(`kept/${file}`), { bigint: true }).mtimeNs);
    const written = times();
    await ok(args);
    expect(times()).toEqual(written);
    expect(bytesOf('first')).toEqual(before);
    expect((await arrayOf('second/tokens.npy')).shape).toEqual([TEST, 2, 2]);
    expect(existsSync(at('.first.unfinished'))).toBe(false);
  });

  it('takagi: no intercept, penalties chosen for each target from unshuffled folds', async () => {
    const z = headFile('z.npy', [4, 40, 40], 2);
    const args = [
      'fit',
      'study',
      '--recipe',
      'takagi',
      '--targets',
      `z=${z}`,
      '--split',
      'split',
      '--roi',
      'all',
    ];
    const said = JSON.parse(await ok([...args, '--alphas', '1,1000', '--json', '-o', 'takagi']));
    expect(said).toMatchObject({ trainingRows: [2 * TRAIN], testRows: TEST });
    const { chosen } = said.heads[0].alpha;
    // Targets without a mean of their own, of noise alone: most take the larger one.
    expect(chosen['1000']).toBeGreaterThan(6400 / 2);
    const model = JSON.parse(readFileSync(at('takagi/model.json'), 'utf8'));
    expect(model.config.designs[0]).toMatchObject({ intercept: false, average: 'none', rows: 2 * TRAIN });
    expect(model.ledger.map(({ step }: { step: string }) => step)).toContain('ridge penalty of z');
    expect(await ok(['inspect', 'takagi'])).toMatch(/head z +\[4, 40, 40\] from all: weights of 12 voxels/);
  });

  it('bands by ROI: counts of voxels, weights in the bundle, the same predictions from it', async () => {
    // Two voxels of none, and one of both images would be told: a text names each voxel once.
    const label = (v: number) => (v < 4 ? 'V1' : v < 10 ? 'LOC' : 'n/a');
    writeFileSync(at('rois.txt'), Array.from({ length: VOXELS }, (_, v) => `${label(v)}\n`).join(''));
    const banded = [...PLAIN, '--bands', 'rois.txt', '--band-draws', '5'];
    const said = await ok([...banded, '--memory', '450MB', '--predictions', 'banded-p', '-o', 'banded']);
    expect(said).toMatch(/bands of tokens: V1 4 voxels, LOC 6 voxels\n +2 voxels of no band: left out/);
    expect(said).toMatch(
      /bands of tokens weigh V1 \S+, LOC \S+ \(of 5 candidates; mean r2 \S+, equal weights \S+\)/,
    );
    expect(await ok(['inspect', 'banded'])).toMatch(
      /bands of tokens +penalties over V1 \S+ \(4 voxels\), LOC/,
    );
    await ok(['reconstruct', 'banded', 'study', '-o', 'by-banded']);
    const { data } = await arrayOf('banded-p/tokens.npy');
    expect(largest((await arrayOf('by-banded/tokens.npy')).data, data)).toBeLessThan(1e-4);
    // Ridge on the same voxels, each times the root of the weight of its band.
    const model = JSON.parse(readFileSync(at('banded/model.json'), 'utf8'));
    const [v1, loc] = model.report.headBands.tokens.bands.map(({ weight }: { weight: number }) =>
      Math.sqrt(weight),
    );
    const scaled = (rows: number[][]) =>
      rows.map((row) => row.slice(0, 10).map((x, v) => x * (v < 4 ? v1 : loc)));
    const expected = ridge64(
      scaled(averages(0, TRAIN)),
      features.slice(0, TRAIN),
      scaled(averages(TRAIN, PICTURES)),
      10,
    );
    expect(largest(data, expected.flat())).toBeLessThan(1e-4);
    for (const [bands, message] of [
      ['V1,LOC', /no such ROI|have no ROIs/],
      ['betas.txt', /betas\.txt: --bands: no such file/],
    ] as const) {
      const wrong = await run([...PLAIN, '--bands', bands, '-o', 'unbanded'], folder);
      expect(wrong.code).toBe(2);
      expect(wrong.stderr).toMatch(message);
      expect(existsSync(at('unbanded'))).toBe(false);
    }
  });

  it('mirage: the head for retrieval has rows and tokens of length 1', async () => {
    const file = headFile('hidden.npy', [257, 1024], 3);
    const args = ['--recipe', 'mirage', '--targets', `retrieval=${file}`, '--split', 'split', '--roi', 'all'];
    await ok([
      'fit',
      'study',
      ...args,
      '--normalisation',
      'train',
      '--average',
      'betas',
      '--keep',
      'predictions',
      '-o',
      'mirage',
    ]);
    const { data } = await arrayOf('mirage/retrieval.mean.npy');
    // Tokens of length 1, of random directions: each coordinate has a mean of about 1/32 over some root of 18.
    const spread = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    expect(spread).toBeGreaterThan(0.8 / 32 / Math.sqrt(TRAIN));
    expect(spread).toBeLessThan(1.2 / 32 / Math.sqrt(TRAIN));
    const index = JSON.parse(readFileSync(at('mirage/reconstructions.json'), 'utf8'));
    expect(index.folds[0].config.designs[0].unitVoxels).toBe(true);
  });

  it('takes an array of a file with several, and is the same as from a file of its own', async () => {
    const [own, named] = ['own', 'named'];
    await ok([...PLAIN, '--keep', 'predictions', '-o', own]);
    const many = PLAIN.map((word) =>
      word === 'tokens=tokens.npy' ? 'tokens=many.safetensors:tokens' : word,
    );
    await ok([...many, '--keep', 'predictions', '-o', named]);
    expect(await arrayOf(`${named}/tokens.npy`)).toEqual(await arrayOf(`${own}/tokens.npy`));
  });

  it('leaves out voxels that are not finite on request, here and where the bundle is used', async () => {
    const bad = betas.map((row, i) => row.map((value, v) => (i === 20 && v === 3 ? Number.NaN : value)));
    const volumes = Float32Array.from(bad.flat());
    const affine = [
      [2, 0, 0, 0],
      [0, 2, 0, 0],
      [0, 0, 2, 0],
    ];
    const image = encodeNifti({
      dtype: 'f32',
      shape: [VOXELS, 1, 1, trials.length],
      affine,
      data: volumes,
    });
    mkdirSync(at('nan/sub-01/func'), { recursive: true });
    writeFileSync(
      at('nan/dataset_description.json'),
      '{"Name":"x","BIDSVersion":"1.8.0","DatasetType":"derivative"}',
    );
    writeFileSync(at('nan/sub-01/func/sub-01_task-x_betas.nii'), image);
    writeFileSync(at('nan/sub-01/func/sub-01_task-x_trials.tsv'), readFileSync(at('study/trials.tsv')));
    const fit = PLAIN.map((word) => (word === 'study' ? 'nan' : word));
    const refused = await run([...fit, '-o', 'nan-bundle'], folder);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/1 of 12 voxels.*\(3, 0, 0\), trial 21 .*--drop-bad-voxels/);
    await ok([...fit, '--drop-bad-voxels', '-o', 'nan-bundle']);
    const { input, report } = JSON.parse(readFileSync(at('nan-bundle/model.json'), 'utf8'));
    expect(input.voxels).toBe(VOXELS - 1);
    expect(report.recording.dropped).toEqual([3]);
    await ok(['reconstruct', 'nan-bundle', 'nan', '-o', 'nan-decoded']);
    const without = (rows: readonly number[][]) => rows.map((row) => row.filter((_, v) => v !== 3));
    const expected = ridge64(
      without(averages(0, TRAIN)),
      features.slice(0, TRAIN),
      without(averages(TRAIN, PICTURES)),
      10,
    ).flat();
    expect(largest((await arrayOf('nan-decoded/tokens.npy')).data, expected)).toBeLessThan(1e-4);

    // ROIs of images on the grid of the betas, by their names: voxel 3 is out, voxel 5 in both.
    const onGrid = (labels: readonly number[]) =>
      encodeNifti({ dtype: 'f32', shape: [VOXELS, 1, 1], affine, data: Float32Array.from(labels) });
    const numbered = (of: (v: number) => number) => Array.from({ length: VOXELS }, (_, v) => of(v));
    writeFileSync(at('atlas.nii'), onGrid(numbered((v) => (v < 6 ? 1 : v < 9 ? 2 : 0))));
    writeFileSync(at('atlas.tsv'), 'index\tname\n1\tV1\n2\tLOC\n');
    writeFileSync(at('ffa.nii'), onGrid(numbered((v) => Number(v === 5 || v > 9))));
    const rois = ['--atlas', 'atlas.nii', '--atlas-labels', 'atlas.tsv', '--region', 'FFA=ffa.nii'];
    const said = await ok([
      ...[...fit, '--drop-bad-voxels', ...rois, '--bands', 'V1,LOC,FFA', '--band-draws', '2'],
      ...['-o', 'roi-bundle'],
    ]);
    expect(said).toContain('bands of tokens: V1 5 voxels, LOC 3 voxels, FFA 2 voxels\n');
    expect(said).toContain('1 voxel of both V1 and FFA: taken as the first\n');
    expect(said).toContain('1 voxel of no band: left out\n');
    await ok(['reconstruct', 'roi-bundle', 'nan', '-o', 'roi-decoded']);
    // The same ROI alone, without bands.
    const early = await ok([
      ...fit.map((word) => (word === 'all' ? 'V1' : word)),
      '--drop-bad-voxels',
      ...rois,
      '-o',
      'v1',
    ]);
    expect(early).toMatch(/tokens \[2, 2\]: alpha 10/);
    // A file that is named like an atlas of the recording does not take its place.
    writeFileSync(at('V1,FFA'), 'no bands\n');
    const named = [...fit, '--drop-bad-voxels', ...rois, '--band-draws', '2', '-o', 'roi-named'];
    expect(await ok([...named, '--bands', 'V1,FFA'])).toContain(
      'bands of tokens: V1 5 voxels, FFA 2 voxels\n',
    );
    const file = await run([...named, '--bands', './V1,FFA', '--force'], folder);
    expect(file.stderr).toMatch(/V1,FFA: one line for each voxel/);
    const model = JSON.parse(readFileSync(at('v1/model.json'), 'utf8'));
    expect(model.config.designs[0]).toMatchObject({ roi: 'V1', voxels: 5 });
  });

  it('refuses to go on with responses that have changed', async () => {
    const bytes = readFileSync(at('study/betas.npy'));
    const args = [...PLAIN, '--restart', '-o', 'changed'];
    const work = at('.changed.unfinished');
    const text = headFile('words.npy', [77, 768], 5);
    const long = args.map((word) => (word === 'tokens=tokens.npy' ? `tokens=${text}` : word));
    const { child, done } = start(long, folder);
    await reached(child, () => isBegun(work));
    child.kill('SIGKILL');
    await done;
    // It may be through before the signal comes.
    if (existsSync(at('changed'))) return;
    const changed = Buffer.from(bytes);
    changed.writeFloatLE(4, changed.length - 4);
    writeFileSync(at('study/betas.npy'), changed);
    const again = long.filter((word) => word !== '--restart');
    const other = await run(again, folder);
    writeFileSync(at('study/betas.npy'), bytes);
    expect(other.stderr).toMatch(/run\.json: responses: the responses have changed since .*--restart/);
    expect(other.code).toBe(2);
    await ok(again);
  });

  it('says which features never change', async () => {
    const data = Float32Array.from({ length: PICTURES * 3 }, (_, i) => (i % 3 === 1 ? i : 0.1));
    writeFileSync(at('still.npy'), encodeNpy({ dtype: 'f32', shape: [PICTURES, 3], data }));
    const args = PLAIN.map((word) => (word === 'tokens=tokens.npy' ? 'still=still.npy' : word));
    const { code, stderr } = await run([...args, '--keep', 'predictions', '-o', 'still'], folder);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /note: 2 of 3 values of still never change over the training rows \(.*still\.npy\)/,
    );
    const { data: predicted } = await arrayOf('still/still.npy');
    expect(predicted.filter((_, i) => i % 3 === 2).every((value) => Math.abs(value - 0.1) < 1e-6)).toBe(true);
    const twice = await run([...CUSTOM, '--alphas', '1,10,1', '-o', 'never'], folder);
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringMatching(/--alphas.*each number once/) });
  });

  it('says what is wrong with targets, names and options', async () => {
    const wrong = async (args: readonly string[], code: number, said: RegExp) => {
      const outcome = await run(args, folder);
      expect(outcome.stderr).toMatch(said);
      expect(outcome.code).toBe(code);
    };
    const fit = ['fit', 'study', '--recipe', 'brain-diffuser', '-o', 'never'];
    await Promise.all([
      wrong(
        [...fit, '--targets', 'text=tokens.npy'],
        1,
        /tokens\.npy: text: .*expected \[pictures, 77, 768\], found \[pictures, 2, 2\]/,
      ),
      wrong(
        [...fit, '--targets', 'words=tokens.npy'],
        1,
        /no such targets; expected vision, text, vdvae, found words/,
      ),
      wrong([...fit, '--targets', 'text=none.npy'], 1, /none\.npy: .*no such file/),
      wrong(
        [...fit, '--delays', '4', '--targets', 'text=tokens.npy'],
        2,
        /--delays: nothing to do with --recipe/,
      ),
      wrong(['fit', 'study', '--keep', 'predictions', '-o', 'never'], 2, /--keep: only used with --recipe/),
      wrong([...PLAIN, '--band-draws', '5', '-o', 'never'], 2, /--band-draws: only used with --bands/),
      wrong(['fit', 'study', '--band-draws', '5', '-o', 'never'], 2, /--band-draws: only used with --bands/),
      wrong([...PLAIN, '--predictions', './never', '-o', 'never'], 2, /are the same folder \(never\)/),
      wrong(
        [...PLAIN, '--split', 'takagi', '-o', 'never'],
        1,
        /takagi tests on pictures that all subjects saw/,
      ),
      wrong(
        [...PLAIN, '--memory', '2MB', '-o', 'never'],
        1,
        /the ridge does not fit into memory.*expected at most 2 MB, found \d+ MB/,
      ),
      wrong(
        [...PLAIN, '--gpu-memory', '2GB', '-o', 'never'],
        2,
        /--gpu-memory is of a GPU, and this run computes on CPU/,
      ),
      wrong(
        [...CUSTOM.slice(0, 4), '--targets', 'tokens=many.safetensors', '-o', 'never'],
        2,
        /many\.safetensors: holds several arrays: --targets tokens=many\.safetensors:ARRAY names one; expected one of/,
      ),
    ]);
    expect(existsSync(at('never'))).toBe(false);
    // Nothing was made: no name is taken, and the next command is no continuation.
    expect(existsSync(at('.never.unfinished'))).toBe(false);
  });
});
