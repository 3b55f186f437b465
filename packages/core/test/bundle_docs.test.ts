import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { keptBundle, keptPictures } from '../conformance/index.ts';
import {
  bytesSource,
  clipConverter,
  convertedModel,
  createRandom,
  createReferenceBackend,
  encodeNpy,
  encodeSafetensors,
  expectedWeights,
  type FileContent,
  type Folder,
  matchWeights,
  memoryFolder,
  openBundle,
  openBundleWeights,
  openWeights,
  prepareExport,
  RidgeDecoder,
  type Rows,
  readBundle,
  saveBundle,
  toFloat32,
  writeWeights,
} from '../src/index.ts';
import { repositoryRoot } from './shared.ts';

const page = readFileSync(join(repositoryRoot, 'docs/bundle.md'), 'utf8');

/** The Python under a heading of the page. */
function python(heading: string): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading));
  const blocks = [...(section ?? '').matchAll(/```python\n(.*?)```/gs)].map(([, code]) => code!);
  return blocks.join('\n');
}

/** A Python with numpy, from the PATH or where systems keep theirs. */
const interpreter = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import numpy'], { timeout: 300_000 }).status === 0,
);

describe('docs/bundle.md', () => {
  it('shows how to read, verify and apply a bundle', () => {
    expect(python('Reading one')).toMatch(/hashlib.*contentHash.*frombuffer/s);
    expect(python('kind `ridge`')).toMatch(/def predict/);
  });

  it('explains every field that a bundle with all of them has', async () => {
    const { model } = await readBundle(keptBundle('ridge_dual_v1'));
    const keys = [
      ...Object.keys(model),
      ...Object.keys(model.input).map((key) => `input.${key}`),
      ...Object.keys(model.config),
      ...Object.keys(model.tensors),
    ];
    for (const key of keys) expect(page.includes(`\`${key}`), key).toBe(true);
  });
});

