import { afterAll, describe, expect, it } from 'vitest';
import { keptBundle, keptPictures } from '../conformance/index.ts';
import {
  type Backend,
  type BundleContents,
  createRandom,
  createReferenceBackend,
  diffBundles,
  type ExportOptions,
  F2iError,
  FORMAT_VERSION,
  type Folder,
  memoryFolder,
  type OpenedBundle,
  openBundle,
  prepareExport,
  primalRidge,
  RidgeDecoder,
  readBundle,
  type SaveOptions,
  saveBundle,
} from '../src/index.ts';

const backend = createReferenceBackend();
afterAll(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

async function saved(contents: BundleContents, options?: SaveOptions): Promise<Folder> {
  const files = new Map<string, Uint8Array>();
  await saveBundle({ toBundle: () => contents }, async (path, bytes) => void files.set(path, bytes), options);
  return memoryFolder(files, 'new.bundle');
}

async function exported(folder: Folder, options: ExportOptions, on: Backend = backend) {
  const prepared = await prepareExport(await readBundle(folder), folder, options, { backend: on });
  const copy = await saved(prepared.contents, prepared.options);
  return { ...prepared, folder: copy, model: (await readBundle(copy)).model };
}

const dual = keptBundle('ridge_dual_v1');
const refused = (folder: Folder, options: ExportOptions) =>
  exported(folder, options).then(
    () => 'exported',
    (error) => error,
  );
/** The kept dual bundle with changed contents, as another program might have written it. */
const changed = async (change: (contents: BundleContents) => object, options?: SaveOptions) => {
  const { contents } = await readBundle(dual);
  return saved({ ...contents, ...change(contents) }, options);
};

describe('conversion to primal weights', () => {
  it('is W = Xᵀ C, rounded to float32 once', async () => {
    const { contents } = await exported(dual, { primal: true });
    const before = (await readBundle(dual)).contents.tensors;
    const of = (list: BundleContents['tensors'], name: string) =>
      list.find((tensor) => tensor.name === name)!;
    const [x, c] = [of(before, 'training_voxels'), of(before, 'dual_weights')];
    const w = of(contents.tensors, 'weights');
    expect(w).toMatchObject({ dtype: 'f32', shape: [24, 20] });
    for (let k = 0; k < 24; k++) {
      for (let t = 0; t < 20; t++) {
        let [sum, size] = [0, 0];
        for (let i = 0; i < 24; i++) {
          const product = (x.data[i * 24 + k] as number) * (c.data[i * 20 + t] as number);
          sum += product;
          size += Math.abs(product);
        }
        const error = Math.abs((w.data[k * 20 + t] as number) - sum);
        expect(error).toBeLessThanOrEqual(2 ** -24 * Math.abs(sum) + 1e-14 * size);
      }
    }
    expect(contents.containsTrainingData).toBe(false);
    expect(contents.tensors.map(({ name }) => name)).not.toContain('training_voxels');
  });

  it('changes outputs by no more than the stated bound', async () => {
    const { contents, folder } = await exported(dual, { primal: true });
    const { betas, pictures } = keptPictures('ridge_dual_v1');
    const decoder = await openBundle(folder, { backend });
    const found = await decoder.predict(betas);
    decoder.dispose();
    const tensor = (name: string) =>
      contents.tensors.find((entry) => entry.name === name)!.data as Float32Array;
    const [mean, std, w] = [tensor('voxel_mean'), tensor('voxel_std'), tensor('weights')];
    let worst = 0;
    for (let row = 0; row < 12; row++) {
      // Lags 0 and 1; beyond the end of the run its last row.
      const x = [row, Math.min(11, row + 1)].flatMap((at) => [...betas.data.subarray(at * 12, at * 12 + 12)]);
      for (let t = 0; t < 20; t++) {
        const size = x.reduce(
          (sum, value, k) => sum + Math.abs(((value - mean[k]!) / std[k]!) * w[k * 20 + t]!),
          0,
        );
        const error = Math.abs(found[row * 20 + t]! - pictures[row * 20 + t]!);
        worst = Math.max(worst, error);
        // Both predictions were rounded to float32 once more, and so were the standardised voxels.
        expect(error).toBeLessThanOrEqual(2 ** -24 * (size + 4));
      }
    }
    expect(worst).toBeGreaterThan(0);
  });

  it('is noted, with where it came from, and keeps everything else', async () => {
    const { model, changes } = await exported(dual, { primal: true });
    const parent = (await readBundle(dual)).model;
    expect(changes).toEqual(['training responses replaced by weights of voxels']);
    expect(model.ledger.at(-1)).toMatchObject({
      step: expect.stringMatching(/weights of voxels/),
      runs: parent.ledger.at(-1)!.runs,
      sawTest: 'no',
      note: expect.stringContaining(parent.contentHash),
    });
    expect(model.report.export).toEqual([{ parent: parent.contentHash, changes: [...changes] }]);
    expect(model).toMatchObject({
      created: parent.created,
      dataTerms: parent.dataTerms,
      consentReference: parent.consentReference,
      pseudonym: parent.pseudonym,
      input: parent.input,
      output: parent.output,
      config: { ...parent.config, storage: 'primal' },
      containsTrainingData: false,
    });
  });

  it('works in blocks of voxels and targets as it does at once', async () => {
    const random = createRandom(4);
    const [n, v, t] = [3, 40, 30];
    const fitted = await RidgeDecoder.fit(
      {
        voxels: { data: Float32Array.from(random.normals(n * v)), shape: [n, v] },
        targets: { data: Float32Array.from(random.normals(n * t)), shape: [n, t] },
      },
      { storage: 'dual', alphas: 2 },
      { backend },
    );
    const folder = await saved(fitted.toBundle());
    const whole = await exported(folder, { primal: true });
    const blocks = await primalRidge((await readBundle(folder)).contents, 'b', {
      backend,
      blockBytes: 8 * n * 7,
    });
    const weights = (contents: BundleContents) =>
      contents.tensors.find(({ name }) => name === 'weights')!.data;
    expect(weights(blocks)).toEqual(weights(whole.contents));
    fitted.dispose();
  });

  it('refuses primal weights of an absurd size, naming both', async () => {
    const error = await refused(dual, { primal: true, primalLimitBytes: 1000 });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'tensors.weights' });
    expect(error.message).toMatch(
      /24 voxels.*20 outputs.*dual form of 24 trials takes.*at most 1\.0 kB, found 1\.9 kB/,
    );
  });

  it('needs a device with float64, and says so', async () => {
    const single = Object.create(backend, {
      supports: { value: () => 'no float64' },
      name: { value: 'webgpu' },
    }) as Backend;
    const opened = await readBundle(dual);
    await expect(prepareExport(opened, dual, { primal: true }, { backend: single })).rejects.toThrow(
      /float64/,
    );
  });

  it('does not forget that test data were seen, nor the seed', async () => {
    const folder = await changed(({ ledger }) => ({
      seed: 12,
      ledger: ledger.map((step) => ({ ...step, sawTest: 'yes' })),
    }));
    const { model } = await exported(folder, { primal: true });
    expect(model.seed).toBe(12);
    expect(model.ledger.at(-1)!.sawTest).toBe('yes');
  });

  it('leaves a primal bundle as it is', async () => {
    const folder = keptBundle('ridge_v1');
    expect((await exported(folder, { primal: true })).changes).toEqual([]);
  });
});

