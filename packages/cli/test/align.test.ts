import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BundleModel,
  convertedModel,
  convertibleSchema,
  encodeNpy,
  matchWeights,
  mindeye2Checkpoint,
  type Population,
  readArray,
  simulatePopulation,
  takeRows,
  toFloat64,
  trainSharedModel,
  writeWeights,
} from '@fmri2image/core';
import { CpuBackend, fileSource, loadDecoder, writeFolderAtomic } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

const VOXELS = 90;
const [TOKENS, LATENTS] = [4, 24];
/** Pictures that each teacher sees alone, that all see, that the new subject is tested on. */
const [OWN, COMMON, TESTED] = [150, 150, 40];
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const common = range(2 * OWN, 2 * OWN + COMMON);
const tested = range(2 * OWN + COMMON, 2 * OWN + COMMON + TESTED);

/** A study of betas whose stimuli are the features of all pictures. */
function writeStudy(name: string, population: Population, subject: number, train: number[], test: number[]) {
  mkdirSync(at(name));
  const shown = [...train, ...test];
  const betas = population.betas(subject, shown);
  writeFileSync(at(name, 'betas.npy'), encodeNpy({ dtype: 'f32', data: betas.data, shape: betas.shape }));
  const { data, shape } = population.features;
  writeFileSync(
    at(name, 'features.npy'),
    encodeNpy({ dtype: 'f32', data, shape: [shape[0]!, TOKENS, shape[1]! / TOKENS] }),
  );
  const lines = shown.map((picture, i) => `${picture}\trun-${i % 5}\t${i < train.length ? 'train' : 'test'}`);
  writeFileSync(at(name, 'trials.tsv'), `${['stimulus\trun\tsplit', ...lines].join('\n')}\n`);
  writeFileSync(
    at(name, 'study.json'),
    JSON.stringify({
      format: 'fmri2image-study',
      version: 1,
      name,
      indexBase: 0,
      voxels: { file: 'betas.npy', rows: 'trials' },
      trials: { file: 'trials.tsv' },
      stimuli: { file: 'features.npy', axes: ['stimulus', 'feature', 'feature'] },
    }),
  );
}

beforeAll(async () => {
  const backend = new CpuBackend();
  const population = await simulatePopulation(
    {
      seed: 2,
      size: 16,
      degrees: 8,
      subjects: 3,
      voxels: VOXELS,
      pictures: 2 * OWN + COMMON + TESTED,
      features: 48,
      hiddenFeatures: 48,
      noise: 1,
    },
    backend,
  );
  const seen = [0, 1].map((s) => [...range(s * OWN, (s + 1) * OWN), ...common]);
  const teachers = seen.map((pictures, s) => ({
    betas: population.betas(s, pictures),
    targets: takeRows(population.features, pictures),
  }));
  const source = mindeye2Checkpoint(await trainSharedModel(teachers, LATENTS, backend), TOKENS, 1);
  const matched = matchWeights(source, convertibleSchema('mindeye2'));
  await writeFolderAtomic(at('shared.bundle'), async (write) => {
    await writeWeights(source, matched, convertedModel(source, matched, 'f32'), write, { dtype: 'f32' });
  });
  // Teachers saw what the new subject is tested on: alignment must not use it.
  for (const [s, pictures] of seen.entries())
    writeStudy(`teacher-${s}`, population, s, [...pictures, ...tested], []);
  writeStudy('new', population, 2, common, tested);
  await backend.dispose();
});

const teachers = ['--teacher', '0=teacher-0', '--teacher', '1=teacher-1'];
const align = (...args: string[]) => run(['align', 'shared.bundle', 'new', ...args, '--json'], folder);

