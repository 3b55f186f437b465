import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  clipConverter,
  createRandom,
  elementCount,
  encodeSafetensors,
  expectedWeights,
  fromF16Bits,
  openBundleWeights,
  PUBLISHED_MODELS,
} from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { describe, expect, it } from 'vitest';
import { reached, run, start, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const random = createRandom(2);
const extents = new Map(Object.entries({ tokens: 5, tokensOut: 6, clip: 40, clipOut: 30 }));
const tensors = expectedWeights(clipConverter, { extents, counts: new Map(), groups: new Set() }).map(
  ({ name, shape }) => ({
    name,
    dtype: 'f32' as const,
    shape,
    data: Float32Array.from(random.normals(elementCount(shape)!)),
  }),
);
writeFileSync(at('converter.safetensors'), encodeSafetensors(tensors));
const python = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', ''], { timeout: 300_000 }).status === 0,
);
const convert = (...args: string[]) => run(['convert', ...args, '--model', 'clip-converter']);

describe('convert', () => {
  it('writes a bundle that inspect verifies and describes', async () => {
    const made = await convert(at('converter.safetensors'), '-o', at('out'), '--dtype', 'f16', '--json');
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    const result = JSON.parse(made.stdout);
    expect(result).toMatchObject({ model: 'clip-converter', dtype: 'f16', tensors: 4, prefix: '' });
    expect(result.extents).toEqual(Object.fromEntries(extents));
    const { model, weights } = await openBundleWeights(await nodeFolder(at('out')));
    expect(model.contentHash).toBe(result.contentHash);
    expect(JSON.stringify(model)).not.toContain(folder);
    for (const { name, shape, data } of tensors) {
      const found = (await weights.read(name)).data;
      const values = shape.length < 2 ? found : Float32Array.from(found as Uint16Array, fromF16Bits);
      expect(
        Array.from(values as Float32Array).every((x, i) => Math.abs(x - data[i]!) < 2e-3),
        name,
      ).toBe(true);
    }
    const inspected = await run(['inspect', at('out')]);
    expect(inspected.stdout).toMatch(/bundle of a clip-converter decoder, verified/);
    expect(inspected.stdout).toMatch(/trained elsewhere.*saw test data: unknown/);
    expect(inspected.stdout).toMatch(/matrices +f16/);
    expect(inspected.stdout).toMatch(/converted from +converter\.safetensors \(safetensors\)/);
  });

  it('writes bundles that are compared and copied whatever their type', async () => {
    for (const dtype of ['f32', 'bf16']) {
      const made = await convert(at('converter.safetensors'), '-o', at(dtype), '--dtype', dtype);
      expect(made.code, made.stderr).toBe(0);
    }
    const found = await run(['inspect', '--diff', at('f32'), at('bf16'), '--json']);
    expect(found.code, found.stderr).toBe(1);
    const { verdict, tensors: differing } = JSON.parse(found.stdout);
    expect(verdict).toBe('different');
    // Vectors stay f32, and equal.
    expect(differing).toHaveLength(2);
    for (const { before, after, values } of differing) {
      expect([before, after].map((spec) => spec.split(' ')[0])).toEqual(['f32', 'bf16']);
      expect(values.differing).toBeGreaterThan(0.9 * values.of);
      // Half a step of 8 bits of mantissa.
      expect(values.maxRelative).toBeGreaterThan(2 ** -10);
      expect(values.maxRelative).toBeLessThanOrEqual(2 ** -8);
    }

    const copied = await run(['export', at('bf16'), '-o', at('same')]);
    expect(copied.stdout).toMatch(/nothing to change/);
    for (const name of readdirSync(at('bf16')))
      expect(readFileSync(at(`same/${name}`)).equals(readFileSync(at(`bf16/${name}`)))).toBe(true);
    const stated = await run([
      'export',
      at('bf16'),
      '-o',
      at('stated'),
      '--data-terms',
      'CC0',
      '--shareable',
    ]);
    expect(stated.code, stated.stderr).toBe(0);
    const diff = await run(['inspect', '--diff', at('bf16'), at('stated')]);
    expect(diff.code).toBe(1);
    expect(diff.stdout).toMatch(/same numbers, different metadata/);
    expect(diff.stdout).toMatch(/dataTerms: ".*" -> "CC0"/);
    expect((await run(['inspect', '--diff', at('bf16'), at('same')])).code).toBe(0);

    const primal = await run(['export', at('bf16'), '-o', at('never'), '--primal']);
    expect(primal.code).toBe(1);
    expect(primal.stderr).toMatch(/no responses of training trials.*expected a bundle of kind ridge/);
    expect(existsSync(at('never'))).toBe(false);
    const file = readFileSync(at('same/weights.safetensors'));
    file[file.length - 1]! ^= 1;
    writeFileSync(at('same/weights.safetensors'), file);
    expect((await run(['inspect', '--diff', at('bf16'), at('same')])).code).toBe(2);
    expect((await run(['export', at('same'), '-o', at('never')])).code).toBe(1);
    expect(existsSync(at('never'))).toBe(false);
  });

  it('replaces a bundle only when asked, and leaves nothing half-written', async () => {
    const before = readFileSync(at('out/model.json'));
    const again = await convert(at('converter.safetensors'), '-o', at('out'));
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/--force/);
    const bad = tensors.map((tensor) => ({ ...tensor, data: tensor.data.map(() => 1e30) }));
    writeFileSync(at('bad.safetensors'), encodeSafetensors(bad));
    const failed = await convert(at('bad.safetensors'), '-o', at('out'), '--force', '--dtype', 'f16');
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/linear1\.weight: a weight that cannot be stored.*element 0/);
    expect(readFileSync(at('out/model.json'))).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    expect((await convert(at('converter.safetensors'), '-o', at('out'), '--force')).code).toBe(0);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const large = new Map(Object.entries({ tokens: 5, tokensOut: 6, clip: 6000, clipOut: 4000 }));
    const wide = expectedWeights(clipConverter, { extents: large, counts: new Map(), groups: new Set() });
    writeFileSync(
      at('large.safetensors'),
      encodeSafetensors(
        wide.map(({ name, shape }) => {
          const data = new Float32Array(elementCount(shape)!).fill(0.3);
          return { name, dtype: 'f32' as const, shape, data };
        }),
      ),
    );
    const args = ['convert', at('large.safetensors'), '-o', at('stopped'), '--model', 'clip-converter'];
    const { child, done } = start([...args, '--dtype', 'bf16']);
    const underWay = () => readdirSync(folder).some((name) => name.startsWith('.stopped.tmp-'));
    await reached(child, underWay);
    child.kill('SIGINT');
    const { code, stderr } = await done;
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    // It may be through before the signal comes: then the bundle is whole.
    if (existsSync(at('stopped'))) return expect((await run(['inspect', at('stopped')])).code).toBe(0);
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted; nothing was left half-written/);
  });

  it('lists every key that does not fit', async () => {
    const [first, ...rest] = tensors;
    writeFileSync(at('odd.safetensors'), encodeSafetensors([{ ...first!, name: 'linear0.weight' }, ...rest]));
    const { code, stderr } = await convert(at('odd.safetensors'), '-o', at('odd'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/extra linear0\.weight \[6, 5\]/);
    expect(stderr).toMatch(/missing linear1\.weight \(expected \[tokensOut, tokens\]/);
    expect(existsSync(at('odd'))).toBe(false);
  });

  it('says which model a file looks like', async () => {
    const { code, stderr } = await run([
      ...['convert', at('converter.safetensors'), '-o', at('wrong'), '--model', 'mindeye2'],
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/this is no mindeye2; it looks like clip-converter/);
  });

  it('points at its own help, where required options are marked', async () => {
    const { code, stderr } = await run(['convert', at('converter.safetensors')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/fmri2image convert --help/);
    const { stdout } = await run(['convert', '--help']);
    for (const option of ['--output', '--model'])
      expect(stdout).toMatch(new RegExp(`${option} <[^(]*(\\(choices[^)]*\\))?\\s+\\(required\\)`));
    expect(stdout.match(/\(required\)/g)).toHaveLength(2);
  });

  it('says where the file of the model is to be had if it is missing', async () => {
    const { code, stderr } = await convert(at('nowhere.pth'), '-o', at('none'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/nowhere\.pth: no such file/);
    expect(stderr).toMatch(/huggingface\.co\/datasets\/pscotti\/mindeyev2/);
    expect(stderr).toMatch(/bigG_to_L_epoch8\.pth/);
  });

  it.skipIf(!python)('does not run what a checkpoint would (skipped where there is no python3)', async () => {
    const marker = at('marker');
    const pickle = `cos\nsystem\n(S'touch ${marker}'\ntR.`;
    const script = [
      'import sys, zipfile',
      'with zipfile.ZipFile(sys.argv[1], "w") as archive:',
      '    archive.writestr("a/data.pkl", sys.argv[2])',
    ].join('\n');
    expect(spawnSync(python!, ['-c', script, at('evil.pth'), pickle]).status).toBe(0);
    const { code, stderr } = await convert(at('evil.pth'), '-o', at('evil'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/evil\.pth\/a\/data\.pkl: opcode GLOBAL at byte 0: .*"os\.system"/);
    expect(existsSync(marker)).toBe(false);
  });

  it('opens safetensors in several files by their folder', async () => {
    mkdirSync(at('sharded'));
    writeFileSync(at('sharded/a.safetensors'), encodeSafetensors(tensors.slice(0, 2)));
    writeFileSync(at('sharded/b.safetensors'), encodeSafetensors(tensors.slice(2)));
    const weight_map = Object.fromEntries(
      tensors.map(({ name }, i) => [name, i < 2 ? 'a.safetensors' : 'b.safetensors']),
    );
    writeFileSync(at('sharded/model.safetensors.index.json'), JSON.stringify({ weight_map }));
    const { code, stdout } = await convert(at('sharded'), '-o', at('joined'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ tensors: 4 });
  });
});

describe('models', () => {
  it('lists repository, file, size, licence, terms and command of each', async () => {
    const { stdout } = await run(['models', '--json']);
    expect(JSON.parse(stdout).models).toEqual(PUBLISHED_MODELS.map((row) => ({ ...row })));
    const { stdout: text } = await run(['models']);
    for (const { model, repository, file, convert: command } of PUBLISHED_MODELS) {
      for (const part of [model, repository, file, command ?? 'not yet']) expect(text).toContain(part);
    }
    expect((await run(['models', 'mindeye3'])).code).toBe(2);
  });
});
