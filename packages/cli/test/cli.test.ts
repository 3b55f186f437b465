import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesSource, decodePng, readNpy } from '@fmri2image/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { reached, run, said, start, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const json = (text: string) => JSON.parse(text.trim().split('\n').at(-1)!) as Record<string, never>;

const SMALL = [
  '--voxels',
  '120',
  '--train-pictures',
  '240',
  '--test-pictures',
  '20',
  '--repeats',
  '2',
  '--size',
  '12',
];

/** One small simulated study and a decoder for all tests. */
beforeAll(async () => {
  expect(await run(['simulate', '-o', at('study'), '--seed', '3', ...SMALL])).toMatchObject({ code: 0 });
  expect(await run(['fit', at('study'), '-o', at('bundle'), '--alpha-for', 'all'])).toMatchObject({
    code: 0,
  });
});

describe('from a study to scores', () => {
  it('reconstructs unseen pictures far above chance, and says so beside its controls', async () => {
    const made = await run([
      'reconstruct',
      at('bundle'),
      at('study'),
      '-o',
      at('pictures'),
      '--average',
      '--json',
    ]);
    expect(made).toMatchObject({ code: 0 });
    expect(json(made.stdout)).toMatchObject({ reconstructions: 20 });
    const scored = await run(['evaluate', at('study'), '--reconstructions', at('pictures'), '--json']);
    expect(scored).toMatchObject({ code: 0 });
    const { evaluation } = json(scored.stdout) as unknown as {
      evaluation: {
        trials: number;
        twoWay: { score: number; chance: number; p: number; meanPicture: number };
      };
    };
    expect(evaluation.trials).toBe(20);
    expect(evaluation.twoWay.score).toBeGreaterThan(0.75);
    expect(evaluation.twoWay.p).toBeLessThanOrEqual(0.002);
    expect(Math.abs(evaluation.twoWay.meanPicture - 0.5)).toBeLessThan(0.15);
    const scores = readFileSync(at('pictures/scores.tsv'), 'utf8').trim().split('\n');
    expect(scores.length).toBe(21);
  });

  it('writes PNGs that show what the array holds', async () => {
    const index = JSON.parse(readFileSync(at('pictures/reconstructions.json'), 'utf8')) as {
      items: { file: string }[];
      provenance: { commandLine: string; runId: string };
    };
    const values = await readNpy(
      bytesSource(readFileSync(at('pictures/reconstructions.npy')), 'reconstructions.npy'),
    );
    expect(values.shape).toEqual([20, 12, 12]);
    const png = decodePng(readFileSync(at(`pictures/${index.items[7]!.file}`)), 'picture');
    const factor = png.width / 12;
    for (const pixel of [0, 17, 77, 143]) {
      const x = (pixel % 12) * factor;
      const y = Math.floor(pixel / 12) * factor;
      const value = (values.data as Float32Array)[7 * 144 + pixel]!;
      expect(Math.abs(png.data[(y * png.width + x) * png.channels]! - value)).toBeLessThanOrEqual(
        0.5 / 255 + 1e-6,
      );
    }
    expect(index.provenance.commandLine).toContain('fmri2image reconstruct');
  });

  it('marks what its decoder had seen', async () => {
    expect(
      await run(['reconstruct', at('bundle'), at('study'), '-o', at('everything'), '--all']),
    ).toMatchObject({ code: 0 });
    const { items } = JSON.parse(readFileSync(at('everything/reconstructions.json'), 'utf8')) as {
      items: { trials: number[]; seen: string }[];
    };
    expect(items.filter((item) => item.seen === 'trial').map((item) => item.trials[0])).toEqual([
      ...Array(240).keys(),
    ]);
    expect(items.filter((item) => item.seen === 'no')).toHaveLength(40);
  });

  it('gives the same picture on the reference device, from the same bundle', async () => {
    const args = ['reconstruct', at('bundle'), at('study'), '--trials', '245,250'];
    await run([...args, '-o', at('cpu')]);
    await run([...args, '-o', at('reference'), '--device', 'reference']);
    const read = async (name: string) =>
      (await readNpy(bytesSource(readFileSync(at(`${name}/reconstructions.npy`)), name)))
        .data as Float32Array;
    const [cpu, reference] = [await read('cpu'), await read('reference')];
    expect(cpu.length).toBe(2 * 144);
    expect(Math.max(...cpu.map((value, i) => Math.abs(value - reference[i]!)))).toBeLessThan(2e-5);
  });

  it('fits the same bytes twice', async () => {
    await run(['fit', at('study'), '-o', at('again'), '--alpha-for', 'all', '--threads', '1']);
    for (const file of ['model.json', 'weights.safetensors']) {
      expect(readFileSync(at(`again/${file}`)).equals(readFileSync(at(`bundle/${file}`)))).toBe(true);
    }
  });

  it('holds out one run after the other', async () => {
    const args = [
      'evaluate',
      at('study'),
      '--leave-one-out',
      'run',
      '--alphas',
      '3000',
      '--json',
      '-o',
      at('held-out'),
    ];
    const outcome = await run(args);
    expect(outcome).toMatchObject({ code: 0 });
    expect(json(outcome.stdout)).toMatchObject({ decoder: 'ridge', trials: 280 });
    expect(readdirSync(at('held-out'))).toContain('evaluation.json');
    const { items } = JSON.parse(readFileSync(at('held-out/reconstructions.json'), 'utf8')) as {
      items: { run: string; heldOut: string }[];
    };
    expect(items.every((item) => item.heldOut === `run ${item.run}`)).toBe(true);
  });
});

