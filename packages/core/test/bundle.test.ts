import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../src/bundle/hash.ts';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  F2iError,
  FORMAT_VERSION,
  type Folder,
  memoryFolder,
  openBundle,
  openSafetensors,
  RidgeDecoder,
  type RidgeDecoderOptions,
  readBundle,
  saveBundle,
  VERSION,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

type Files = Map<string, Uint8Array>;
// biome-ignore lint/suspicious/noExplicitAny: tests write nonsense into it
type LooseModel = any;

const random = createRandom(1);
const data = {
  voxels: { data: Float32Array.from(random.normals(24 * 10)), shape: [24, 10] },
  targets: { data: Float32Array.from({ length: 24 * 6 }, () => random.uniform()), shape: [24, 2, 3] },
  output: { kind: 'picture', shape: [2, 3], range: [0, 1] },
  groups: Array.from({ length: 24 }, (_, i) => `run-${i % 3}`),
  sawTest: 'no',
  input: {
    selection: 'V1',
    selectionSha256: 'ab'.repeat(32),
    repetitionTime: 1.3,
    preprocess: [{ name: 'detrend', settings: { order: 2 } }],
  },
} as const;
const unseen = { data: Float32Array.from(random.normals(5 * 10)), shape: [5, 10] };

const fit = (options: RidgeDecoderOptions = {}) => RidgeDecoder.fit({ ...data }, options, { backend });

async function save(decoder: RidgeDecoder, options?: Parameters<typeof saveBundle>[2]): Promise<Files> {
  const files: Files = new Map();
  await saveBundle(decoder, async (path, bytes) => void files.set(path, bytes.slice()), options);
  return files;
}
const open = (files: Files | Folder) =>
  openBundle(files instanceof Map ? memoryFolder(files, 'my.bundle') : files, { backend });

async function bundle(options?: RidgeDecoderOptions): Promise<Files> {
  const decoder = await fit(options);
  const files = await save(decoder);
  decoder.dispose();
  return files;
}

/** The bundle with model.json changed, and its content hash made to fit again, as a forger would. */
async function withModel(files: Files, change: (model: LooseModel) => void): Promise<Files> {
  const model = JSON.parse(new TextDecoder().decode(files.get('model.json')));
  change(model);
  const write = (contentHash: string) =>
    new TextEncoder().encode(`${JSON.stringify({ ...model, contentHash }, undefined, 2)}\n`);
  const hash = await sha256(write('0'.repeat(64)));
  return new Map([...files, ['model.json', write(hash)]]);
}

