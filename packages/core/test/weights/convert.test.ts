import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/bundle/hash.ts';
import {
  bytesSource,
  clipConverter,
  convertedModel,
  createRandom,
  createReferenceBackend,
  elementCount,
  encodeSafetensors,
  expectedWeights,
  filesFolder,
  fromBf16Bits,
  matchWeights,
  memoryFolder,
  mindeye1,
  mindeye1LowLevel,
  mindeye2,
  type NdArray,
  openBundle,
  openBundleWeights,
  openShardedWeights,
  openWeights,
  PUBLISHED_MODELS,
  readBundle,
  type WeightSource,
  type WeightType,
  writeWeights,
} from '../../src/index.ts';
import { errorOf } from '../data/helpers/errors.ts';
import { CLIP_CONVERTER, MINDEYE1, MINDEYE1_LOW_LEVEL, MINDEYE2, TINY_MINDEYE2 } from './sizes.ts';

const random = createRandom(8);
const tensors = expectedWeights(mindeye2, TINY_MINDEYE2).map(({ name, shape }) => ({
  name: `module.${name}`,
  dtype: 'f32' as const,
  shape,
  data: Float32Array.from(random.normals(elementCount(shape)!)),
}));
const source = () => openWeights(bytesSource(encodeSafetensors(tensors), 'folder/last.safetensors'));

type Files = Map<string, Uint8Array>;
async function convert(dtype: WeightType, shardBytes?: number, from?: WeightSource): Promise<Files> {
  const weights = from ?? (await source());
  const matched = matchWeights(weights, mindeye2);
  const files: Files = new Map();
  await writeWeights(
    weights,
    matched,
    convertedModel(weights, matched, dtype),
    async (path, content) => {
      const pieces: Uint8Array[] = [];
      if (typeof content === 'string' || content instanceof Uint8Array) pieces.push(content as Uint8Array);
      else for await (const piece of content) pieces.push(piece);
      files.set(path, Uint8Array.from(Buffer.concat(pieces)));
    },
    { dtype, shardBytes },
  );
  return files;
}
const folder = (files: Files) => memoryFolder(files, 'b');

/** The bundle with model.json changed, and its content hash made to fit again, as a forger would. */
// biome-ignore lint/suspicious/noExplicitAny: tests write nonsense into it
async function forged(files: Files, change: (model: any) => void): Promise<Files> {
  const model = JSON.parse(new TextDecoder().decode(files.get('model.json')));
  change(model);
  const write = (contentHash: string) =>
    new TextEncoder().encode(`${JSON.stringify({ ...model, contentHash }, undefined, 2)}\n`);
  return new Map([...files, ['model.json', write(await sha256(write('0'.repeat(64))))]]);
}