describe.skipIf(!interpreter)('the Python of docs/bundle.md (skipped where no python3 has numpy)', () => {
  const root = mkdtempSync(join(tmpdir(), 'fmri2image-docs-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const backend = createReferenceBackend();
  let count = 0;

  /** Runs the page's code in a folder that holds the bundle as `my-decoder`. */
  async function apply(bundle: Folder, betas: Rows, runs?: readonly number[]) {
    const folder = join(root, `${count++}`);
    for (const name of await bundle.list()) {
      const source = await bundle.open(name);
      const path = join(folder, 'my-decoder', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, await source.read(0, source.size));
    }
    const data = Float32Array.from(betas.data);
    writeFileSync(join(folder, 'betas.npy'), encodeNpy({ dtype: 'f32', shape: [...betas.shape], data }));
    const code = [
      python('Reading one'),
      python('kind `ridge`'),
      `runs = ${runs ? JSON.stringify(runs) : 'None'}`,
      'pictures = predict(np.load("betas.npy"), runs)',
      'print(json.dumps({"shape": pictures.shape, "values": pictures.ravel().tolist()}))',
    ].join('\n');
    const options = { cwd: folder, encoding: 'utf8', timeout: 300_000, maxBuffer: 2 ** 26 } as const;
    const { status, stdout, stderr } = spawnSync(interpreter!, ['-c', code], options);
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as { shape: number[]; values: number[] };
  }

  const worst = (one: ArrayLike<number>, other: ArrayLike<number>) => {
    expect(one.length).toBe(other.length);
    return Array.from(one).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
  };

  async function saved(contents: Parameters<typeof saveBundle>[0]): Promise<Folder> {
    const files = new Map<string, Uint8Array>();
    await saveBundle(contents, async (path, bytes) => void files.set(path, bytes));
    return memoryFolder(files, 'b');
  }

  it.each(['ridge_v1', 'ridge_dual_v1', 'ridge_labels_v3'])('gives the pictures of %s', async (name) => {
    const { betas, pictures } = keptPictures(name);
    const found = await apply(keptBundle(name), betas);
    expect(found.shape[0]).toBe(betas.shape[0]);
    expect(worst(found.values, pictures)).toBeLessThan(2e-6);
  });

  it('gives features, voxels without variance, and lags that stop at the borders of runs', async () => {
    const random = createRandom(5);
    const [n, v] = [18, 7];
    const voxels = Float32Array.from(random.normals(n * v), (value, i) => (i % v === 3 ? 100 : value));
    const data = {
      voxels: { data: voxels, shape: [n, v] },
      targets: { data: Float32Array.from(random.normals(n * 6)), shape: [n, 2, 3] },
      groups: Array.from({ length: n }, (_, i) => i % 3),
      runs: Array.from({ length: n }, (_, i) => Math.floor(i / 6)),
    };
    const decoder = await RidgeDecoder.fit(data, { lags: [-1, 0, 2], alphas: 4 }, { backend });
    const folder = await saved(decoder);
    const unseen = { data: Float32Array.from(random.normals(9 * v)), shape: [9, v] };
    const runs = [0, 0, 0, 0, 1, 1, 0, 0, 0];
    const expected = await decoder.predict(unseen, { runs });
    const found = await apply(folder, unseen, runs);
    expect(found.shape).toEqual([9, 2, 3]);
    expect(worst(found.values, expected)).toBeLessThan(2e-6);
    expect(worst(await decoder.predict(unseen), expected)).toBeGreaterThan(0.01);
    decoder.dispose();
  });

  it('gives the same of an exported bundle', async () => {
    const bundle = keptBundle('ridge_dual_v1');
    const opened = await readBundle(bundle);
    const options = { shareable: true, primal: true, pseudonym: null };
    const { contents } = await prepareExport(opened, bundle, options, { backend });
    const { betas, pictures } = keptPictures('ridge_dual_v1');
    const found = await apply(await saved({ toBundle: () => contents }), betas);
    expect(worst(found.values, pictures)).toBeLessThan(2e-6);
  });

  it.each(['f16', 'bf16'] as const)('reads weights in several files, as %s', async (dtype) => {
    const extents = new Map(Object.entries({ tokens: 5, tokensOut: 300, clip: 40, clipOut: 3 }));
    const random = createRandom(6);
    const tensors = expectedWeights(clipConverter, { extents, counts: new Map(), groups: new Set() }).map(
      ({ name, shape }) => {
        const data = Float32Array.from(random.normals(shape.reduce((a, b) => a * b, 1)));
        return { name, dtype: 'f32' as const, shape, data };
      },
    );
    const source = await openWeights(bytesSource(encodeSafetensors(tensors), 'c.safetensors'));
    const matched = matchWeights(source, clipConverter);
    const files = new Map<string, Uint8Array>();
    const write = async (path: string, content: FileContent) => {
      const pieces: Uint8Array[] = [];
      if (typeof content === 'string') throw new Error('bytes are written');
      if (content instanceof Uint8Array) pieces.push(content);
      else for await (const piece of content) pieces.push(piece);
      files.set(path, Uint8Array.from(Buffer.concat(pieces)));
    };
    const model = convertedModel(source, matched, dtype);
    await writeWeights(source, matched, model, write, { dtype, shardBytes: 1000 });
    expect(files.size).toBeGreaterThan(3);
    const folder = join(root, `${count++}`, 'my-decoder');
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    const code = `${python('Reading one')}\nprint(json.dumps({name: x.ravel().tolist() for name, x in w.items()}))`;
    const options = { cwd: dirname(folder), encoding: 'utf8', timeout: 300_000 } as const;
    const { status, stdout, stderr } = spawnSync(interpreter!, ['-c', code], options);
    if (status !== 0) throw new Error(stderr);
    const { weights } = await openBundleWeights(memoryFolder(files, 'b'));
    const found = JSON.parse(stdout) as Record<string, number[]>;
    expect(Object.keys(found)).toEqual([...weights.entries.keys()]);
    for (const [name, values] of Object.entries(found)) {
      expect(values, name).toEqual(Array.from(toFloat32(await weights.read(name))));
    }
  });

  it('notices what our reader notices', async () => {
    const bundle = keptBundle('ridge_v1');
    const { betas } = keptPictures('ridge_v1');
    const read = async (name: string) => {
      const source = await bundle.open(name);
      return (await source.read(0, source.size)).slice();
    };
    const [model, weights] = [await read('model.json'), await read('weights.safetensors')];
    const text = new TextDecoder().decode(model);
    const flipped = weights.slice();
    flipped[flipped.length - 9]! ^= 1;
    const attempts: [string, Uint8Array, Uint8Array][] = [
      ['a changed field', new TextEncoder().encode(text.replace('"trials": 48', '"trials": 49')), weights],
      ['a flipped bit', model, flipped],
      ['a cut file', model, weights.subarray(0, -8)],
      ['other tensors', model, encodeSafetensors([])],
      ['a doubled key', new TextEncoder().encode(text.replace('"kind"', '"kind": "x",\n  "kind"')), weights],
      ['a newer reader', new TextEncoder().encode(text.replace('"minReader": 1', '"minReader": 2')), weights],
    ];
    for (const [what, one, other] of attempts) {
      const folder = memoryFolder(
        [['model.json', one] as const, ['weights.safetensors', other] as const],
        'b',
      );
      await expect(apply(folder, betas), what).rejects.toThrow(/AssertionError/);
      await expect(openBundle(folder, { backend }), what).rejects.toThrow();
    }
  });
});