describe('bundles', () => {
  const kinds: RidgeDecoderOptions[] = [
    { storage: 'primal' },
    { storage: 'dual', alphas: 10 },
    { storage: 'dual', alphas: [1e-5, 1e-4], lags: [0, 1] },
    { lags: [-1, 0, 2], perTarget: false },
  ];
  it.each(kinds)('give the same pictures after saving and opening: %j', async (options) => {
    const decoder = await fit(options);
    const files = await save(decoder);
    const opened = await open(files);
    expect(await opened.predict(unseen)).toEqual(await decoder.predict(unseen));
    expect((opened as RidgeDecoder).model).toEqual(decoder.model);
    expect([opened.kind, opened.voxels, opened.output]).toEqual(['ridge', 10, decoder.output]);
    expect(opened.warnings).toEqual(decoder.warnings);
    decoder.dispose();
    opened.dispose();
  });

  it('are the same bytes for the same fit, with the content hash as their identity', async () => {
    const [one, other] = [await bundle(), await bundle()];
    expect(one).toEqual(other);
    const decoder = await fit();
    const files: Files = new Map();
    const hash = await saveBundle(decoder, async (path, bytes) => void files.set(path, bytes));
    expect((await readBundle(memoryFolder(files, 'b'))).model.contentHash).toBe(hash);
    decoder.dispose();
  });

  it('say whether training responses can be read out of them', async () => {
    const dual = await readBundle(memoryFolder(await bundle({ storage: 'dual' }), 'b'));
    expect(dual.model.containsTrainingData).toBe(true);
    expect(dual.contents.tensors.map(({ name }) => name)).toContain('training_voxels');
    const primal = await readBundle(memoryFolder(await bundle(), 'b'));
    expect(primal.model.containsTrainingData).toBe(false);
  });

  it('keep what they are, how they were made and who may use them', async () => {
    const decoder = await fit();
    const files = await save(decoder, {
      created: new Date(0),
      dataTerms: 'CC0',
      consentReference: 'protocol 7',
      pseudonym: 'sub-01',
    });
    decoder.dispose();
    const { model } = await readBundle(memoryFolder(files, 'b'));
    expect(model).toMatchObject({
      created: '1970-01-01T00:00:00.000Z',
      dataTerms: 'CC0',
      consentReference: 'protocol 7',
      pseudonym: 'sub-01',
      writer: { name: 'fmri2image', version: VERSION },
      input: { voxels: 10, ...data.input },
      config: { storage: 'primal', lags: [0], intercept: true, standardize: true },
    });
    expect(model.ledger.every(({ runs }) => runs.join() === 'run-0,run-1,run-2')).toBe(true);
  });

  it('can be read by any program: safetensors that follow the documented formula', async () => {
    const files = await bundle({ lags: [0, 1], storage: 'dual' });
    const weights = await openSafetensors(await memoryFolder(files, 'b').open('weights.safetensors'));
    const of = async (name: string) => (await weights.read(name)).data as Float32Array;
    const [mean, std, target, dual, training] = [
      await of('voxel_mean'),
      await of('voxel_std'),
      await of('target_mean'),
      await of('dual_weights'),
      await of('training_voxels'),
    ];
    // Trial 2 and its successor, standardised; similarities to the training trials; their weights.
    const z = Array.from({ length: 20 }, (_, k) => (unseen.data[2 * 10 + k]! - mean[k]!) / std[k]!);
    const expected = Array.from(target, (value, t) => {
      let sum = value;
      for (let i = 0; i < 24; i++) {
        const similarity = z.reduce((dot, zk, k) => dot + zk * training[i * 20 + k]!, 0);
        sum += similarity * dual[i * 6 + t]!;
      }
      return Math.min(1, Math.max(0, sum));
    });
    const opened = await open(files);
    const found = (await opened.predict(unseen)).subarray(12, 18);
    for (const [t, value] of expected.entries()) expect(found[t]).toBeCloseTo(value, 5);
    opened.dispose();
  });

  it('state the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(VERSION).toBe(version);
  });
});

describe('versions of the format', () => {
  const future = (formatVersion: number, minReader: number) =>
    bundle().then((files) =>
      withModel(files, (m) => {
        Object.assign(m, { formatVersion, minReader, dose: 3 });
        m.input.coil = { channels: 32 };
        m.ledger[0].when = 'before';
        m.files['thumbnail.png'] = { bytes: 12 };
      }),
    );

  it('newer ones that old readers understand are opened, and say what was ignored', async () => {
    for (const version of [FORMAT_VERSION + 1, 99]) {
      const files = await future(version, FORMAT_VERSION);
      const { model, warnings } = await readBundle(memoryFolder(files, 'b'));
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(
        new RegExp(`version ${version}, newer than this reader \\(${FORMAT_VERSION}\\)`),
      );
      expect(warnings[0]).toMatch(/ignored: input\.coil, ledger\.0\.when, files\.thumbnail\.png, dose$/);
      expect(model).not.toHaveProperty('dose');
      const [opened, plain] = [await open(files), await open(await bundle())];
      expect(opened.warnings).toContain(warnings[0]);
      expect(opened.warnings).toEqual([warnings[0], ...plain.warnings]);
      expect(await opened.predict(unseen)).toEqual(await plain.predict(unseen));
      opened.dispose();
      plain.dispose();
    }
  });

  it('those that need a newer reader are refused, naming both versions', async () => {
    const error = await open(await future(99, 99)).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', field: 'minReader', found: '99' });
    expect(error.message).toContain(
      `format version 99 that needs a reader of version 99; this one is ${FORMAT_VERSION}`,
    );
  });

  it('what a field means does not change with the version: nonsense stays an error', async () => {
    const files = await withModel(await bundle(), (m) => {
      Object.assign(m, { formatVersion: 99 });
      m.ledger[0].sawTest = 'partly';
    });
    await expect(open(files)).rejects.toThrow(
      /ledger\.0\.sawTest.*expected "yes" or "no" or "unknown", found "partly"/,
    );
  });

  it('in a bundle of the reader’s own version, an unknown field is an error', async () => {
    const files = await withModel(await bundle(), (m) => {
      m.input.coil = 32;
    });
    await expect(open(files)).rejects.toThrow(/input: unknown key "coil".*expected one of voxels/);
  });
});

