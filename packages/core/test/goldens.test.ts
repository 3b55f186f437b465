import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EVERYWHERE, formatGolden, runGoldens, summary } from '../conformance/index.ts';
import {
  bytesSource,
  createRandom,
  createReferenceBackend,
  encodeSafetensors,
  F2iError,
  type Folder,
  type NdArray,
} from '../src/index.ts';
import { itWith } from './data/helpers/shared_data.ts';
import { goldensFolder } from './shared.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

type Tensors = Record<string, NdArray>;

function f32(shape: number[], data: Iterable<number>): NdArray {
  return { dtype: 'f32', shape, data: Float32Array.from(data) };
}

/** A folder in memory: each case with its tensors, and sidecars where given. */
function folderOf(cases: Record<string, Tensors>, sidecars: Record<string, unknown> = {}): Folder {
  const files = new Map<string, Uint8Array>([['MANIFEST.json', new TextEncoder().encode('{}')]]);
  for (const [name, tensors] of Object.entries(cases)) {
    const list = Object.entries(tensors).map(([key, tensor]) => ({ name: key, ...tensor }));
    files.set(`${name}.safetensors`, encodeSafetensors(list));
    files.set(`${name}.json`, new TextEncoder().encode(JSON.stringify(sidecars[name] ?? {})));
  }
  return {
    name: 'memory',
    list: async () => [...files.keys()].sort(),
    open: async (path) => {
      const bytes = files.get(path);
      if (!bytes) throw new F2iError('IO', 'missing', { file: path });
      return bytesSource(bytes, path);
    },
  };
}

/** y = x Wᵀ + b in plain loops, on sizes of the test's choice. */
function linearCase(n: number, k: number, m: number, seed = 1): Tensors {
  const random = createRandom(seed);
  const [x, w, b] = [n * k, m * k, m].map((size) => Float32Array.from(random.normals(size)));
  const y = Float64Array.from({ length: n * m }, (_, index) => {
    const [i, j] = [Math.floor(index / m), index % m];
    let sum = b![j]!;
    for (let l = 0; l < k; l++) sum += x![i * k + l]! * w![j * k + l]!;
    return sum;
  });
  return {
    'in.x': f32([n, k], x!),
    'in.weight': f32([m, k], w!),
    'in.bias': f32([m], b!),
    'out.y': f32([n, m], y),
    'out.grad_x': f32([n, k], x!),
  };
}

