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
import { run, start, temporaryFolder } from './run.ts';

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
  (name) => spawnSync(name, ['-c', ''], { timeout: 60_000 }).status === 0,
);
const convert = (...args: string[]) => run(['convert', ...args, '--model', 'clip-converter']);

describe('convert', { timeout: 120_000 }, () => {
  it('writes a bundle that inspect verifies, and export refuses', async () => {
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
    writeFileSync(at('study.json'), '{}');
    const refused = await run(['export', at('out'), '-o', at('copy')]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /converted weights of the model clip-converter, which are read part by part/,
    );
    expect(existsSync(at('copy'))).toBe(false);
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
    while (child.exitCode === null && !underWay()) await new Promise((wake) => setTimeout(wake, 2));
    child.kill('SIGINT');
    const { code, stderr } = await done;
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    // A fast machine may be through before the signal comes: then the bundle is whole.
    if (code === 0) return expect(existsSync(at('stopped/model.json'))).toBe(true);
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted; nothing was left half-written/);
    expect(existsSync(at('stopped'))).toBe(false);
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

describe('models', { timeout: 60_000 }, () => {
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