describe('converted weights', () => {
  it.each([undefined, 40_000, 3000])(
    'are those of the checkpoint, in files of at most %s bytes',
    async (limit) => {
      const files = await convert('f32', limit);
      const { model, weights, complete, warnings } = await openBundleWeights(folder(files));
      expect(warnings).toEqual([]);
      expect([model.formatVersion, model.minReader, model.kind]).toEqual([2, 2, 'mindeye2']);
      expect([...weights.entries.keys()]).toEqual(
        expectedWeights(mindeye2, TINY_MINDEYE2).map(({ name }) => name),
      );
      for (const { name, shape, data } of tensors) {
        const own = name.slice('module.'.length);
        expect(await weights.read(own), own).toEqual({ dtype: 'f32', shape, data });
        if (shape.length === 0 || shape[0]! < 3) continue;
        const size = data.length / shape[0]!;
        expect((await weights.readRows(own, 1, 3)).data).toEqual(data.slice(size, 3 * size));
        const [from, to] = [Math.floor(data.length / 3), Math.ceil((2 * data.length) / 3)];
        expect(await weights.readElements(own, from, to)).toEqual(data.slice(from, to));
        expect(await weights.readElements(own, 0, 0)).toHaveLength(0);
      }
      await complete();
      if (limit === undefined) expect([...files.keys()]).toEqual(['weights.safetensors', 'model.json']);
      else {
        expect(
          [...files.keys()].filter((name) => /^weights-\d{5}-of-\d{5}\.safetensors$/.test(name)).length,
        ).toBe(files.size - 1);
        expect(files.size).toBeGreaterThan(5);
        const split = Object.values(model.tensors).filter(({ parts }) => parts!.length > 1);
        expect(split.length).toBeGreaterThan(limit > 10_000 ? 0 : 5);
        // The header is small beside a gibibyte; the tensors of each file stay within the limit.
        for (const [file, { bytes }] of Object.entries(model.files)) {
          const header = new DataView(files.get(file)!.buffer, files.get(file)!.byteOffset).getUint32(
            0,
            true,
          );
          expect(bytes - header - 8).toBeLessThanOrEqual(limit);
        }
      }
    },
  );

  it('are rounded where they are matrices, and say so', async () => {
    const { model, weights } = await openBundleWeights(folder(await convert('bf16', 20_000)));
    expect(model.config).toMatchObject({
      dtype: 'bf16',
      groups: ['blurry', 'prior'],
      counts: { subject: 1 },
    });
    const tables = new Set(mindeye2.rules.filter(({ table }) => table).map(({ name }) => name));
    expect(tables.size).toBe(5);
    for (const { name, shape, data } of tensors) {
      const own = name.slice('module.'.length);
      const isPlain = shape.length < 2 || tables.has(own.replace(/layers\.\d/, 'layers.{layer}'));
      const found: NdArray = await weights.read(own);
      expect(found.dtype, own).toBe(isPlain ? 'f32' : 'bf16');
      const values = isPlain
        ? (found.data as Float32Array)
        : Float32Array.from(found.data as Uint16Array, fromBf16Bits);
      // Half of the distance of neighbours: at most 2^-8 of the number.
      expect(
        values.every((x, i) => Math.abs(x - data[i]!) <= 2 ** -8 * Math.abs(data[i]!)),
        own,
      ).toBe(true);
    }
  });

  it('are the same bytes for the same checkpoint', async () => {
    const [one, other] = [await convert('f16', 20_000), await convert('f16', 20_000)];
    expect([...other.keys()]).toEqual([...one.keys()]);
    for (const [name, bytes] of one) expect(Buffer.compare(bytes, other.get(name)!), name).toBe(0);
  });

  it('can be converted again', async () => {
    const { weights } = await openBundleWeights(folder(await convert('f16', 20_000)));
    const [once, again] = [await convert('f16', 20_000), await convert('f16', 20_000, weights)];
    const own = [...once.keys()].filter((name) => name !== 'model.json');
    for (const name of own) expect(Buffer.compare(again.get(name)!, once.get(name)!), name).toBe(0);
  });

  it('name the tensor and element that cannot be stored', async () => {
    const bad = tensors.map((tensor) => ({ ...tensor, data: tensor.data.slice() }));
    const at = bad.findIndex(({ shape }) => shape.length === 2);
    bad[at]!.data[5] = 1e6;
    const weights = await openWeights(bytesSource(encodeSafetensors(bad), 'x.safetensors'));
    const error = await errorOf(convert('f16', undefined, weights));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'x.safetensors', field: bad[at]!.name });
    expect(error.message).toMatch(/65504.*1000000 at element 5/);
  });

  it('open as a decoder, and are not read as a whole', async () => {
    const files = await convert('f32', 20_000);
    const backend = createReferenceBackend();
    const decoder = await openBundle(folder(files), { backend });
    expect(decoder).toMatchObject({ kind: 'mindeye2', voxels: 7, output: { shape: [3, 8] } });
    decoder.dispose();
    const error = await errorOf(readBundle(folder(files)));
    expect(error).toMatchObject({ code: 'UNSUPPORTED', field: 'kind', found: 'mindeye2' });
    expect(error.message).toMatch(/converted weights of the model mindeye2, which are read part by part/);
    expect((await filesFolder([...files]).list()).length).toBe(files.size);
    await backend.dispose();
  });

  it('are verified, in whichever file', async () => {
    const files = await convert('f32', 20_000);
    const { model } = await openBundleWeights(folder(files));
    for (const name of Object.keys(model.files)) {
      const copy = new Map(files);
      const bytes = files.get(name)!.slice();
      bytes[bytes.length - 3]! ^= 4;
      copy.set(name, bytes);
      const attempt = openBundleWeights(folder(copy)).then(({ complete }) => complete());
      expect(await errorOf(attempt)).toMatchObject({ code: 'FORMAT', file: `b/${name}` });
      copy.delete(name);
      expect(await errorOf(openBundleWeights(folder(copy)))).toMatchObject({ code: 'IO', file: `b/${name}` });
    }
  });

  // biome-ignore lint/suspicious/noExplicitAny: tests write nonsense into it
  const lies: [string, (model: any, last: string) => void, RegExp][] = [
    ['a part that is missing', (m) => m.tensors[Object.keys(m.tensors)[0]!].parts.pop(), /parts: /],
    [
      'rows that are missing',
      (m) => m.tensors['backbone.blin1.weight'].parts[0].rows--,
      /the parts of a tensor/,
    ],
    ['a file that is not listed', (m, last) => delete m.files[last], /does not list|file of weights/],
    ['a file outside', (m, last) => (m.files['../weights.safetensors'] = m.files[last]), /files/],
    ['another name', (m, last) => (m.files['w.safetensors'] = m.files[last]), /files/],
    ['no file', (m) => (m.files = {}), /files/],
    [
      'version 1 with several files',
      (m) => Object.assign(m, { formatVersion: 1, minReader: 1 }),
      /model\.json/,
    ],
    ['another type', (m) => (m.tensors['backbone.blin1.bias'].dtype = 'bf16'), /disagree on a tensor/],
    [
      'a tensor too many',
      (m, last) =>
        (m.tensors.more = { dtype: 'f32', shape: [1], meaning: '', parts: [{ file: last, rows: 1 }] }),
      /disagree/,
    ],
    ['a tensor too few', (m) => delete m.tensors['backbone.blin1.bias'], /disagree on a tensor/],
    ['no parts', (m) => delete m.tensors['backbone.blin1.bias'].parts, /does not list/],
  ];
  it.each(lies)('with a description that lies: %s', async (_, change, message) => {
    const files = await convert('f32', 200_000);
    const last = [...files.keys()].filter((name) => name !== 'model.json').at(-1)!;
    expect(last).toMatch(/^weights-0000[2-9]-of/);
    const attempt = openBundleWeights(folder(await forged(files, (model) => change(model, last))));
    const error = await errorOf(attempt);
    expect(error.code).toBe('FORMAT');
    expect(error.message).toMatch(message);
  });
});

