import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  convertedModel,
  createRandom,
  estimateMindEye2,
  type ModelSizes,
  matchWeights,
  mindeye2,
  openBundleWeights,
  type Rows,
  writeWeights,
} from '@fmri2image/core';
import { checkKeptModel, MODEL_TOLERANCE, randomModel } from '@fmri2image/core/conformance';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CpuBackend,
  type LoadDecoderOptions,
  loadDecoder,
  nodeFolder,
  writeFolderAtomic,
} from '../src/index.ts';
import { ISAS } from '../src/native/addon.ts';
import { loadAddon } from '../src/native/load.ts';
import { errorOf } from './kept.ts';

const best = loadAddon().bestIsa;

describe.each(['portable', 'avx2', 'avx512'] as const)('the kept model on %s', (isa) => {
  it.skipIf(ISAS.indexOf(isa) > best)('gives the outputs of the reference', async () => {
    const backend = new CpuBackend({ isa });
    const checks = await checkKeptModel(backend);
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
    for (const { bundle, worst, contrast } of checks) {
      expect(contrast, bundle).toBeGreaterThan(0.1);
      expect(worst, bundle).toBeLessThan(MODEL_TOLERANCE);
    }
  });
});

/** Large enough that its output layer is mapped: 9.4 MB in bf16, in several files. */
const SIZES: ModelSizes = {
  extents: new Map(
    Object.entries({
      h: 256,
      'voxels[0]': 500,
      seq: 1,
      tokens: 48,
      clip: 384,
      blurChannels: 64,
      top: 64,
      middle: 32,
      narrow: 32,
      latent: 4,
      maps: 8,
      mapsOut: 16,
    }),
  ),
  counts: new Map(Object.entries({ subject: 1, block: 2 })),
  groups: new Set(['blurry']),
};
const SHARD_BYTES = 4 * 2 ** 20;

let folder = '';
let bundle = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'f2i-mindeye2-'));
  bundle = join(folder, 'model.bundle');
  const source = randomModel(mindeye2, SIZES, { dtype: 'bf16' });
  const matched = matchWeights(source, mindeye2);
  await writeFolderAtomic(bundle, async (write) => {
    const model = convertedModel(source, matched, 'bf16');
    await writeWeights(source, matched, model, write, { dtype: 'bf16', shardBytes: SHARD_BYTES });
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const betas: Rows = { data: Float32Array.from(createRandom(4).normals(3 * 500)), shape: [3, 500] };

async function predictions(options: LoadDecoderOptions = {}): Promise<Float32Array> {
  await using decoder = await loadDecoder(bundle, options);
  return await decoder.predict(betas);
}

describe('weights on disk', () => {
  it('are mapped, and give what copies give', async () => {
    const backend = new CpuBackend();
    const mapped: string[] = [];
    const { mapFile } = backend;
    backend.mapFile = (path, ...rest) => {
      mapped.push(path);
      return mapFile.call(backend, path, ...rest);
    };
    const fromFile = await predictions({ backend });
    expect(new Set(mapped).size).toBeGreaterThan(2);
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
    // The same files, not on disk.
    const files = readdirSync(bundle).map((name): [string, Uint8Array] => [
      name,
      readFileSync(join(bundle, name)),
    ]);
    await using copied = await loadDecoder(files);
    expect(await copied.predict(betas)).toEqual(fromFile);
    const wide = await predictions({ precision: 'f32' });
    wide.forEach((value, i) => void expect(Math.abs(value - fromFile[i]!)).toBeLessThan(1e-3));
  });

  it('are verified before they are mapped', async () => {
    const name = 'weights-00002-of-00005.safetensors';
    const path = join(bundle, name);
    const bytes = readFileSync(path);
    const damaged = Uint8Array.from(bytes);
    damaged[bytes.length - 1000]! ^= 1;
    writeFileSync(path, damaged);
    try {
      const error = await errorOf(loadDecoder(bundle));
      expect(error).toMatchObject({ code: 'FORMAT', file: path, field: `bytes 0 to ${bytes.length}` });
      expect(error.message).toMatch(/checksum/);
    } finally {
      writeFileSync(path, bytes);
    }
  });

  it('are refused where memory is short, with both numbers', async () => {
    const error = await errorOf(loadDecoder(bundle, { memoryLimit: 100_000 }));
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', field: 'memoryLimit' });
    expect(error.message).toMatch(/at most 0\.1 MB, .*found \d+\.\d MB \(\d+\.\d MB of weights/);
  });

  it('take what was estimated', async () => {
    const estimates = estimateMindEye2(await openBundleWeights(await nodeFolder(bundle)));
    expect(estimates.map(({ stage }) => stage)).toEqual(['tokens', 'blurry']);
    const rows = 16;
    const many = { data: Float32Array.from(createRandom(5).normals(rows * 500)), shape: [rows, 500] };
    for (const { stage, memory } of estimates) {
      const backend = new CpuBackend();
      const decoder = await loadDecoder(bundle, { backend, stage });
      const weights = backend.liveTensors().reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(weights).toBe(memory.weights);
      await decoder.predict(many);
      const { peakBytes } = backend.stats();
      expect(peakBytes).toBeLessThan(memory.activations);
      expect(peakBytes).toBeGreaterThan(memory.activations / 8);
      await decoder.dispose();
      await backend.dispose();
    }
  });

  it.each([1, 4, 10, 16])('leave nothing on the device when loading ends at report %i', async (at) => {
    const backend = new CpuBackend();
    const controller = new AbortController();
    let reports = 0;
    const loading = loadDecoder(bundle, {
      backend,
      stage: 'blurry',
      signal: controller.signal,
      onProgress: () => {
        if (++reports === at) controller.abort();
      },
    });
    expect(await errorOf(loading)).toMatchObject({ code: 'CANCELLED' });
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
  });

  it('average outputs over repeats at the stage blurry, and stop at once', async () => {
    await using decoder = await loadDecoder(bundle, { stage: 'blurry' });
    const made = [];
    for await (const each of decoder.reconstruct(betas, { repeats: [[0], [2], [0, 2, 0]] })) made.push(each);
    const [one, other, mean] = made.map(({ features }) => features!.data);
    mean!.forEach((value, i) => void expect(value).toBeCloseTo((2 * one![i]! + other![i]!) / 3, 4));
    const signal = AbortSignal.abort();
    expect(await errorOf(decoder.reconstruct(betas, { signal }).next())).toMatchObject({ code: 'CANCELLED' });
  });
});
