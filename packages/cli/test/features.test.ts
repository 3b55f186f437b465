import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, encodeNpy, type RetrievalEvaluation, readArray, toFloat64 } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

const TRAIN = 120;
const TEST = 30;
const REPEATS = 2;
const FEATURES = [4, 6];
const VOXELS = 60;

/** Embeddings of pictures, and voxels that respond to them linearly: train pictures once, test pictures twice. */
function writeStudy(): void {
  mkdirSync(at('study'));
  const random = createRandom(5);
  const size = FEATURES[0]! * FEATURES[1]!;
  const pictures = TRAIN + TEST;
  const features = random.normals(pictures * size);
  const weights = random.normals(size * VOXELS);
  const shown = Array.from({ length: TRAIN + REPEATS * TEST }, (_, trial) =>
    trial < TRAIN ? trial : TRAIN + ((trial - TRAIN) % TEST),
  );
  const betas = new Float32Array(shown.length * VOXELS);
  for (const [trial, picture] of shown.entries()) {
    for (let v = 0; v < VOXELS; v++) {
      let sum = 6 * random.normal();
      for (let j = 0; j < size; j++) sum += features[picture * size + j]! * weights[j * VOXELS + v]!;
      betas[trial * VOXELS + v] = sum;
    }
  }
  writeFileSync(
    at('study/betas.npy'),
    encodeNpy({ dtype: 'f32', data: betas, shape: [shown.length, VOXELS] }),
  );
  const data = Float32Array.from(features);
  writeFileSync(at('study/tokens.npy'), encodeNpy({ dtype: 'f32', data, shape: [pictures, ...FEATURES] }));
  const lines = shown.map((picture, trial) =>
    [
      picture,
      trial < TRAIN ? `train-${trial % 4}` : `test-${Math.floor((trial - TRAIN) / TEST)}`,
      trial < TRAIN ? 'train' : 'test',
    ].join('\t'),
  );
  writeFileSync(at('study/trials.tsv'), `${['stimulus\trun\tsplit', ...lines].join('\n')}\n`);
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'tokens',
    indexBase: 0,
    voxels: { file: 'betas.npy', rows: 'trials' },
    trials: { file: 'trials.tsv' },
    stimuli: {
      file: 'tokens.npy',
      axes: ['stimulus', 'feature', 'feature'],
      name: 'tokens of a drawn encoder',
    },
  };
  writeFileSync(at('study/study.json'), JSON.stringify(manifest));
}

async function ok(args: readonly string[]) {
  const outcome = await run(args, folder);
  expect(outcome.code, outcome.stderr).toBe(0);
  return outcome;
}

interface Scored {
  imageToBrain: number;
  brainToImage: number;
  trialsPerSecond: number;
  evaluation: { trials: number; stimuli: number; retrieval: RetrievalEvaluation };
}

async function evaluated(...flags: string[]): Promise<Scored> {
  const args = ['evaluate', 'study', '--reconstructions', 'decoded', '--json', ...flags];
  return JSON.parse((await ok(args)).stdout) as Scored;
}

beforeAll(async () => {
  writeStudy();
  await ok(['fit', 'study', '-o', 'bundle', '--alpha-for', 'all']);
  await ok(['reconstruct', 'bundle', 'study', '-o', 'decoded']);
});

