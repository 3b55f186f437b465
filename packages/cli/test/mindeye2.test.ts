import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, encodeSafetensors, readNpy } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { reached, run, start, temporaryFolder } from './run.ts';
import { writeSmallModel } from './smallModel.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const reconstruct = (name: string, ...args: string[]) =>
  run(['reconstruct', at('bundle'), at('nsd'), '-o', at(name), ...args, '--json']);
const npy = async (path: string) => readNpy(await fileSource(at(path)));
let contentHash = '';

beforeAll(async () => {
  contentHash = await writeSmallModel(at('bundle'));
  const sizes = ['--voxels', '12', '--train-pictures', '20', '--test-pictures', '6', '--size', '16'];
  const made = await run(['simulate', '--layout', 'mindeye', '-o', at('nsd'), ...sizes]);
  expect(made.stderr).toBe('');
});

describe('reconstruct with a published model', () => {
  it('writes each output of a stage, of repeats as published', async () => {
    const { code, stdout, stderr } = await reconstruct(
      'tokens',
      '--model',
      'mindeye2',
      '--repeats',
      'published',
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      reconstructions: 6,
      made: 6,
      outputs: [
        { name: 'tokens', file: 'tokens.npy', shape: [3, 8] },
        { name: 'retrieval', file: 'retrieval.npy', shape: [3, 8] },
      ],
    });
    expect(readdirSync(at('tokens')).sort()).toEqual(['reconstructions.json', 'retrieval.npy', 'tokens.npy']);
    const index = JSON.parse(readFileSync(at('tokens/reconstructions.json'), 'utf8'));
    expect(index).toMatchObject({
      kind: 'features',
      provenance: { decoder: 'mindeye2', bundle: contentHash },
    });
    expect(index.run).toMatchObject({
      repeats: 'published',
      stage: 'tokens',
      subject: 0,
      seed: 'none',
      noise: 'none',
    });
    // What report and evaluate say of the model: from its bundle.
    const { ledger, report } = JSON.parse(readFileSync(at('bundle/model.json'), 'utf8'));
    expect(ledger[0].step).toMatch(/weights of mindeye2/);
    expect(index.folds).toMatchObject([{ decoder: 'mindeye2', voxels: 12, preprocess: [], ledger, report }]);
    const stimuli: number[] = index.items.map(({ stimulus }: { stimulus: number }) => stimulus);
    expect(stimuli).toEqual([...stimuli].sort((a, b) => a - b));
    expect(index.items[0].trials).toHaveLength(3);

    // The mean of what single trials give.
    const each = await reconstruct('each');
    expect(JSON.parse(each.stdout)).toMatchObject({ reconstructions: 18 });
    const single = JSON.parse(readFileSync(at('each/reconstructions.json'), 'utf8')).items;
    const [mean, one] = [await npy('tokens/retrieval.npy'), await npy('each/retrieval.npy')];
    expect(mean.shape).toEqual([6, 3, 8]);
    for (const [i, { trials }] of index.items.entries()) {
      for (let k = 0; k < 24; k++) {
        const values = trials.map((trial: number) => {
          const row = single.findIndex((item: { trials: number[] }) => item.trials[0] === trial);
          return (one.data as Float32Array)[row * 24 + k]!;
        });
        const expected = values.reduce((sum: number, value: number) => sum + value, 0) / 3;
        expect(Math.abs((mean.data as Float32Array)[i * 24 + k]! - expected)).toBeLessThan(1e-5);
      }
    }
    const inspected = await run(['inspect', at('bundle')]);
    expect(inspected.stdout).toMatch(
      / {4}prior: [\d.]+ [MG]B \([\d.]+ [MG]B of weights, at most [\d.]+ [MG]B beside them\)/,
    );
  });

  it('goes on after SIGKILL with the same bytes, and after Ctrl-C', async () => {
    expect((await reconstruct('whole', '--stage', 'prior', '--seed', '3')).code).toBe(0);
    const args = [
      'reconstruct',
      at('bundle'),
      at('nsd'),
      '-o',
      at('parts'),
      '--stage',
      'prior',
      '--seed',
      '3',
    ];
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const { child, done } = start(args);
      const work = (file: string) => {
        try {
          return readFileSync(at(`.parts.unfinished/${file}`), 'utf8');
        } catch {
          return '';
        }
      };
      const isUnderWay = () =>
        work('lock').startsWith(`${child.pid}-`) && /"done":[1-9]/.test(work('run.json'));
      await reached(child, isUnderWay);
      child.kill(signal);
      const outcome = await done;
      // It may be through before the signal comes, which then finds it tidying up.
      if (existsSync(at('parts'))) {
        rmSync(at('.parts.unfinished'), { recursive: true, force: true });
        break;
      }
      if (signal === 'SIGINT') {
        expect(outcome.code).toBe(130);
        expect(outcome.stderr).toMatch(
          /^fmri2image: interrupted; \d+ of 18 are made and kept in .*\.parts\.unfinished; the same command goes on from there\n$/m,
        );
        expect(outcome.stderr).not.toMatch(/nothing was left/);
      }
    }
    if (!existsSync(at('parts'))) {
      const inspected = await run(['inspect', at('.parts.unfinished')]);
      expect(inspected.stdout).toMatch(/unfinished: an unfinished run, \d+ of 18 reconstructions are made/);
      expect(inspected.stdout).toMatch(/--restart begins anew:\n {4}fmri2image reconstruct .*--seed 3\n/);
      const published = await run([...args, '--repeats', 'published']);
      expect(published.code).toBe(2);
      expect(published.stderr).toMatch(/run\.json: repeats: .*; expected each, found published$/m);
      const other = await run([...args.slice(0, -1), '4']);
      expect(other.code).toBe(2);
      expect(other.stderr).toMatch(/run\.json: seed: .*expected 3, found 4/);
      expect((await run(args)).code).toBe(0);
    }
    for (const file of ['prior.npy', 'tokens.npy', 'retrieval.npy', 'latent.npy']) {
      expect(readFileSync(at(`parts/${file}`)).equals(readFileSync(at(`whole/${file}`))), file).toBe(true);
    }
    const items = (name: string) =>
      JSON.parse(readFileSync(at(`${name}/reconstructions.json`), 'utf8')).items;
    expect(items('parts')).toEqual(items('whole'));
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('takes recorded noise: other noise, another sample; what does not fit is named', async () => {
    const random = createRandom(5);
    const normals = (...shape: number[]) => ({
      dtype: 'f32' as const,
      shape,
      data: Float32Array.from(random.normals(shape.reduce((product, extent) => product * extent, 1))),
    });
    const write = (name: string, initial: number[], steps: number[]) =>
      writeFileSync(
        at(name),
        encodeSafetensors([
          { name: 'initial', ...normals(...initial) },
          { name: 'steps', ...normals(...steps) },
        ]),
      );
    write('a.safetensors', [6, 3, 8], [18, 6, 3, 8]);
    write('b.safetensors', [6, 3, 8], [18, 6, 3, 8]);
    write('short.safetensors', [6, 3, 8], [4, 6, 3, 8]);
    const prior = ['--stage', 'prior', '--average'];
    for (const name of ['a', 'b']) {
      const made = await reconstruct(`noise-${name}`, ...prior, '--noise', at(`${name}.safetensors`));
      expect(made.stderr).toBe('');
    }
    const read = (name: string) => readFileSync(at(`noise-${name}/prior.npy`));
    expect(read('b').equals(read('a'))).toBe(false);
    const short = await reconstruct('noise-short', ...prior, '--noise', at('short.safetensors'));
    expect(short.code).toBe(1);
    expect(short.stderr).toMatch(/steps.*18/);
    const many = await reconstruct('noise-many', '--stage', 'prior', '--noise', at('a.safetensors'));
    expect(many.code).toBe(1);
    expect(many.stderr).toMatch(/a\.safetensors: initial: .*\[18 items, tokens, dim\], found \[6, 3, 8\]/);
    expect(existsSync(at('noise-short'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is refused with both numbers where the memory does not suffice, and for options that do not fit', async () => {
    const memory = await reconstruct('none', '--stage', 'prior', '--memory', '1');
    expect(memory.code).toBe(1);
    expect(memory.stderr).toMatch(
      /does not fit into memory.*expected at most 1\.0 MB, .*--memory.*found [\d.]+ MB \(/,
    );
    for (const [args, message] of [
      [['--stage', 'pixels'], /--stage: no such stage; expected tokens, blurry, prior, found pixels/],
      [['--model', 'mindeye1'], /--model mindeye1, but the bundle holds the weights of mindeye2/],
      [['--noise', at('a.safetensors'), '--seed', '1'], /give --noise or --seed/],
      [['--seed', '-3'], /--seed.*expected a whole number, 0 or more/],
    ] as const) {
      const refused = await reconstruct('none', ...args);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(message);
    }
    const wide = await run([
      'simulate',
      '--layout',
      'mindeye',
      '-o',
      at('wide'),
      '--voxels',
      '13',
      '--train-pictures',
      '5',
      '--test-pictures',
      '2',
      '--size',
      '16',
    ]);
    expect(wide.code).toBe(0);
    const voxels = await run(['reconstruct', at('bundle'), at('wide'), '-o', at('none3')]);
    expect(voxels.code).toBe(2);
    expect(voxels.stderr).toMatch(/mindeye2 was trained on 12 voxels.*the betas have 13/);
    expect(['none', 'none3'].some((name) => existsSync(at(name)))).toBe(false);
  });
});
