import { afterAll, describe, expect, it } from 'vitest';
import { randomModel } from '../conformance/index.ts';
import {
  type Backend,
  bytesInWords,
  convertedModel,
  createRandom,
  createReferenceBackend,
  estimateMindEye2,
  type Folder,
  type LoadProgress,
  loadLocally,
  type ModelSizes,
  matchWeights,
  memoryFolder,
  mindeye2,
  networkBytes,
  openBundle,
  openBundleWeights,
  type Reconstruction,
  type Rows,
  type StageEstimate,
  type WeightType,
  writeWeights,
} from '../src/index.ts';
import { errorOf } from './data/helpers/errors.ts';
import { sizes, TINY_MINDEYE2 } from './weights/sizes.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

/** Two subjects; groups of 32 channels, as the decoder's norms need them. */
const SMALL = sizes(
  {
    ...Object.fromEntries(TINY_MINDEYE2.extents),
    'voxels[1]': 9,
    top: 64,
    middle: 32,
    narrow: 32,
    rotary: 4,
  },
  { subject: 2, block: 2, layer: 2 },
  ['blurry', 'prior'],
);
/** Without the blurry branch, whose convolutions the reference takes seconds for. */
const PLAIN = sizes(Object.fromEntries(SMALL.extents), { subject: 2, block: 2, layer: 2 }, ['prior']);
const POSITIONS = sizes({ ...Object.fromEntries(SMALL.extents), seq: 3 }, { subject: 2, block: 2 }, []);

async function bundleOf(
  modelSizes: ModelSizes,
  dtype: WeightType = 'f32',
  shardBytes?: number,
): Promise<Folder> {
  const source = randomModel(mindeye2, modelSizes);
  const matched = matchWeights(source, mindeye2);
  const files = new Map<string, Uint8Array>();
  const write = async (path: string, content: unknown) => {
    const pieces: Uint8Array[] = [];
    if (typeof content === 'string' || content instanceof Uint8Array) pieces.push(content as Uint8Array);
    else for await (const piece of content as AsyncIterable<Uint8Array>) pieces.push(piece.slice());
    files.set(path, new Uint8Array(Buffer.concat(pieces)));
  };
  await writeWeights(source, matched, convertedModel(source, matched, dtype), write, { dtype, shardBytes });
  return memoryFolder(files, 'model');
}

function betasOf(rows: number, voxels: number, seed = 3): Rows {
  return { data: Float32Array.from(createRandom(seed).normals(rows * voxels)), shape: [rows, voxels] };
}

async function all(made: AsyncIterable<Reconstruction>): Promise<Reconstruction[]> {
  const list: Reconstruction[] = [];
  for await (const one of made) list.push(one);
  return list;
}

const whole = bundleOf(SMALL, 'bf16', 100_000);
const small = bundleOf(PLAIN, 'bf16', 2_000);