describe('features', () => {
  it('are scored by retrieval in both directions, beside chance and controls', async () => {
    const { evaluation, imageToBrain, brainToImage, trialsPerSecond } = await evaluated('--pool', '20');
    const { retrieval } = evaluation;
    expect(evaluation).toMatchObject({ trials: 60, stimuli: 30 });
    expect(retrieval).toMatchObject({ pool: 20, k: 1, draws: 30 });
    expect([imageToBrain, brainToImage]).toEqual([
      retrieval.imageToBrain.score,
      retrieval.brainToImage.score,
    ]);
    expect(trialsPerSecond).toBeCloseTo(60 / retrieval.seconds, 6);
    for (const { score, interval, chance, shuffled, p, nearestTraining, published } of [
      retrieval.imageToBrain,
      retrieval.brainToImage,
    ]) {
      expect(chance).toBe(1 / 20);
      expect(interval[0]).toBeGreaterThan(0.3);
      expect(interval[1]).toBeGreaterThan(score);
      expect(p).toBeLessThan(0.01);
      // Each run shows each stimulus once: on average over all answers, one of a pool wins.
      expect(Math.abs(shuffled.mean - 1 / 20)).toBeLessThan(0.01);
      expect(nearestTraining).toBeLessThan(score);
      expect(published.perDraw).toHaveLength(30);
      expect(Math.abs(published.mean - score)).toBeLessThan(0.1);
    }
    // One mean feature vector for all: first of a pool as often as every other image.
    expect(retrieval.brainToImage.meanPicture).toBeCloseTo(1 / 20, 12);
  });

  it('agree with a count by hand over what was written', async () => {
    const { evaluation } = await evaluated('--pool', '30', '--top', '3');
    const [decoded, tokens] = await Promise.all(
      ['decoded/reconstructions.npy', 'study/tokens.npy'].map(async (name) =>
        toFloat64(await readArray(await fileSource(at(name)))),
      ),
    );
    const cosine = (a: Float64Array, i: number, b: Float64Array, j: number) => {
      const [x, y] = [a.subarray(24 * i, 24 * i + 24), b.subarray(24 * j, 24 * j + 24)];
      const dot = (u: Float64Array, v: Float64Array) => u.reduce((sum, value, d) => sum + value * v[d]!, 0);
      return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
    };
    // All thirty stimuli are in the pool: a response succeeds or it does not.
    const successes = Array.from({ length: 60 }, (_, trial) => {
      const right = cosine(decoded!, trial, tokens!, TRAIN + (trial % TEST));
      const ahead = Array.from({ length: TEST }, (_, s) =>
        cosine(decoded!, trial, tokens!, TRAIN + s),
      ).filter((value) => value > right);
      return ahead.length < 3 ? 1 : 0;
    });
    expect(evaluation.retrieval.brainToImage.perTrial).toEqual(successes);
    expect(new Set(successes).size).toBe(2);
    expect(evaluation.retrieval.brainToImage.chance).toBe(0.1);
  });

  it('print the directions by names that say who asks, and where the pool is smaller than asked', async () => {
    const { stdout } = await ok(['evaluate', 'study', '--reconstructions', 'decoded']);
    expect(stdout).toMatch(/retrieval, image to brain +0\.\d+ .* 0\.033 +n\/a /);
    expect(stdout).toMatch(/frame correlation +0\.\d+ .* none +-?0\.\d{3} /);
    expect(stdout).toMatch(/^constant: .* the mean training features as the answer to every trial/m);
    expect(stdout).toMatch(/retrieval, brain to image +0\.\d+/);
    expect(stdout).toMatch(/the most similar of 30 candidates .* \d+ trials per second/);
    expect(stdout).toContain('the pool holds all 30 stimuli instead of 300');
    expect(stdout).toMatch(
      /^mean over 30 pools of all stimuli, a random trial of each: image to brain \("fwd", .* 0\.\d+; .*not MindEye’s protocol/m,
    );
    // Each pool holds all 30 stimuli: there are no other pools that an interval would be about.
    expect(stdout).not.toMatch(/random pools.*\d to \d/);
    const fewer = await ok(['evaluate', 'study', '--reconstructions', 'decoded', '--pool', '20']);
    expect(fewer.stdout).toMatch(/^mean and interval over 30 random pools: .* \(0\.\d+ to 0\.\d+\);/m);
    expect(stdout).not.toContain('pictures.png');
    const [header, first] = readFileSync(at('decoded/scores.tsv'), 'utf8').split('\n');
    const column = header!.split('\t').indexOf('retrieval_brain_to_image');
    expect(Number(first!.split('\t')[column])).toBeGreaterThanOrEqual(0);
  });

  it('have a section of the report, with chance and both names', async () => {
    await ok(['report', 'study', '--reconstructions', 'decoded', '-o', 'report', '--pool', '20']);
    const page = readFileSync(at('report/report.html'), 'utf8');
    const texts = [
      'id="retrieval"',
      'image retrieval (“fwd”)',
      'brain retrieval (“bwd”)',
      'trials per second',
    ];
    expect(texts.filter((text) => !page.includes(text))).toEqual([]);
    const figures = ['scores', 'permutation'].flatMap((kind) =>
      ['image-to-brain', 'brain-to-image'].map((name) => `report/figures/${kind}-${name}.svg`),
    );
    expect(figures.filter((name) => !existsSync(at(name)))).toEqual([]);
    const json = JSON.parse(readFileSync(at('report/report.json'), 'utf8'));
    expect(json.retrieval).toMatchObject({ pool: 20, imageToBrain: { chance: 0.05 } });
    expect(json.retrieval.imageToBrain).not.toHaveProperty('perTrial');
  });

  it('of a model with a retrieval head are retrieved by that, and by another array where one is named', async () => {
    // The main output is what was decoded, the head knows the truth.
    const index = JSON.parse(readFileSync(at('decoded/reconstructions.json'), 'utf8'));
    mkdirSync(at('several'));
    const outputs = ['tokens', 'retrieval'].map((name) => ({ name, file: `${name}.npy`, shape: FEATURES }));
    const settings = { stage: 'tokens', precision: 'bf16', repeats: 'each', seed: 'none' };
    const provenance = { ...index.provenance, decoder: 'mindeye2' };
    const { folds: _, ...rest } = index;
    const several = { ...rest, provenance, outputs, run: settings, meanPicture: false };
    writeFileSync(at('several/reconstructions.json'), JSON.stringify(several));
    writeFileSync(at('several/tokens.npy'), readFileSync(at('decoded/reconstructions.npy')));
    const tokens = await readArray(await fileSource(at('study/tokens.npy')));
    const shown = Float32Array.from(
      index.items.flatMap(({ stimulus }: { stimulus: number }) => [
        ...toFloat64(tokens).subarray(24 * stimulus, 24 * stimulus + 24),
      ]),
    );
    const shape = [index.items.length, ...FEATURES];
    writeFileSync(at('several/retrieval.npy'), encodeNpy({ dtype: 'f32', data: shown, shape }));

    const score = async (name: string, ...flags: string[]) =>
      JSON.parse(
        (await ok(['evaluate', 'study', '--reconstructions', name, '--json', '--pool', '20', ...flags]))
          .stdout,
      );
    const alone = await score('decoded');
    const both = await score('several');
    expect(both.arrays).toEqual({
      twoWay: 'tokens',
      frameCorrelation: 'tokens',
      retrieval: 'retrieval',
      mindeyeProtocol: false,
    });
    expect(both.imageToBrain).toBe(1);
    expect(both.brainToImage).toBe(1);
    expect(alone.imageToBrain).toBeLessThan(1);
    expect(both.twoWay).toBe(alone.twoWay);
    const main = await score('several', '--array', 'tokens');
    expect(main.arrays).toMatchObject({ twoWay: 'tokens', retrieval: 'tokens' });
    expect(main.imageToBrain).toBe(alone.imageToBrain);
    const head = await score('several', '--array', 'retrieval');
    expect(head.twoWay).toBe(1);
    const other = await run(
      ['evaluate', 'study', '--reconstructions', 'several', '--array', 'prior'],
      folder,
    );
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/no such array; expected tokens, retrieval, found prior/);

    await ok(['report', 'study', '--reconstructions', 'several', '-o', 'of-several', '--pool', '20']);
    const page = readFileSync(at('of-several/report.html'), 'utf8');
    expect(page).toContain('identification and correlation are of tokens.npy, retrieval of retrieval.npy');
    expect(page).toContain('converted weights of MindEye2');
    expect(page).toContain('run up to its backbone, in bf16.');
    expect(page).toContain('of its output “tokens”, retrieval of its output “retrieval”');
    expect(page).toContain('Each trial was decoded by itself.');
    expect(page).not.toMatch(/Pictures were reconstructed|mean picture|training picture/);
    // Trials of the two test runs are 30 each; those of the four training runs take turns.
    expect(page).toContain(
      'train-0 (30), train-1 (30), train-2 (30), train-3 (30), test-0 (30) and test-1 (30)',
    );
    const readme = readFileSync(at('of-several/README'), 'utf8');
    expect(readme).toMatch(/^Features of what was shown/);
    expect(readme).not.toContain('pictures/');
    expect(JSON.parse(readFileSync(at('of-several/report.json'), 'utf8')).arrays.retrieval).toBe('retrieval');
  });

  it('of NSD are scored by another command, which is said', async () => {
    mkdirSync(at('nsd'));
    writeFileSync(at('nsd/betas_all_subj01_fp32_renorm.hdf5'), '');
    for (const [path, command] of [
      ['nsd', ['report', '-o', 'of-nsd']],
      ['nsd/betas_all_subj01_fp32_renorm.hdf5', ['evaluate']],
    ] as const) {
      const { code, stderr } = await run([...command, path, '--reconstructions', 'decoded'], folder);
      expect(stderr).toContain(`fmri2image verify mindeye2 --nsd ${path} --reconstructions decoded`);
      expect(code).toBe(2);
    }
  });

  it('need a pool that can fail', async () => {
    const args = ['evaluate', 'study', '--reconstructions', 'decoded', '--pool', '3', '--top', '3'];
    const { code, stderr } = await run(args, folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(/k.*expected a whole number from 1 to 2, found 3/);
  });
});