describe('align', () => {
  it.each(['latents', 'features'])('places a new subject by %s of others', async (targets) => {
    const made = await align(...teachers, '--targets', targets, '-o', targets);
    expect(made.code, made.stderr).toBe(0);
    const result = JSON.parse(made.stdout);
    expect(result).toMatchObject({ voxels: VOXELS, targets, trials: { used: COMMON, all: COMMON } });
    const model = JSON.parse(readFileSync(at(targets, 'model.json'), 'utf8')) as BundleModel;
    expect(model.contentHash).toBe(result.contentHash);
    const lineage = {
      targets,
      teachers: [0, 1].map((subject) => ({
        subject,
        study: `teacher-${subject}`,
        stimuli: OWN + COMMON,
        matched: COMMON,
      })),
    };
    expect(result).toMatchObject(lineage);
    expect(model.report.alignment).toMatchObject({ parent: result.parent, ...lineage });
    const { alpha, explained } = model.report.alignment as { alpha: { smallest: number }; explained: number };
    expect(explained).toBeGreaterThan(0.2);
    expect(explained).toBeLessThan(1);
    const { stdout: said } = await run(['inspect', targets], folder);
    expect(said).toMatch(new RegExp(`aligned from +bundle ${result.parent}`));
    expect(said).toMatch(/teacher 1 \(teacher-1\) +300 stimuli, 150 of them seen by the new subject/);
    expect(said).toMatch(new RegExp(`targets +${targets}`));
    expect(said).toContain(`penalty  ${Number(alpha.smallest.toPrecision(4))}`);
    expect(said).toMatch(/subjects +0 \(90 voxels\)/);
    expect(model.ledger.at(-1)).toMatchObject({ sawTest: 'no' });
    expect(Object.keys(model.tensors).filter((name) => name.startsWith('ridge.'))).toEqual([
      'ridge.linears.0.weight',
      'ridge.linears.0.bias',
    ]);

    const decoded = `${targets}-decoded`;
    const reconstructed = await run(
      ['reconstruct', targets, 'new', '--stage', 'tokens', '-o', decoded],
      folder,
    );
    expect(reconstructed.code, reconstructed.stderr).toBe(0);
    const scored = await run(['evaluate', 'new', '--reconstructions', decoded, '--json'], folder);
    expect(scored.code, scored.stderr).toBe(0);
    // Chance is .5; the same ridge from scratch gets .9 on such data.
    expect(JSON.parse(scored.stdout).twoWay).toBeGreaterThan(0.8);
  });

  it('writes weights that give the tokens of layer and backbone', async () => {
    const made = await align(...teachers, '-o', 'again');
    expect(made.code, made.stderr).toBe(0);
    const decoder = await loadDecoder(at('again'), { device: 'cpu', stage: 'tokens' });
    const betas = await readArray(await fileSource(at('new', 'betas.npy')));
    const rows = { data: Float32Array.from(toFloat64(betas).subarray(0, 2 * VOXELS)), shape: [2, VOXELS] };
    const tokens = await decoder.predict(rows);
    await decoder.dispose();
    const onReference = await loadDecoder(at('again'), { device: 'reference', stage: 'tokens' });
    const expected = await onReference.predict(rows);
    await onReference.dispose();
    expect(tokens.length).toBe(2 * 96);
    for (const [i, value] of tokens.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4);
  });

  it('is compared with its parent, and exported without names of studies', async () => {
    const made = await align(...teachers, '-o', 'whole');
    expect(made.code, made.stderr).toBe(0);
    const parent = JSON.parse(made.stdout).contentHash;
    const differs = await run(['inspect', '--diff', 'shared.bundle', 'whole', '--json'], folder);
    expect(differs.code, differs.stderr).toBe(1);
    const names = JSON.parse(differs.stdout).tensors.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(
      [0, 1].flatMap((s) => [`ridge.linears.${s}.bias`, `ridge.linears.${s}.weight`]),
    );
    const args = ['export', 'whole', '-o', 'given', '--shareable', '--data-terms', 'CC0', '--json'];
    const given = await run(args, folder);
    expect(given.code, given.stderr).toBe(0);
    expect(JSON.parse(given.stdout).holds.join()).toMatch(/fitted to one person/);
    const model = JSON.parse(readFileSync(at('given', 'model.json'), 'utf8')) as BundleModel;
    expect(JSON.stringify(model)).not.toMatch(/teacher-\d/);
    expect(model.report.export).toMatchObject([{ parent }]);
    expect(model.report.alignment).toMatchObject({
      teachers: [{ subject: 0, matched: COMMON }, { subject: 1 }],
    });
    const same = await run(['inspect', '--diff', 'whole', 'given'], folder);
    expect(same.stdout).toMatch(/same numbers, different metadata/);
  });

  it('takes nothing of the stimuli that the new subject is tested on', async () => {
    const path = at('teacher-0', 'betas.npy');
    const before = readFileSync(path);
    const hash = async (output: string) =>
      JSON.parse((await align(...teachers, '--targets', 'features', '-o', output)).stdout).contentHash;
    const clean = await hash('clean');
    const spoilt = Buffer.from(before);
    // The teacher's responses to tested pictures are its last rows.
    spoilt.fill(0x41, spoilt.length - 4 * VOXELS * TESTED);
    writeFileSync(path, spoilt);
    expect(await hash('spoilt')).toBe(clean);
    writeFileSync(path, before);
  });

  it('says what does not fit', async () => {
    const wrong = await align('--teacher', '7=teacher-0', '-o', 'wrong');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/--teacher: .*no layer of this subject; expected 0 or 1, found 7/);
    const none = await align('-o', 'wrong');
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/--teacher/);
    const features = readFileSync(at('teacher-1', 'features.npy'));
    const other = Buffer.from(features);
    other.writeFloatLE(9, other.length - 4 * 96 * (TESTED + 1));
    writeFileSync(at('teacher-1', 'features.npy'), other);
    const mixed = await align(...teachers, '-o', 'wrong');
    writeFileSync(at('teacher-1', 'features.npy'), features);
    expect(mixed.code).toBe(2);
    expect(mixed.stderr).toMatch(/teacher-1.*different stimuli of one name/);
  });
});