describe('damaged bundles', () => {
  const rejected = async (files: Files | Folder, code: string, text: RegExp) => {
    const error = await open(files).then(
      () => 'opened',
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(F2iError);
    expect(error.message).toMatch(text);
    expect(error.code).toBe(code);
  };

  it('are refused when a file is missing', async () => {
    const files = await bundle();
    for (const name of files.keys()) {
      const rest = new Map([...files].filter(([path]) => path !== name));
      await rejected(rest, 'IO', new RegExp(`my.bundle/${name}`));
    }
    files.delete('model.json');
    await rejected(files, 'IO', /my\.bundle\/model\.json: no such file: the folder is no bundle/);
  });

  it('are refused when any file was cut', async () => {
    const files = await bundle();
    for (const [name, bytes] of files) {
      for (const length of [0, 1, bytes.length >> 1, bytes.length - 1]) {
        const cut = new Map([...files, [name, bytes.slice(0, length)]] as const);
        await rejected(cut, 'FORMAT', new RegExp(name));
      }
    }
  });

  it('are refused at any flipped bit', async () => {
    const files = await bundle();
    const draw = createRandom(3);
    for (const [name, bytes] of files) {
      for (let i = 0; i < 300; i++) {
        const damaged = bytes.slice();
        damaged[draw.integer(bytes.length)]! ^= 1 << draw.integer(8);
        const error = await open(new Map([...files, [name, damaged]])).then(
          () => 'opened',
          (reason) => reason,
        );
        expect(error).toBeInstanceOf(F2iError);
        expect(error.message).toContain('my.bundle');
      }
    }
  });

  it('name what is no bundle, and no version', async () => {
    const files = await bundle();
    const change = (edit: (model: LooseModel) => void) => withModel(files, edit);
    await rejected(await change((m) => (m.formatVersion = '1')), 'FORMAT', /formatVersion.*found "1"/);
    await rejected(await change((m) => (m.formatVersion = 0)), 'FORMAT', /formatVersion.*found 0/);
    await rejected(await change((m) => delete m.minReader), 'FORMAT', /minReader.*found nothing/);
    await rejected(await change((m) => (m.minReader = 2)), 'FORMAT', /minReader.*at most 1, found 2/);
    await rejected(await change((m) => (m.format = 'zip')), 'FORMAT', /format: not a bundle.*found "zip"/);
    await rejected(
      await change((m) => (m.kind = 'constructor')),
      'UNSUPPORTED',
      /kind: unknown kind.*expected .*ridge/,
    );
  });

  it('name the field that lies, even when the checksum was made to fit', async () => {
    const files = await bundle();
    const dual = await bundle({ storage: 'dual' });
    const lies: [edit: (model: LooseModel) => void, text: RegExp, of?: Files][] = [
      [(m) => (m.surprise = 1), /surprise/],
      [(m) => delete m.ledger, /ledger/],
      [(m) => (m.ledger[0].sawTest = 'perhaps'), /ledger\.0\.sawTest/],
      [(m) => (m.input.voxels = 11), /tensors\.voxel_mean: .*expected f32 \[11\], found f32 \[10\]/],
      [(m) => (m.input.voxels = 1e15), /tensors\.voxel_mean/],
      [(m) => (m.input.voxels = -10), /input\.voxels/],
      [(m) => (m.output.shape = [3, 3]), /tensors\.target_mean/],
      [(m) => (m.output.shape = [0, 3]), /output\.shape/],
      [(m) => (m.output.range = [1, 1]), /output\.range/],
      [(m) => (m.output.shape = [6]), /output\.shape/],
      [(m) => (m.config.lags = [0, 1]), /tensors\.voxel_mean.*\[20\]/],
      [(m) => (m.config.lags = [0.5]), /config\.lags/],
      [(m) => (m.config.storage = 'dual'), /tensors\.dual_weights/],
      [(m) => (m.containsTrainingData = true), /containsTrainingData/],
      [(m) => (m.containsTrainingData = false), /containsTrainingData/, dual],
      [(m) => (m.tensors.weights.shape = [6, 10]), /weights.*expected f32 \[6, 10\], found f32 \[10, 6\]/],
      [
        (m) => (m.tensors.weights.shape = [2 ** 45, 2 ** 30]),
        /weights.*expected f32 \[35184372088832, 1073741824\]/,
      ],
      [(m) => (m.output.shape = [2 ** 50, 2 ** 50, 3]), /tensors\.target_mean/],
      [(m) => (m.tensors.more = m.tensors.weights), /more/],
      [(m) => (m.files['weights.safetensors'].bytes = 7), /expected 7 bytes/],
      [(m) => (m.files['weights.safetensors'].bytes = 1e12), /one checksum for each 64 MiB/],
      [(m) => (m.files['weights.safetensors'].sha256 = ['0'.repeat(64)]), /checksum differs/],
      [(m) => (m.files['../../secret'] = m.files['weights.safetensors']), /secret/],
    ];
    for (const [edit, text, of = files] of lies) {
      const forged = await withModel(of, edit);
      await rejected(forged, 'FORMAT', text);
    }
  });

  it('never open another file than the two', async () => {
    const opened: string[] = [];
    const inner = memoryFolder(await bundle(), 'b');
    const folder: Folder = {
      ...inner,
      open(path) {
        opened.push(path);
        return inner.open(path);
      },
    };
    (await open(folder)).dispose();
    expect(opened).toEqual(['model.json', 'weights.safetensors']);
  });

  it('are refused when weights hold NaN, though their checksum fits', async () => {
    const decoder = await fit();
    const poisoned = decoder.toBundle();
    decoder.dispose();
    const weights = poisoned.tensors.find(({ name }) => name === 'weights')!;
    (weights.data as Float32Array)[7] = Number.NaN;
    const files: Files = new Map();
    await saveBundle({ toBundle: () => poisoned }, async (path, bytes) => void files.set(path, bytes));
    await rejected(files, 'FORMAT', /tensors\.weights.*NaN at element 7/);
  });

  it('survive mutations of the description with a correct checksum', async () => {
    // Random edits of the JSON tree: whatever happens is an F2iError or a decoder of the same form.
    const files = await bundle();
    const draw = createRandom(9);
    const values: unknown[] = [
      null,
      -1,
      0,
      1e300,
      2 ** 40,
      '',
      'x',
      [],
      {},
      [1],
      true,
      { __proto__: null, constructor: 1 },
    ];
    for (let i = 0; i < 400; i++) {
      const forged = await withModel(files, (model) => {
        let node: LooseModel = model;
        for (;;) {
          const keys = Object.keys(node);
          const key = keys[draw.integer(keys.length)]!;
          const child = node[key];
          const inner = typeof child === 'object' && child !== null && Object.keys(child).length > 0;
          if (inner && draw.uniform() < 0.7) node = child;
          else {
            if (draw.uniform() < 0.2) delete node[key];
            else node[key] = values[draw.integer(values.length)];
            return;
          }
        }
      });
      const outcome = await open(forged).catch((reason) => reason);
      if (outcome instanceof RidgeDecoder) {
        expect((await outcome.predict(unseen)).length).toBe(30);
        outcome.dispose();
      } else expect(outcome).toBeInstanceOf(F2iError);
    }
  });
});