describe('a bundle to share', () => {
  const SHARE = { shareable: true, primal: true, pseudonym: null } as const;

  it('is refused while it holds training responses, with the remedy', async () => {
    const error = await refused(dual, { shareable: true });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'containsTrainingData' });
    expect(error.message).toMatch(
      /new|ridge_dual_v1\/model\.json.*the tensor training_voxels, \[24, \d+\]\).*--primal/,
    );
  });

  it('states terms', async () => {
    for (const dataTerms of [null, ' ']) {
      const error = await refused(dual, { ...SHARE, dataTerms });
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'dataTerms' });
      expect(error.message).toMatch(/--data-terms/);
    }
    const { model } = await exported(dual, { ...SHARE, dataTerms: 'CC BY 4.0, cite doi:10.1/2' });
    expect(model.dataTerms).toBe('CC BY 4.0, cite doi:10.1/2');
  });

  it('carries no label, no file name, no date of the lab, and decodes as before', async () => {
    const { model, folder, changes, holds } = await exported(dual, SHARE);
    expect(changes).toEqual([
      'training responses replaced by weights of voxels',
      'pseudonym removed',
      'input.selection removed',
      'report.training removed',
      'labels of runs in the ledger removed',
      'created removed',
    ]);
    expect(model).not.toHaveProperty('created');
    expect(model).not.toHaveProperty('pseudonym');
    expect(model.input).not.toHaveProperty('selection');
    expect(model.report).not.toHaveProperty('training');
    expect(new Set(model.ledger.flatMap(({ runs }) => runs))).toEqual(new Set(['run-1', 'run-2']));
    for (const text of ['sub-07', 'visual-cortex', '2026', 'kept']) {
      expect(JSON.stringify(model)).not.toContain(text);
    }
    expect(holds.join()).toMatch(/no response and no stimulus of a single trial.*target_mean/);
    const { betas, pictures } = keptPictures('ridge_dual_v1');
    const decoder = await openBundle(folder, { backend });
    const found = await decoder.predict(betas);
    decoder.dispose();
    expect(Math.max(...found.map((value, i) => Math.abs(value - pictures[i]!)))).toBeLessThan(1e-6);
  });

  it('needs no second export: nothing is left to change', async () => {
    const once = await exported(dual, SHARE);
    expect((await exported(once.folder, SHARE)).changes).toEqual([]);
  });

  it('keeps what is stated for it', async () => {
    const { model } = await exported(dual, {
      ...SHARE,
      pseudonym: 'person A',
      selection: 'voxels of V1 to V3',
    });
    expect(model).toMatchObject({ pseudonym: 'person A', input: { selection: 'voxels of V1 to V3' } });
  });

  const ledger =
    (note: string, runs: string[] = []) =>
    (contents: BundleContents) => ({
      ledger: [...contents.ledger, { step: 'betas', runs, sawTest: 'unknown', note }],
    });
  it.each<[string, (contents: BundleContents) => object, field: RegExp, why: RegExp]>([
    ['a path', ledger('from /data/project/betas.nii'), /ledger\.3\.note/, /absolute path/],
    ['a path of Windows', ledger('from D:\\mri\\anna.nii'), /ledger\.3\.note/, /absolute path/],
    ['a home folder', ledger('see ~anna/notes'), /ledger\.3\.note/, /home folder/],
    ['an address', ledger('ask anna@lab.example'), /ledger\.3\.note/, /e-mail/],
    ['a subject', ledger('as for sub-12'), /ledger\.3\.note/, /subject id/],
    ['a participant', ledger('participant 12 moved'), /ledger\.3\.note/, /subject id/],
    ['a day', ledger('scanned on 2024-03-09'), /ledger\.3\.note/, /a date/],
    ['a run by its label', ledger('best in anna_2', ['anna_2']), /ledger\.3\.note/, /label of a run, anna_2/],
    [
      'the report',
      ({ report }) => ({ report: { ...report, host: { path: '/srv/lab/x' } } }),
      /report\.host\.path/,
      /absolute path/,
    ],
    [
      'a key of it',
      ({ report }) => ({ report: { ...report, perRun: { 'sub-07_a': 1 } } }),
      /report\.perRun\.sub-07_a/,
      /subject id/,
    ],
    [
      'preprocessing',
      ({ input }) => ({ input: { ...input, preprocess: [{ name: 'glm', settings: { mask: 'C:/x' } }] } }),
      /input\.preprocess\.0\.settings\.mask/,
      /absolute path/,
    ],
  ])('is refused with %s in it, naming the field', async (_, change, field, why) => {
    const error = await refused(await changed(change), { ...SHARE, dataTerms: 'CC0' });
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: expect.stringMatching(field) });
    expect(error.message).toMatch(why);
  });

  it('is refused with a subject in the meaning of a tensor', async () => {
    const { contents, options } = await exported(dual, { primal: true });
    const tensors = contents.tensors.map((tensor) => ({ ...tensor, meaning: 'of sub-12' }));
    const error = await refused(await saved({ ...contents, tensors }, options), SHARE);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'tensors.voxel_mean.meaning' });
  });

  it('is looked through in linear time, whatever its texts hold', async () => {
    const long = ['a', '~', '/', '.', 'sub', '@a', '\\\\a', 'patient ', '2024-'].map((text) =>
      text.repeat(2e5),
    );
    const folder = await changed(({ report }) => ({ report: { ...report, long: long.slice(0, 1) } }));
    expect((await exported(folder, { ...SHARE, dataTerms: 'CC0' })).model.report.long).toHaveLength(1);
    for (const text of long.slice(1)) {
      const one = await changed(({ report }) => ({ report: { ...report, text } }));
      const outcome = await refused(one, { ...SHARE, dataTerms: 'CC0' });
      if (outcome !== 'exported') expect(outcome).toMatchObject({ field: 'report.text' });
    }
  });

  it('may name licences, versions, units and the stated pseudonym', async () => {
    const folder = await changed(ledger('s/run, 1/2 of 20 sets, and/or sub-07, v1.2, 1e-5, 12345678 voxels'));
    const terms = 'https://creativecommons.org/licenses/by/4.0/ or data@lab.example';
    const { model } = await exported(folder, { ...SHARE, pseudonym: 'sub-07', dataTerms: terms });
    expect(model.dataTerms).toBe(terms);
    const error = await refused(folder, {
      ...SHARE,
      pseudonym: 'sub-07',
      dataTerms: 'see /home/anna/terms.txt',
    });
    expect(error).toMatchObject({ field: 'dataTerms' });
  });
});