describe('safetensors in several files', () => {
  const half = Math.floor(tensors.length / 2);
  const shards: [string, typeof tensors][] = [
    ['one.safetensors', tensors.slice(0, half)],
    ['two.safetensors', tensors.slice(half)],
  ];
  const map = Object.fromEntries(shards.flatMap(([file, list]) => list.map(({ name }) => [name, file])));
  function sharded(weight_map: unknown = map) {
    const index = new TextEncoder().encode(JSON.stringify({ metadata: { total_size: 1 }, weight_map }));
    const files = shards.map(([file, list]) => [`w/${file}`, encodeSafetensors(list)] as const);
    return openShardedWeights(
      memoryFolder([...files, ['w/model.index.json', index] as const], 'f'),
      'w/model.index.json',
    );
  }

  it('are opened by their index', async () => {
    const opened = await sharded();
    expect([...opened.entries.keys()]).toEqual(tensors.map(({ name }) => name));
    for (const { name, data } of tensors) expect((await opened.read(name)).data).toEqual(data);
    expect(matchWeights(opened, mindeye2).prefix).toBe('module.');
  });

  it('must be where the index says', async () => {
    const name = tensors[0]!.name;
    const wrong: [unknown, RegExp][] = [
      [{ ...map, [name]: 'two.safetensors' }, /disagree on where a tensor is/],
      [{ ...map, more: 'two.safetensors' }, /more.*disagree/],
      [Object.fromEntries(Object.entries(map).slice(1)), /disagree/],
      [{ ...map, [name]: '../x.safetensors' }, /leaves the folder/],
      [{ ...map, [name]: 3 }, /not the name of a file/],
      [null, /weight_map/],
      [[], /weight_map/],
    ];
    for (const [changed, message] of wrong)
      expect((await errorOf(sharded(changed))).message).toMatch(message);
  });
});

describe('the table of published models', () => {
  it('counts the parameters that the schemas have', () => {
    const models = {
      mindeye2: [mindeye2, MINDEYE2],
      mindeye1: [mindeye1, MINDEYE1],
      'mindeye1-low-level': [mindeye1LowLevel, MINDEYE1_LOW_LEVEL],
      'clip-converter': [clipConverter, CLIP_CONVERTER],
    } as const;
    for (const { model, parameters, convert, size } of PUBLISHED_MODELS) {
      expect(convert !== undefined).toBe(Object.hasOwn(models, model));
      if (convert === undefined) continue;
      const [schema, of] = models[model as keyof typeof models];
      const counted = expectedWeights(schema, of).filter(
        ({ name }) => !/layers\.[1-9]\.0\.rotary_emb/.test(name),
      );
      expect(
        counted.reduce((sum, { shape }) => sum + elementCount(shape)!, 0),
        model,
      ).toBe(parameters);
      const [, stated, unit] = /^([\d.]+) (GB|MB)/.exec(size)!;
      expect(
        Math.abs((4 * parameters) / (unit === 'GB' ? 1e9 : 1e6) / Number(stated) - 1),
        model,
      ).toBeLessThan(0.05);
      expect(convert).toContain(`--model ${model} `);
    }
  });
});