describe('MindEye2', () => {
  it('gives tokens and the retrieval embedding', async () => {
    const decoder = await openBundle(await small, { backend, subject: 1 });
    expect(decoder).toMatchObject({ voxels: 9, output: { kind: 'features', shape: [3, 8] }, warnings: [] });
    const betas = betasOf(4, 9);
    const made = await all(decoder.reconstruct(betas, { trials: [2, 0] }));
    expect(made.map(({ trial }) => trial)).toEqual([2, 0]);
    for (const { features, beside, trials } of made) {
      expect(trials).toBeUndefined();
      expect(features!.shape).toEqual([3, 8]);
      expect(Object.keys(beside!)).toEqual(['retrieval']);
      expect(beside!.retrieval!.shape).toEqual([3, 8]);
    }
    const tokens = await decoder.predict(betas);
    expect(tokens.slice(0, 24)).toEqual(made[1]!.features!.data);
    expect(tokens.slice(48, 72)).toEqual(made[0]!.features!.data);
    expect(made[0]!.features!.data).not.toEqual(made[1]!.features!.data);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('averages outputs, not responses', async () => {
    const decoder = await openBundle(await small, { backend, subject: 0 });
    const betas = betasOf(5, 7);
    const [one, other] = await all(decoder.reconstruct(betas, { trials: [4, 1] }));
    const repeats = [[4], [4, 1], [4, 1, 4]];
    const made = await all(decoder.reconstruct(betas, { repeats }));
    expect(made.map(({ trials }) => trials)).toEqual(repeats);
    for (const [i, share] of [1, 1 / 2, 2 / 3].entries()) {
      for (const pick of [(r: Reconstruction) => r.features!, (r: Reconstruction) => r.beside?.retrieval]) {
        const [a, b, mean] = [one!, other!, made[i]!].map((each) => pick(each)?.data);
        a?.forEach((value, j) => {
          expect(mean![j]).toBeCloseTo(share * value + (1 - share) * b![j]!, 5);
        });
      }
    }
    decoder.dispose();
  });

  it('averages over any number of repeats, in no more memory', async () => {
    const decoder = await openBundle(await small, { backend, subject: 0 });
    const betas = betasOf(120, 7);
    const each = await all(decoder.reconstruct(betas));
    const peak = async (count: number) => {
      const device = createReferenceBackend();
      const own = await openBundle(await small, { backend: device, subject: 0 });
      const trials = Array.from({ length: count }, (_, i) => i);
      const [mean] = await all(own.reconstruct(betas, { repeats: [trials] }));
      const { liveTensors, peakBytes } = device.stats();
      own.dispose();
      expect(device.stats().liveTensors).toBe(0);
      await device.dispose();
      for (const [i, value] of mean!.beside!.retrieval!.data.entries()) {
        const sum = trials.reduce((total, trial) => total + each[trial]!.beside!.retrieval!.data[i]!, 0);
        expect(value).toBeCloseTo(sum / count, 4);
      }
      return { liveTensors, peakBytes };
    };
    const [few, many] = [await peak(32), await peak(120)];
    expect(many).toEqual(few);
    decoder.dispose();
  });

  it('is the same in whatever batch', async () => {
    const decoder = await openBundle(await small, { backend, subject: 0 });
    const betas = betasOf(40, 7);
    const together = await decoder.predict(betas);
    const [alone] = await all(decoder.reconstruct(betas, { trials: [37] }));
    expect(together.slice(37 * 24, 38 * 24)).toEqual(alone!.features!.data);
    decoder.dispose();
  });

  it('samples the prior, with all other outputs beside it', async () => {
    const decoder = await openBundle(await small, { backend, subject: 0, stage: 'prior' });
    const betas = betasOf(3, 7);
    const [first, second] = await all(decoder.reconstruct(betas, { trials: [0, 2], seed: 5 }));
    expect(Object.keys(first!.beside!)).toEqual(['tokens', 'retrieval']);
    expect(first!.features!.shape).toEqual([3, 8]);
    // A trial's sample is its own, whatever is sampled beside it.
    const [again] = await all(decoder.reconstruct(betas, { trials: [2], seed: 5 }));
    expect(again!.features).toEqual(second!.features);
    const [other] = await all(decoder.reconstruct(betas, { trials: [2], seed: 6 }));
    expect(other!.features).not.toEqual(second!.features);
    expect(other!.beside).toEqual(second!.beside);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('gives the latent of a blurry picture, by itself and beside a sample', async () => {
    const betas = betasOf(1, 7);
    const [alone, beside] = await Promise.all(
      ['blurry', 'prior'].map(async (stage) => {
        const decoder = await openBundle(await whole, { backend, subject: 0, stage });
        const [made] = await all(decoder.reconstruct(betas));
        decoder.dispose();
        return made!;
      }),
    );
    expect(alone!.features!.shape).toEqual([4, 28, 28]);
    expect(alone!.beside).toBeUndefined();
    expect(Object.keys(beside!.beside!)).toEqual(['tokens', 'retrieval', 'latent']);
    expect(beside!.beside!.latent).toEqual(alone!.features);
  });

  it('takes recorded noise, an item a reconstruction', async () => {
    const decoder = await openBundle(await small, { backend, subject: 0, stage: 'prior' });
    const betas = betasOf(2, 7);
    const draw = (shape: number[], seed: number) => ({
      data: Float32Array.from(createRandom(seed).normals(shape.reduce((a, b) => a * b))),
      shape,
    });
    const noise = { initial: draw([2, 3, 8], 1), steps: draw([18, 2, 3, 8], 2) };
    const made = await all(decoder.reconstruct(betas, { noise }));
    const swapped = await all(decoder.reconstruct(betas, { trials: [1, 0], noise }));
    expect(made[0]!.features).not.toEqual(swapped[1]!.features);
    const refused = (options: object) => errorOf(all(decoder.reconstruct(betas, options)));
    const short = { ...noise, initial: draw([1, 3, 8], 1) };
    for (const options of [{ noise: short }, { noise, trials: [1] }]) {
      const [expected, found] = options.trials ? ['1 items', '2'] : ['2 items', '1'];
      const field = 'noise.initial';
      expect(await refused(options)).toMatchObject({ code: 'INVALID_ARGUMENT', field, expected, found });
    }
    expect(await refused({ noise: {} })).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'noise.initial' });
    decoder.dispose();
    const plain = await openBundle(await small, { backend, subject: 0 });
    expect(await errorOf(all(plain.reconstruct(betas, { noise })))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'noise',
    });
    await all(plain.reconstruct(betas, { seed: 3 }));
    plain.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('runs a live mixer over several positions', async () => {
    const decoder = await openBundle(await bundleOf(POSITIONS), { backend, subject: 0 });
    expect(decoder.voxels).toBe(21);
    const [one] = await all(decoder.reconstruct(betasOf(1, 21)));
    expect(one!.features!.data.every(Number.isFinite)).toBe(true);
    decoder.dispose();
  });

  it('says what is missing, and which there are', async () => {
    const folder = await small;
    const open = (options: object) => errorOf(openBundle(folder, { backend, ...options }));
    expect(await open({})).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'subject',
      expected: '0 (7 voxels), 1 (9 voxels)',
      found: 'none chosen',
      message: expect.stringContaining('choose one (subject, --subject)'),
    });
    expect(await open({ subject: 2 })).toMatchObject({ field: 'subject', found: '2' });
    expect(await open({ subject: 0, stage: 'picture' })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'stage',
      expected: 'tokens, blurry, prior',
    });
    expect(await open({ subject: 0, precision: 'f8' })).toMatchObject({ field: 'precision' });
    const plain = await bundleOf(POSITIONS);
    expect(await errorOf(openBundle(plain, { backend, subject: 0, stage: 'prior' }))).toMatchObject({
      code: 'UNSUPPORTED',
      field: 'stage',
      expected: 'tokens',
      found: 'prior',
    });
    const decoder = await openBundle(folder, { backend, subject: 0 });
    expect(await errorOf(decoder.predict(betasOf(2, 9)))).toMatchObject({ expected: '7', found: '9' });
    const bad = betasOf(2, 7);
    bad.data[10] = Number.NaN;
    expect(await errorOf(decoder.predict(bad))).toMatchObject({ field: 'betas', found: 'NaN in trial 1' });
    for (const repeats of [[[]], [[5]], [[0.5]], 3]) {
      const attempt = all(decoder.reconstruct(betasOf(2, 7), { repeats: repeats as number[][] }));
      expect(await errorOf(attempt)).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    const both = all(decoder.reconstruct(betasOf(2, 7), { repeats: [[0]], trials: [1] }));
    expect(await errorOf(both)).toMatchObject({ field: 'repeats', found: 'both' });
    expect(() => decoder.toBundle()).toThrow(/copy the folder/);
    decoder.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });
});

describe('loading', () => {
  const open = async (options: object) => {
    const device = createReferenceBackend();
    const decoder = await openBundle(await whole, { backend: device, subject: 0, ...options });
    await device.sync();
    const bytes = device.stats().liveBytes;
    decoder.dispose();
    await device.dispose();
    return bytes;
  };

  it('takes what the stage needs', async () => {
    const [tokens, blurry, prior] = [
      await open({}),
      await open({ stage: 'blurry' }),
      await open({ stage: 'prior' }),
    ];
    expect(tokens).toBeLessThan(blurry);
    expect(prior).toBeGreaterThan(tokens + blurry - 2000);
  });

  it('counts bytes of tensors in the type that they have on the device', () => {
    const source = randomModel(mindeye2, SMALL, { dtype: 'bf16' });
    const matched = matchWeights(source, mindeye2);
    const rounded = (name: string) => /to_q|conv1|backbone_linear/.test(name) && name.endsWith('weight');
    const kept = (name: string) => /null_kv|learned_query|bias$|\.g$/.test(name);
    const elements = (wanted: (name: string) => boolean) =>
      [...source.entries.values()].reduce(
        (sum, { name, byteLength }) => sum + (wanted(name) ? byteLength / 2 : 0),
        0,
      );
    for (const [precision, bytes] of [
      [undefined, 2],
      ['f16', 2],
      ['f32', 4],
    ] as const) {
      expect(networkBytes(matched, { wanted: rounded, precision })).toBe(bytes * elements(rounded));
      expect(networkBytes(matched, { wanted: kept, precision })).toBe(4 * elements(kept));
    }
  });

  it('reports bytes as they arrive, up to all of them', async () => {
    const seen: LoadProgress[] = [];
    const decoder = await loadLocally(await small, {
      openBackend: async () => createReferenceBackend(),
      subject: 0,
      stage: 'prior',
      onProgress: (progress) => seen.push(progress),
    });
    for (const phase of ['read', 'verify', 'upload'] as const) {
      const own = seen.filter((each) => each.phase === phase);
      expect(own.every(({ done }, i) => done > (own[i - 1]?.done ?? 0))).toBe(true);
      expect(own.at(-1)).toMatchObject({ done: own[0]!.total, total: own[0]!.total });
    }
    await decoder.dispose();
  });

  it.each([1, 5, 20, 60])('leaves nothing behind when it is cancelled at report %i', async (at) => {
    const device: Backend = createReferenceBackend();
    const controller = new AbortController();
    let count = 0;
    const attempt = openBundle(await whole, {
      backend: device,
      subject: 0,
      stage: 'prior',
      signal: controller.signal,
      onProgress: () => {
        if (++count === at) controller.abort();
      },
    });
    expect(await errorOf(attempt)).toMatchObject({ code: 'CANCELLED' });
    await device.sync();
    expect(device.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await device.dispose();
  });

  it('refuses what does not fit, before it reads any of it, with both numbers', async () => {
    const device = createReferenceBackend();
    let reports = 0;
    const attempt = async (memory: object) =>
      errorOf(
        openBundle(await small, { backend: device, subject: 0, memory, onProgress: () => void reports++ }),
      );
    // What refuses is what is told beforehand, to the byte, whether weights are mapped or copied.
    const opened = await openBundleWeights(await small);
    const [{ memory: told }] = estimateMindEye2(opened) as [StageEstimate, ...StageEstimate[]];
    const needed = told.weights + told.activations;
    const inWords = bytesInWords(needed);
    for (const mapFile of [undefined, () => backend.tensor([0], [1])]) {
      Object.assign(device, { mapFile });
      for (const [memory, field] of [
        [{ available: needed - 1 }, 'available memory'],
        [{ limit: needed - 1 }, 'memoryLimit'],
      ] as const) {
        const error = await attempt(memory);
        expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', field });
        expect(error.expected).toContain(`at most ${inWords}, `);
        const parts = [bytesInWords(told.weights), bytesInWords(told.activations)];
        expect(error.found).toBe(`${inWords} (${parts[0]} of weights, at most ${parts[1]} beside them)`);
      }
    }
    // A device with memory of its own: what it holds already is not free any more.
    const held = device.tensor(new Float32Array(25), [25]);
    await device.sync();
    const { info } = device;
    const { liveBytes } = device.stats();
    expect(liveBytes).toBeGreaterThan(0);
    const withFree = (free: number | undefined) =>
      Object.assign(device, {
        info: { ...info, memory: { total: 1e12, ...(free !== undefined && { free }) } },
      });
    withFree(needed + liveBytes - 1);
    const error = await attempt({ limit: needed });
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', field: 'memory of the device' });
    expect(error.expected).toBe(`at most ${inWords}, what is free on ${info.description}`);
    expect(reports).toBe(0);
    Object.assign(device, { mapFile: undefined });
    const fitting = { available: needed, limit: needed };
    for (const free of [needed + liveBytes, undefined]) {
      withFree(free);
      (await openBundle(await small, { backend: device, subject: 0, memory: fitting })).dispose();
    }
    held.dispose();
    await device.dispose();
  });

  it('warns of emulated autocast, which is near but not the same', async () => {
    const betas = betasOf(1, 7);
    const results: Float32Array[] = [];
    for (const precision of ['f32', 'autocast-f16'] as const) {
      const decoder = await openBundle(await small, { backend, subject: 0, precision });
      expect(decoder.warnings.join()).toBe(
        precision === 'f32' ? '' : 'autocast to float16 is emulated, not verified against a GPU run',
      );
      results.push(await decoder.predict(betas));
      decoder.dispose();
    }
    const [exact, emulated] = results as [Float32Array, Float32Array];
    const worst = exact.reduce((most, value, i) => Math.max(most, Math.abs(value - emulated[i]!)), 0);
    expect(worst).toBeGreaterThan(1e-5);
    expect(worst).toBeLessThan(1e-2);
  });
});
