import { afterAll, describe, expect, it } from 'vitest';
import { randomModel } from '../conformance/index.ts';
import { lowLevelMaps } from '../src/decoders/mindeye1/network.ts';
import {
  clipConverter,
  convertedModel,
  createRandom,
  createReferenceBackend,
  type Folder,
  loadNetwork,
  type ModelSizes,
  matchWeights,
  memoryFolder,
  mindeye1,
  mindeye1LowLevel,
  openBundle,
  type Reconstruction,
  type Rows,
  type WeightSchema,
  writeWeights,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';
import { sizes } from './weights/sizes.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const [VOXELS, TOKENS, CLIP] = [9, 3, 8];
const extents = {
  ...{ h: 10, voxels: VOXELS, tokens: TOKENS, clip: CLIP, projected: 11, buckets: 32, rotary: 2 },
  ...{ heads: 2, headDim: 6, inner: 12, timeInner: 14 },
};
const MAPS = { maps: 3, mapsOut: 4 };
const WHOLE = sizes(extents, { block: 2, layer: 1 }, ['prior']);
const WITHOUT_PRIOR = sizes(extents, { block: 2 }, []);
const CONVERTER = sizes({ tokens: TOKENS, tokensOut: 4, clip: CLIP, clipOut: 5 });

async function bundleOf(schema: WeightSchema, modelSizes: ModelSizes): Promise<Folder> {
  const source = randomModel(schema, modelSizes);
  const matched = matchWeights(source, schema);
  const files = new Map<string, Uint8Array>();
  const write = async (path: string, content: unknown) => {
    const pieces: Uint8Array[] = [];
    if (typeof content === 'string' || content instanceof Uint8Array) pieces.push(content as Uint8Array);
    else for await (const piece of content as AsyncIterable<Uint8Array>) pieces.push(piece.slice());
    files.set(path, new Uint8Array(Buffer.concat(pieces)));
  };
  const dtype = 'f32';
  await writeWeights(source, matched, convertedModel(source, matched, dtype), write, { dtype });
  return memoryFolder(files, 'model');
}

function betasOf(rows: number, width: number, seed = 3): Rows {
  return { data: Float32Array.from(createRandom(seed).normals(rows * width)), shape: [rows, width] };
}

async function all(made: AsyncIterable<Reconstruction>): Promise<Reconstruction[]> {
  const list: Reconstruction[] = [];
  for await (const one of made) list.push(one);
  return list;
}

const whole = bundleOf(mindeye1, WHOLE);

describe('MindEye1', () => {
  it('gives tokens and the retrieval embedding', async () => {
    const decoder = await openBundle(await whole, { backend });
    expect(decoder).toMatchObject({ kind: 'mindeye1', voxels: VOXELS, output: { shape: [TOKENS, CLIP] } });
    const [one, two] = await all(decoder.reconstruct(betasOf(2, VOXELS)));
    expect(one!.features!.data).not.toEqual(two!.features!.data);
    expect(Object.keys(one!.beside!)).toEqual(['retrieval']);
    expect(one!.beside!.retrieval!.shape).toEqual([TOKENS, CLIP]);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('averages responses over repeats, not outputs', async () => {
    const decoder = await openBundle(await whole, { backend });
    const betas = betasOf(3, VOXELS);
    const [repeated] = await all(decoder.reconstruct(betas, { repeats: [[2, 0, 2]] }));
    const row = (trial: number) => betas.data.subarray(trial * VOXELS, (trial + 1) * VOXELS);
    const data = Float32Array.from(row(0), (value, i) => (value + 2 * row(2)[i]!) / 3);
    const [mean] = await all(decoder.reconstruct({ data, shape: [1, VOXELS] }));
    expect(repeated).toMatchObject({ trial: 2, trials: [2, 0, 2] });
    for (const pick of [(r: Reconstruction) => r.features!, (r: Reconstruction) => r.beside!.retrieval!]) {
      const [found, expected] = [pick(repeated!).data, pick(mean!).data];
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 5);
    }
    decoder.dispose();
  });

  it('samples the prior in units of its first token, the same for a trial in any company', async () => {
    const decoder = await openBundle(await whole, { backend, stage: 'prior' });
    const betas = betasOf(3, VOXELS);
    const [first, third] = await all(decoder.reconstruct(betas, { trials: [0, 2], seed: 5 }));
    for (const { features, beside } of [first!, third!]) {
      expect(Object.keys(beside!)).toEqual(['tokens', 'retrieval']);
      expect(Math.hypot(...features!.data.subarray(0, CLIP))).toBeCloseTo(1, 5);
      expect(Math.hypot(...features!.data.subarray(CLIP, 2 * CLIP))).not.toBeCloseTo(1, 3);
    }
    const [again] = await all(decoder.reconstruct(betas, { trials: [2], seed: 5 }));
    expect(again).toEqual(third);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('refuses what it has not', async () => {
    const plain = await bundleOf(mindeye1, WITHOUT_PRIOR);
    const open = (folder: Folder, options: object) => errorOf(openBundle(folder, { backend, ...options }));
    expect(await open(plain, { stage: 'prior' })).toMatchObject({
      code: 'UNSUPPORTED',
      field: 'stage',
      expected: 'tokens',
    });
    expect(await open(await whole, { stage: 'blurry' })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      expected: 'tokens, prior',
    });
    expect(await open(await whole, { subject: 1 })).toMatchObject({ field: 'subject', found: '1' });
    expect(await open(await whole, { memory: { available: 1000 } })).toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
    expect(backend.stats().liveTensors).toBe(0);
  });
});

describe('the low-level branch of MindEye1', () => {
  const [h, channels] = [5, 2];
  const LOW_LEVEL = sizes(
    { ...{ h, voxels: VOXELS, blurChannels: channels, top: 32, middle: 32, narrow: 32, latent: 4 }, ...MAPS },
    { block: 2 },
    ['maps'],
  );

  it('has the residual blocks and the norm of its first part', async () => {
    const source = randomModel(mindeye1LowLevel, LOW_LEVEL);
    const wanted = (name: string) => !name.startsWith('upsampler.');
    using network = await loadNetwork(source, matchWeights(source, mindeye1LowLevel), backend, { wanted });
    const read = async (name: string) => Float64Array.from((await source.read(name)).data as Float32Array);
    const betas = betasOf(2, VOXELS);
    const [maps] = await backend.compute(() => [
      lowLevelMaps(network, backend.tensor(betas.data, betas.shape)),
    ]);

    const times = (w: Float64Array, x: Float64Array) =>
      Float64Array.from({ length: w.length / x.length }, (_, i) =>
        x.reduce((sum, value, j) => sum + w[i * x.length + j]! * value, 0),
      );
    const normed = (x: Float64Array) => {
      const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
      return x.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
    };
    for (let row = 0; row < 2; row++) {
      let y = Float64Array.from(betas.data.subarray(row * VOXELS, (row + 1) * VOXELS));
      for (const [i, name] of ['lin0', 'mlp.0', 'mlp.1'].entries()) {
        const before = y;
        const [gain, offset] = [await read(`${name}.1.weight`), await read(`${name}.1.bias`)];
        y = normed(times(await read(`${name}.0.weight`), before)).map((value, j) => {
          const affine = value * gain[j]! + offset[j]!;
          return affine / (1 + Math.exp(-affine)) + (i === 0 ? 0 : before[j]!);
        });
      }
      const [gain, offset] = [await read('norm.weight'), await read('norm.bias')];
      const flat = normed(times(await read('lin1.weight'), y));
      for (const [i, value] of flat.entries()) {
        const channel = Math.floor(i / 256);
        expect(maps[row * flat.length + i]).toBeCloseTo(value * gain[channel]! + offset[channel]!, 4);
      }
    }
  });
});

describe('CLIPConverter', () => {
  it('takes features for responses and gives features', async () => {
    const decoder = await openBundle(await bundleOf(clipConverter, CONVERTER), { backend });
    expect(decoder).toMatchObject({
      kind: 'clip-converter',
      voxels: TOKENS * CLIP,
      output: { shape: [4, 5], name: 'CLIP L tokens' },
    });
    // Affine: the middle of two inputs gives the middle of their outputs.
    const { data } = betasOf(2, TOKENS * CLIP);
    const [a, b] = [data.subarray(0, 24), data.subarray(24)];
    const middle = a.map((value, i) => (value + b[i]!) / 2);
    const features = { data: Float32Array.of(...data, ...middle), shape: [3, 24] as const };
    const values = await decoder.predict(features);
    for (let i = 0; i < 20; i++) expect(values[40 + i]).toBeCloseTo((values[i]! + values[20 + i]!) / 2, 5);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });
});