describe('goldens', () => {
  it('passes a case of any size, gradients aside', async () => {
    const results = await runGoldens(folderOf({ kernel_linear_odd: linearCase(7, 13, 3) }), backend);
    expect(results).toMatchObject([{ name: 'kernel_linear_odd', status: 'passed' }]);
    expect(summary(results)).toEqual({ line: '1 passed, 0 failed, 0 skipped', ok: true });
  });

  it('takes leading axes as rows', async () => {
    const tensors = linearCase(6, 5, 4);
    tensors['in.x'] = { ...tensors['in.x']!, shape: [2, 3, 5] };
    tensors['out.y'] = { ...tensors['out.y']!, shape: [2, 3, 4] };
    expect(await runGoldens(folderOf({ kernel_linear: tensors }), backend)).toMatchObject([
      { status: 'passed' },
    ]);
  });

  it('fails a value beyond the tolerance, and says which', async () => {
    const tensors = linearCase(7, 13, 3);
    (tensors['out.y']!.data as Float32Array)[5]! += 1e-4;
    const [result] = await runGoldens(folderOf({ kernel_linear: tensors }), backend);
    expect(result).toMatchObject({ status: 'failed', message: 'out.y' });
    expect(result!.worst).toBeGreaterThan(1);
    expect(formatGolden(result!)).toMatch(/^failed kernel_linear \d+(\.\d+)? \(out\.y\)$/);
  });

  it('uses the tolerance of the sidecar, and float64 values where there are any', async () => {
    const tensors = linearCase(7, 13, 3);
    (tensors['out.y']!.data as Float32Array)[5]! += 1e-4;
    const sidecar = { suggested_tolerance: { 'out.y': { atol: 2e-4 } } };
    const wide = await runGoldens(folderOf({ kernel_linear: tensors }, { kernel_linear: sidecar }), backend);
    expect(wide[0]!.status).toBe('passed');
    expect(wide[0]!.worst).toBeCloseTo(0.5, 2);
    const { shape, data } = linearCase(7, 13, 3)['out.y']!;
    tensors['out64.y'] = { dtype: 'f64', shape, data: Float64Array.from(data as Float32Array) };
    const precise = await runGoldens(
      folderOf({ kernel_linear: tensors }, { kernel_linear: sidecar }),
      backend,
    );
    expect(precise[0]!.worst).toBeLessThan(0.01);
  });

  it.each<[string, (tensors: Tensors) => void, RegExp]>([
    ['a NaN', (t) => ((t['in.x']!.data as Float32Array)[0] = NaN), /out\.y/],
    ['an output that is not produced', (t) => (t['out.z'] = t['out.y']!), /out\.z was not produced/],
    ['another shape', (t) => (t['out.y'] = { ...t['out.y']!, shape: [3, 7] }), /instead of f64\[3, 7\]/],
    ['a missing input', (t) => delete t['in.weight'], /no such tensor/],
    ['no output', (t) => delete t['out.y'], /nothing to compare/],
  ])('fails %s', async (_, spoil, message) => {
    const tensors = linearCase(7, 13, 3);
    spoil(tensors);
    const [result] = await runGoldens(folderOf({ kernel_linear: tensors }), backend);
    expect(result!.status).toBe('failed');
    expect(result!.message).toMatch(message);
  });

  it.each([
    ['negative', { atol: -1 }, '-1'],
    ['not a number', { atol: 'NaN' }, '"NaN"'],
    ['missing', { rtol: 1 }, 'undefined'],
    ['negative without a key', -1e-9, '-1e-9'],
  ])('fails a tolerance that is %s, and names it', async (_, entry, found) => {
    const sidecar = { suggested_tolerance: { 'out.y': entry } };
    const folder = folderOf({ kernel_linear: linearCase(7, 13, 3) }, { kernel_linear: sidecar });
    const [result] = await runGoldens(folder, backend);
    expect(result).toMatchObject({ status: 'failed', worst: undefined });
    expect(result!.message).toContain('kernel_linear.json: suggested_tolerance.out.y: not a tolerance');
    if (found !== 'undefined') expect(result!.message).toContain(`found ${found}`);
  });

  it('fails a tensor that two files of a case have, also where the case is skipped', async () => {
    const tensors = linearCase(5, 6, 7);
    const again = { 'in.weight': tensors['in.weight']! };
    for (const name of ['kernel_linear', 'sgm_unet']) {
      for (const shard of [`${name}_w1`, `${name}_part1`]) {
        const [result] = await runGoldens(folderOf({ [name]: tensors, [shard]: again }), backend);
        expect(result).toMatchObject({ name, status: 'failed' });
        expect(result!.message).toMatch(`${shard}.safetensors: in.weight: another file of ${name}`);
      }
    }
  });

  it.each(['kernel_linear', 'kernel_linear_w1', 'sgm_vae'])('fails a half of %s', async (name) => {
    const { 'in.weight': weight, ...rest } = linearCase(5, 6, 7);
    const whole = folderOf({
      kernel_linear: rest,
      kernel_linear_w1: { 'in.weight': weight! },
      sgm_vae: rest,
    });
    for (const half of ['json', 'safetensors']) {
      const missing = `${name}.${half}`;
      const folder: Folder = {
        name: 'memory',
        list: async () => (await whole.list()).filter((path) => path !== missing),
        open: (path) => whole.open(path === missing ? 'nowhere' : path),
      };
      const failed = (await runGoldens(folder, backend)).filter(({ status }) => status === 'failed');
      expect(failed).toMatchObject([
        { name: name.replace(/_w1$/, ''), message: expect.stringMatching(/nowhere/) },
      ]);
    }
  });

  it('skips what is known to come later, and fails what nobody knows', async () => {
    const tensors = linearCase(2, 3, 4);
    const known = ['lite_mind', 'mindeye2_grads_x', 'gnet_encoder_b', 'open_clip_vit'];
    const unknown = [
      'kernel_line',
      'kernel_linearly',
      'kernel_attn_x',
      'mindeye2_bogus',
      'umbraes',
      'something',
    ];
    const names = [...known, ...unknown];
    const results = await runGoldens(
      folderOf(Object.fromEntries(names.map((name) => [name, tensors]))),
      backend,
    );
    const having = (wanted: string) =>
      results.flatMap(({ name, status }) => (status === wanted ? [name] : [])).sort();
    expect(having('skipped')).toEqual(known.sort());
    expect(having('failed')).toEqual(unknown.sort());
    expect(results.find(({ name }) => name === 'mindeye2_grads_x')!.message).toMatch(/gradients/);
  });

  it('is no success when nothing passed', async () => {
    const results = await runGoldens(folderOf({ lite_mind: linearCase(2, 3, 4) }), backend);
    expect(summary(results)).toEqual({ line: '0 passed, 0 failed, 1 skipped', ok: false });
    expect(summary([]).ok).toBe(false);
  });

  it('finds the weights of a case in its shards', async () => {
    const { 'in.weight': weight, ...rest } = linearCase(5, 6, 7);
    const folder = folderOf({ kernel_linear: rest, kernel_linear_w1: { 'in.weight': weight! } });
    expect(await runGoldens(folder, backend)).toMatchObject([{ name: 'kernel_linear', status: 'passed' }]);
  });

  it('fails a case whose sidecar is missing', async () => {
    const folder = folderOf({ kernel_linear: linearCase(5, 6, 7) });
    const without = {
      ...folder,
      open: (path: string) => folder.open(path.endsWith('.json') ? 'nowhere' : path),
    };
    expect(await runGoldens(without, backend)).toMatchObject([
      { status: 'failed', message: expect.stringMatching(/nowhere/) },
    ]);
  });

  itWith('goldens', 'MANIFEST.json')('of the original implementations hold on the reference', async () => {
    const folder: Folder = {
      name: 'goldens',
      list: () => readdir(goldensFolder!),
      open: async (path) => bytesSource(await readFile(join(goldensFolder!, path)), path),
    };
    const results = await runGoldens(folder, backend);
    expect(results.filter(({ status }) => status === 'failed')).toEqual([]);
    const passed = results.filter(({ status }) => status === 'passed').map(({ name }) => name);
    expect(passed).toEqual(
      expect.arrayContaining([...EVERYWHERE, 'ridge_n_lt_p', 'ridge_banded', 'brain_diffuser']),
    );
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
  });
});
