// What README shows of a lab's own data and of NSD is run as it stands there, on files that are made here.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, encodeNpy, niftiOfVoxels } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { root, run, temporaryFolder } from './run.ts';

const [, section = ''] =
  /\n### Your own data\n(.*?)\n### /s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];
const blocks = [...section.matchAll(/```(\w*)\n(.*?)```/gs)].map(([, language, text]) => ({
  language: language!,
  text: text!,
}));
const block = (language: string, begins: string) => {
  const found = blocks.find((one) => one.language === language && one.text.startsWith(begins));
  expect(found, `a block of README that begins with ${begins}`).toBeDefined();
  return found!.text;
};
/** Without `npx fmri2image`. */
const commandsOf = (text: string) =>
  [...text.matchAll(/npx fmri2image ([^`\n]+)/g)].map(([, args]) => args!.trim().split(/\s+/));

const folder = temporaryFolder();

/** The table of README with more trials of the same kind, so that something can be fitted. */
function trialsTable(): string[][] {
  const [header, ...lines] = block('', 'stimulus\t').trim().split('\n');
  expect(header).toBe('stimulus\trun\tsplit');
  const shown = lines.map((line) => line.split('\t'));
  expect(new Set(shown.map(([, , split]) => split))).toEqual(new Set(['train', 'test']));
  const more = Array.from({ length: 20 }, (_, i) => [
    `more-${i}`,
    `${1 + (i % 4)}`,
    i % 4 === 3 ? 'test' : 'train',
  ]);
  return [...shown, ...more];
}

it('a lab’s own NIfTI and tables, as README shows them, are inspected, fitted, scored and reported', async () => {
  const random = createRandom(4);
  const trials = trialsTable();
  const names = [...new Set(trials.map(([stimulus]) => stimulus!))].sort();
  const features = Float32Array.from(random.normals(names.length * 3));
  const grid = [5, 4, 3] as const;
  const affine = [
    [2, 0, 0, -4],
    [0, 2, 0, -3],
    [0, 0, 2, -2],
  ];
  const indices = Int32Array.from({ length: 40 }, (_, i) => i + 7);
  const selection = { indices, space: { kind: 'image' as const, grid, affine } };
  const betas = trials.map(([stimulus]) => {
    const at = 3 * names.indexOf(stimulus!);
    return Float32Array.from(random.normals(indices.length), (own, v) => features[at + (v % 3)]! + 0.3 * own);
  });
  const lab = join(folder, 'mylab');
  mkdirSync(lab);
  const bytes = async (pieces: AsyncIterable<Uint8Array>) => {
    const all: Uint8Array[] = [];
    for await (const piece of pieces) all.push(piece);
    return Buffer.concat(all);
  };
  writeFileSync(join(lab, 'study.json'), block('json', '{'));
  writeFileSync(
    join(lab, 'trials.tsv'),
    `stimulus\trun\tsplit\n${trials.map((line) => line.join('\t')).join('\n')}\n`,
  );
  writeFileSync(join(lab, 'betas.nii.gz'), await bytes(niftiOfVoxels(betas, betas.length, selection)));
  const mask = new Float32Array(indices.length).fill(1);
  writeFileSync(join(lab, 'visual_cortex.nii.gz'), await bytes(niftiOfVoxels([mask], 1, selection)));
  writeFileSync(
    join(folder, 'features.npy'),
    encodeNpy({ dtype: 'f32', data: features, shape: [names.length, 3] }),
  );

  const commands = commandsOf(block('sh', 'npx fmri2image inspect'));
  expect(commands.map(([verb]) => verb)).toEqual(['inspect', 'fit', 'evaluate', 'report']);
  for (const args of commands) {
    const { code, stdout, stderr } = await run(args, folder);
    expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
    if (args[0] === 'evaluate') expect(stdout).toMatch(/two-way identification +(1\.000|0\.[89]\d\d) /);
  }
  expect(existsSync(join(folder, 'mylab-report/report.html'))).toBe(true);
});

it('the files of NSD that README lists are those that are read', async () => {
  const files = block('', 'NSD/').trim().split('\n');
  const [args] = commandsOf(section).filter(([verb]) => verb === 'simulate');
  const small = ['--voxels', '20', '--train-pictures', '6', '--test-pictures', '3', '--size', '16'];
  const feature = args!.map((arg) => arg.replace('77x768', '2x3'));
  const made = await run([...feature, ...small], folder);
  expect(made.code, made.stderr).toBe(0);
  // Nothing but what is listed, and the other session: that is enough.
  for (const file of [...files, ...files.map((name) => name.replace('session01', 'session02'))]) {
    mkdirSync(join(folder, 'listed', file, '..'), { recursive: true });
    copyFileSync(join(folder, file), join(folder, 'listed', file));
  }
  const fit = [
    'fit',
    'listed/NSD',
    '--subject',
    '1',
    '--recipe',
    'custom',
    '--split',
    'brain-diffuser',
    '--roi',
    'nsdgeneral',
  ];
  const targets = ['--alphas', '1', '--targets', 'text=NSD/features/clip_text.npy', '-o', 'nsd.bundle'];
  const { code, stderr } = await run([...fit, ...targets], folder);
  expect(code, stderr).toBe(0);
});