describe('a copy with other statements', () => {
  it('states, removes, and keeps the rest', async () => {
    const { model, changes } = await exported(dual, { dataTerms: 'CC0', consentReference: null });
    expect(changes).toEqual(['dataTerms stated', 'consentReference removed']);
    expect(model).toMatchObject({ dataTerms: 'CC0', pseudonym: 'sub-07', containsTrainingData: true });
    expect(model).not.toHaveProperty('consentReference');
  });

  it('is not made of a bundle of a newer version, of which it would lose fields', async () => {
    const opened = await readBundle(dual);
    const newer = {
      ...opened,
      model: { ...opened.model, formatVersion: FORMAT_VERSION + 1 },
    } as OpenedBundle;
    await expect(prepareExport(newer, dual, {}, { backend })).rejects.toThrow(
      new RegExp(`formatVersion.*at most ${FORMAT_VERSION}, found ${FORMAT_VERSION + 1}`),
    );
  });

  it('is not made of a bundle that lies about training data', async () => {
    const lying = await changed(() => ({ containsTrainingData: false }));
    await expect(exported(lying, { shareable: true })).rejects.toThrow(
      /containsTrainingData.*expected true, found false/,
    );
  });
});

describe('the difference of two bundles', () => {
  it('of a bundle and itself: identical', async () => {
    const opened = await readBundle(dual);
    expect(diffBundles(opened, await readBundle(dual))).toEqual({
      verdict: 'identical',
      fields: [],
      tensors: [],
    });
  });

  it('of other statements: the same numbers', async () => {
    const { folder } = await exported(dual, { dataTerms: 'CC0', pseudonym: null });
    const { verdict, fields, tensors } = diffBundles(await readBundle(dual), await readBundle(folder));
    expect(verdict).toBe('same numbers');
    expect(tensors).toEqual([]);
    expect(fields).toContainEqual({ field: 'dataTerms', before: 'simulated: no terms', after: 'CC0' });
    expect(fields).toContainEqual({ field: 'pseudonym', before: 'sub-07' });
    expect(fields.map(({ field }) => field)).toEqual(
      expect.arrayContaining(['report.export', 'dataTerms', 'pseudonym']),
    );
    expect(fields.filter(({ field }) => /contentHash|files|sha256/.test(field))).toEqual([]);
  });

  it('of other numbers: how many differ, and by how much', async () => {
    const { contents } = await readBundle(dual);
    const tensors = contents.tensors.map((tensor) => {
      const data = tensor.data.slice() as Float32Array;
      if (tensor.name === 'voxel_std') data.set([data[0]! + 1, data[1]! * 2, data[2]! * 1.001]);
      if (tensor.name === 'target_mean') data[3] = Number.NaN;
      return { ...tensor, data } as typeof tensor;
    });
    const std = contents.tensors.find(({ name }) => name === 'voxel_std')!.data as Float32Array;
    const found = diffBundles(
      await readBundle(dual),
      await readBundle(await saved({ ...contents, tensors })),
    );
    expect(found.verdict).toBe('different');
    expect(found.tensors).toEqual([
      {
        name: 'voxel_std',
        before: 'f32 [24]',
        after: 'f32 [24]',
        values: {
          differing: 3,
          of: 24,
          maxAbsolute: Math.max(Math.fround(std[0]! + 1) - std[0]!, std[1]!),
          maxRelative: expect.closeTo(Math.max(1 / (std[0]! + 1), 0.5), 6),
          notFinite: 0,
        },
      },
      expect.objectContaining({
        name: 'target_mean',
        values: expect.objectContaining({ differing: 1, notFinite: 1 }),
      }),
    ]);
  });

  it('of equal tensors that are applied in another way: different', async () => {
    const folder = await changed(({ config }) => ({ config: { ...config, lags: [1, 0] } }));
    const found = diffBundles(await readBundle(dual), await readBundle(folder));
    expect(found).toMatchObject({ verdict: 'different', tensors: [] });
    expect(found.fields.map(({ field }) => field)).toEqual(
      expect.arrayContaining(['config.lags.0', 'config.lags.1']),
    );
  });

  it('of other shapes, storages and kinds: what each has', async () => {
    const { folder } = await exported(dual, { primal: true });
    const found = diffBundles(await readBundle(dual), await readBundle(folder));
    expect(found.verdict).toBe('different');
    expect(found.fields.filter(({ field }) => field.startsWith('tensors'))).toEqual([]);
    expect(found.tensors).toEqual([
      { name: 'dual_weights', before: 'f64 [24, 20]' },
      { name: 'training_voxels', before: 'f32 [24, 24]' },
      { name: 'weights', after: 'f32 [24, 20]' },
    ]);
    const other = diffBundles(await readBundle(dual), await readBundle(keptBundle('ridge_v1')));
    expect(other.tensors).toContainEqual({ name: 'voxel_mean', before: 'f32 [24]', after: 'f32 [60]' });
    const kind = diffBundles(
      await readBundle(dual),
      await readBundle(await changed(() => ({ kind: 'other', tensors: [] }))),
    );
    expect(kind.fields).toContainEqual({ field: 'kind', before: 'ridge', after: 'other' });
    expect(kind.tensors).toHaveLength(6);
  });
});

