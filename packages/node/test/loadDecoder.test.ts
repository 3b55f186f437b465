import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createBackend,
  type DecoderSource,
  decodePng,
  type LoadedDecoder,
  loadDecoder,
  Picture,
} from '../src/index.ts';
import { errorOf, manyBetas, writeKept } from './kept.ts';

const { betas, pictures } = keptPictures('ridge_v1');
const size = pictures.length / betas.shape[0];

let root: string;
let bundle: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'f2i-load-'));
  bundle = await writeKept(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function expectPictures(decoder: LoadedDecoder): Promise<void> {
  let seen = 0;
  for await (const { trial, image } of decoder.reconstruct(betas)) {
    const expected = pictures.subarray(trial * size, (trial + 1) * size);
    const worst = image!.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(worst).toBeLessThan(PICTURE_TOLERANCE);
    seen++;
  }
  expect(seen).toBe(betas.shape[0]);
}

describe('loadDecoder', () => {
  it('opens a path, a file: URL, files and a Folder', async () => {
    const files = readdirSync(bundle).map(
      (name) => [name, new Uint8Array(readFileSync(join(bundle, name)))] as const,
    );
    const sources: DecoderSource[] = [
      bundle,
      pathToFileURL(bundle),
      pathToFileURL(bundle).href,
      new Map(files),
      files.map(([name, bytes]) => new File([bytes], name)),
      keptBundle('ridge_v1'),
    ];
    for (const source of sources) {
      const decoder = await loadDecoder(source, { device: 'cpu', threads: 1 });
      await expectPictures(decoder);
      await decoder.dispose();
    }
  });

  it('gives labels with their scores', async () => {
    const { betas, pictures: scores } = keptPictures('ridge_labels_v3');
    const decoder = await loadDecoder(keptBundle('ridge_labels_v3'), { device: 'cpu', threads: 1 });
    expect(decoder.output).toMatchObject({ kind: 'labels', names: ['cat', 'face', 'house', 'shoe'] });
    const found: string[] = [];
    for await (const { trial, label } of decoder.reconstruct(betas)) {
      found.push(label!.name);
      label!.scores.forEach((score, i) => {
        expect(score).toBeCloseTo(scores[4 * trial + i]!, 5);
      });
    }
    expect(found).toEqual(['cat', 'shoe', 'house', 'face', 'shoe', 'shoe', 'house', 'face']);
    await decoder.dispose();
  });

  it('says what `auto` passed over, and why', async () => {
    const decoder = await loadDecoder(bundle, { threads: 2 });
    expect(decoder.backend.name).toBe('cpu');
    expect(decoder.backend.info).toMatchObject({
      threads: 2,
      rejected: [{ device: 'cuda', reason: expect.stringMatching(/F2I_CUDA_LIBRARY names/) }],
    });
    await decoder.dispose();
  });

  it('takes a backend of the application, and leaves it', async () => {
    const backend = await createBackend({ device: 'cpu', threads: 1 });
    const decoder = await loadDecoder(bundle, { backend });
    await expectPictures(decoder);
    await decoder.dispose();
    expect(backend.disposed).toBe(false);
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
  });

  it('refuses what it cannot open', async () => {
    expect(await errorOf(loadDecoder(join(root, 'no')))).toMatchObject({ code: 'IO' });
    expect(await errorOf(loadDecoder(root))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/model\.json: no such file: the folder is no bundle/),
    });
    expect(await errorOf(loadDecoder('https://example.org/bundle'))).toMatchObject({
      code: 'USAGE',
      expected: 'a path or a file: URL',
    });
    expect(await errorOf(loadDecoder(5 as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'source',
    });
    expect(await errorOf(loadDecoder(bundle, { device: 'webgpu' }))).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await errorOf(loadDecoder(bundle, { memoryLimit: 64 }))).toMatchObject({ code: 'OUT_OF_MEMORY' });
    truncateSync(join(bundle, 'weights.safetensors'), 1000);
    const truncated = await errorOf(loadDecoder(bundle));
    expect(truncated).toMatchObject({
      code: 'FORMAT',
      file: join(bundle, 'weights.safetensors'),
      found: '1000',
    });
  });

  it('frees after an abort and after a loop that was left', async () => {
    const backend = await createBackend({ device: 'cpu', threads: 1 });
    const decoder = await loadDecoder(bundle, { backend });
    await backend.sync();
    const before = backend.stats();
    const controller = new AbortController();
    const loop = async () => {
      for await (const { trial } of decoder.reconstruct(manyBetas(1000), { signal: controller.signal })) {
        if (trial === 70) controller.abort();
      }
    };
    expect((await errorOf(loop())).code).toBe('CANCELLED');
    for await (const { trial } of decoder.reconstruct(manyBetas(10))) if (trial === 40) break;
    const second = new AbortController();
    const running = errorOf(decoder.predict(manyBetas(2000), { signal: second.signal }));
    second.abort();
    expect((await running).code).toBe('CANCELLED');
    await backend.sync().catch(() => undefined);
    expect(backend.stats()).toMatchObject({ liveTensors: before.liveTensors, liveBytes: before.liveBytes });
    await decoder.dispose();
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
  });
});

describe('writePng in Node', () => {
  it('writes whole files, replaces none by itself, and gives a Blob without a target', async () => {
    const decoder = await loadDecoder(bundle, { device: 'cpu', threads: 1 });
    const first = await decoder.reconstruct(betas, { trials: [3] }).next();
    const image = first.value!.image!;
    const path = join(root, 'out', 'trial 3.png');
    await image.writePng(path);
    const read = decodePng(new Uint8Array(readFileSync(path)), path);
    expect(read).toMatchObject({ width: image.width, height: image.height });
    const worst = read.data.reduce((most, value, i) => Math.max(most, Math.abs(value - image.data[i]!)), 0);
    expect(worst).toBeLessThan(0.5 / 255 + 1e-6);
    expect(await errorOf(image.writePng(path))).toMatchObject({ code: 'USAGE', file: path });
    await image.writePng(pathToFileURL(path), { force: true, depth: 16 });
    expect(readFileSync(path)[24]).toBe(16);
    const blob = await image.writePng();
    expect(blob.type).toBe('image/png');
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(image.toPng());
    expect(readdirSync(join(root, 'out'))).toEqual(['trial 3.png']);
    await decoder.dispose();
  });

  it('is for pictures of decoders: others know no files', async () => {
    const own = new Picture(new Float32Array(4), [2, 2], [0, 1]);
    expect(await errorOf(own.writePng('x.png'))).toMatchObject({ code: 'USAGE', field: 'target' });
    expect(existsSync('x.png')).toBe(false);
  });
});