describe('maps of responses of no image', () => {
  it('name the files that are there', async () => {
    const made = await run(['maps', at('study'), '--bundle', at('bundle'), '-o', at('maps')]);
    expect(made.code, made.stderr).toBe(0);
    const page = readFileSync(at('maps/maps.html'), 'utf8');
    expect(page).toContain('desc-weights_statmap.npy');
    expect(page).not.toContain('.nii.gz');
  });
});

describe('inspect', () => {
  it('says what it looked for in a folder without files', async () => {
    mkdirSync(at('nothing'));
    const { code, stderr } = await run(['inspect', at('nothing')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /nothing: nothing here that can be described; expected a study \(study\.json\), NSD/,
    );
  });

  it.each([
    ['study', /study simulated-3/],
    ['bundle', /bundle of a ridge decoder, verified/],
    ['study/voxels.npy', /f32 \[\d+, 120\]/],
    ['study/trials.tsv', /stimulus/],
  ])('describes %s', async (name, text) => {
    const outcome = await run(['inspect', at(name)]);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout).toMatch(text);
  });

  it('goes through a folder and points out what it cannot read', async () => {
    mkdirSync(at('mixed'));
    writeFileSync(at('mixed/broken.npy'), 'not an array');
    writeFileSync(at('mixed/good.tsv'), 'a\tb\n1\t2\n');
    const { code, stdout } = await run(['inspect', at('mixed')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/broken\.npy/);
    expect(stdout).toMatch(/good\.tsv: table/);
  });
});

describe('mistakes', () => {
  it.each([
    ['no command', [], 2, /Usage/],
    ['an unknown command', ['recnstruct'], 2, /unknown command.*\n?.*reconstruct/],
    ['an unknown option', ['fit', 'x', '-o', 'y', '--alpha', '3'], 2, /unknown option/],
    ['a bad number', ['fit', 'x', '-o', 'y', '--threads', 'two'], 2, /whole number above 0/],
    ['a negative penalty', ['fit', 'x', '-o', 'y', '--alphas', '1,-1'], 2, /positive/],
    ['a single fold', ['fit', 'x', '-o', 'y', '--folds', '1'], 2, /2 or more/],
    ['two paths to inspect', ['inspect', 'x', 'y'], 2, /one path at a time/],
    ['a missing study', ['fit', 'nowhere', '-o', 'y'], 1, /nowhere/],
    [
      'a device that is not there',
      ['fit', 'x', '-o', 'y', '--device', 'cuda:1'],
      1,
      /F2I_CUDA_LIBRARY names/,
    ],
    ['a device that is none', ['fit', 'x', '-o', 'y', '--device', 'gpu'], 2, /cuda: and the number of a GPU/],
    [
      'two ways to evaluate at once',
      ['evaluate', 'x', '--leave-one-out', 'run', '--reconstructions', 'y'],
      2,
      /either/,
    ],
  ])('%s', async (_, args, code, message) => {
    const outcome = await run(args, folder);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).not.toMatch(/ at .*\.js:\d+/);
  });

  it('an output that exists is kept, unless told otherwise', async () => {
    const before = readFileSync(at('bundle/model.json'));
    const refused = await run(['fit', at('study'), '-o', at('bundle'), '--alphas', '10']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/bundle: it exists already/);
    expect(readFileSync(at('bundle/model.json')).equals(before)).toBe(true);
  });

  it('--force replaces what the same command wrote, never an input or anything of somebody else', async () => {
    mkdirSync(at('holder'));
    await run(['simulate', '-o', at('holder/study'), '--seed', '9', ...SMALL]);
    mkdirSync(at('private'));
    writeFileSync(at('private/thesis.tex'), 'years of work');
    for (const output of ['holder/study', 'holder', 'private']) {
      const refused = await run(['fit', at('holder/study'), '-o', at(output), '--force', '--alphas', '10']);
      expect(refused.code, output).toBe(2);
      expect(refused.stderr).toMatch(/would replace an input|nothing was replaced/);
    }
    expect(readdirSync(at('holder/study')).sort()).toEqual([
      'pictures.npy',
      'study.json',
      'trials.tsv',
      'voxels.npy',
    ]);
    expect(readdirSync(at('private'))).toEqual(['thesis.tex']);
    mkdirSync(at('empty'));
    for (const flags of [[], ['--force']]) {
      const args = ['fit', at('holder/study'), '-o', at('empty'), '--alphas', '10', ...flags];
      expect((await run(args)).code).toBe(0);
    }
  });

  it('a flipped bit in a bundle is found before anything is computed', async () => {
    mkdirSync(at('flipped'));
    for (const file of ['model.json', 'weights.safetensors']) {
      writeFileSync(at(`flipped/${file}`), readFileSync(at(`bundle/${file}`)));
    }
    const weights = readFileSync(at('flipped/weights.safetensors'));
    weights[weights.length >> 1]! ^= 4;
    writeFileSync(at('flipped/weights.safetensors'), weights);
    const outcome = await run(['reconstruct', at('flipped'), at('study'), '-o', at('never')]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/weights\.safetensors.*checksum/s);
    expect(existsSync(at('never'))).toBe(false);
  });

  it('a study before its bundle says which comes first', async () => {
    const outcome = await run(['reconstruct', at('study'), at('bundle'), '-o', at('never')]);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(/bundle comes first.*reconstruct \S*bundle \S*study/);
  });

  it('a decoder for other voxels says both numbers', async () => {
    await run(['simulate', '-o', at('other'), '--seed', '4', ...SMALL, '--voxels', '60']);
    const outcome = await run(['reconstruct', at('bundle'), at('other'), '-o', at('never')]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/expected 480.*found 240/);
  });
});