describe('hostile bundles', () => {
  it('neither export nor compare: every cut, flip and exchange of files ends in an error that names a file', async () => {
    const files = new Map<string, Uint8Array>();
    for (const name of await dual.list()) {
      const source = await dual.open(name);
      files.set(name, (await source.read(0, source.size)).slice());
    }
    const [model, weights] = [files.get('model.json')!, files.get('weights.safetensors')!];
    const random = createRandom(11);
    const flipped = (bytes: Uint8Array) => {
      const copy = bytes.slice();
      copy[random.integer(copy.length)]! ^= 1 << random.integer(8);
      return copy;
    };
    const text = new TextDecoder().decode(model);
    const encode = (value: string) => new TextEncoder().encode(value);
    const attempts: [Uint8Array, Uint8Array][] = [
      [weights, model],
      [model, model],
      [encode(text.replace('"kind"', '"kind": "ridge", "kind"')), weights],
      [
        encode(
          `{"format": "fmri2image-bundle", "formatVersion": 1, "minReader": 1, "config": ${'['.repeat(1e5)}`,
        ),
        weights,
      ],
      [encode(`{"format": "fmri2image-bundle", "config": ${'{"a":'.repeat(70)}1${'}'.repeat(70)}}`), weights],
      [new Uint8Array(17 * 2 ** 20).fill(0x20), weights],
      [encode(`\uFEFF${text}`), weights],
    ];
    for (let i = 0; i < 120; i++) {
      attempts.push([flipped(model), weights], [model, flipped(weights)]);
      attempts.push([model.slice(0, random.integer(model.length)), weights]);
      attempts.push([model, weights.slice(0, random.integer(weights.length))]);
    }
    for (const [one, other] of attempts) {
      const folder = memoryFolder(
        [['model.json', one] as const, ['weights.safetensors', other] as const],
        'evil.bundle',
      );
      const error = await exported(folder, { shareable: true, primal: true }).catch((reason) => reason);
      expect(error).toBeInstanceOf(F2iError);
      expect(error.message).toContain('evil.bundle');
    }
  });

  it('with a fitting checksum: shapes beyond memory, NaN and paths are refused before anything is computed', async () => {
    const tensors = (change: (tensor: BundleContents['tensors'][number]) => object) =>
      changed((contents) => ({
        tensors: contents.tensors.map((tensor) => ({ ...tensor, ...change(tensor) })),
      }));
    const poisoned = await tensors(({ name, data }) =>
      name === 'dual_weights' ? { data: Float64Array.from(data as Float64Array, () => Number.NaN) } : {},
    );
    expect(await refused(poisoned, { primal: true })).toMatchObject({
      code: 'FORMAT',
      field: 'tensors.dual_weights',
    });
    const empty = await tensors(({ name, shape }) =>
      ['dual_weights', 'training_voxels'].includes(name)
        ? { shape: [0, shape[1]], data: new (name === 'dual_weights' ? Float64Array : Float32Array)(0) }
        : {},
    );
    const outcome = await refused(empty, { primal: true });
    if (outcome !== 'exported') expect(outcome).toBeInstanceOf(F2iError);
    for (const voxels of [2 ** 45, Number.MAX_SAFE_INTEGER]) {
      const huge = await changed(({ input }) => ({ input: { ...input, voxels } }));
      expect(await refused(huge, { primal: true })).toMatchObject({
        code: 'FORMAT',
        field: 'tensors.voxel_mean',
      });
    }
  });
});