describe('interruption', () => {
  const leftovers = (name: string) => readdirSync(folder).filter((entry) => entry.includes(name));
  const LONG = ['--voxels', '1500', '--train-pictures', '1500', '--size', '32'];

  it('Ctrl-C ends with 130, a message, and nothing half-written', async () => {
    const { child, done } = start(['simulate', '-o', at('interrupted'), ...LONG, '--device', 'reference']);
    // This device says that it is slow once the command listens to signals.
    await said(child, 'device reference');
    child.kill('SIGINT');
    const outcome = await done;
    expect(outcome).toMatchObject({ code: 130, signal: null });
    expect(outcome.stderr).toMatch(/interrupted/);
    expect(leftovers('interrupted')).toEqual([]);
  });

  it('what SIGKILL leaves in mid-write is not taken for a result, and the next write removes it', async () => {
    const { child, done } = start(['simulate', '-o', at('killed'), ...SMALL]);
    // Until the temporary folder appears.
    await reached(child, () => leftovers('killed').length > 0);
    child.kill('SIGKILL');
    await done;
    if (!existsSync(at('killed'))) {
      const outcome = await run(['inspect', at('killed')]);
      expect(outcome.code).toBe(1);
    }
    const again = await run(['simulate', '-o', at('killed'), '--force', ...SMALL]);
    expect(again).toMatchObject({ code: 0 });
    expect(leftovers('killed')).toEqual(['killed']);
  });
});

describe('doctor and bench', () => {
  it('doctor checks each device by a product', async () => {
    const outcome = await run(['doctor', '--json']);
    expect(outcome).toMatchObject({ code: 0 });
    const { findings } = json(outcome.stdout) as unknown as {
      findings: { what: string; ok: boolean; detail: string }[];
    };
    expect(findings.filter(({ ok }) => ok).map(({ what }) => what)).toEqual(
      expect.arrayContaining(['node', 'cpu', 'reference']),
    );
    expect(findings.find(({ what }) => what === 'cuda')).toEqual({
      what: 'cuda',
      ok: false,
      detail: 'F2I_CUDA_LIBRARY names a file that does not exist: /nowhere/libf2i_cuda.so',
    });
  });

  it('a closed pipe is no error', async () => {
    const { child, done } = start(['inspect', at('study')]);
    child.stdout!.destroy();
    expect((await done).code).toBe(0);
  });
});
