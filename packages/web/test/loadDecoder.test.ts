import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { describe, expect, it } from 'vitest';
import { createBackend, type LoadProgress, loadDecoder } from '../src/index.ts';
import { bareDevice, describeOnDevice } from './available.ts';
import { betas, errorOf, expectPictures, keptFiles, manyBetas } from './kept.ts';

/** A folder that was picked, in the form of a directory handle. */
function directory(files: readonly File[]) {
  const notFound = (name: string) => new DOMException(`no ${name}`, 'NotFoundError');
  return {
    kind: 'directory' as const,
    name: 'sub-01.bundle',
    async getDirectoryHandle(name: string): Promise<never> {
      throw notFound(name);
    },
    async getFileHandle(name: string) {
      const file = files.find((each) => each.name === name);
      if (!file) throw notFound(name);
      return { getFile: async () => file };
    },
  };
}

describeOnDevice('loadDecoder on WebGPU', () => {
  it('opens files, a directory handle and a Folder, and gives the kept pictures', async () => {
    const phases: string[] = [];
    const onProgress = ({ phase }: LoadProgress) => phases.push(phase);
    for (const source of [await keptFiles(), directory(await keptFiles()), keptBundle('ridge_v1')]) {
      const decoder = await loadDecoder(source, { onProgress });
      expect(decoder.backend).toMatchObject({ name: 'webgpu', info: { rejected: [] } });
      await expectPictures(decoder);
      await decoder.dispose();
    }
    expect(new Set(phases)).toEqual(new Set(['read', 'verify', 'upload']));
  });

  it('gives labels with their scores', async () => {
    const { betas, pictures: scores } = keptPictures('ridge_labels_v3');
    const decoder = await loadDecoder(keptBundle('ridge_labels_v3'));
    const found: string[] = [];
    for await (const { trial, label } of decoder.reconstruct(betas)) {
      found.push(label!.name);
      label!.scores.forEach((score, i) => {
        expect(Math.abs(score - scores[4 * trial + i]!)).toBeLessThan(PICTURE_TOLERANCE);
      });
    }
    expect(found).toEqual(['cat', 'shoe', 'house', 'face', 'shoe', 'shoe', 'house', 'face']);
    await decoder.dispose();
  });

  it('frees after an abort, a loop that was left, and dispose()', async () => {
    const backend = await createBackend();
    const decoder = await loadDecoder(await keptFiles(), { backend });
    const before = backend.stats().liveTensors;
    const controller = new AbortController();
    const loop = async () => {
      for await (const { trial } of decoder.reconstruct(manyBetas(50), { signal: controller.signal })) {
        if (trial === 40) controller.abort('enough');
      }
    };
    expect(await errorOf(loop())).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    for await (const { trial } of decoder.reconstruct(manyBetas(50))) if (trial === 40) break;
    expect(backend.stats().liveTensors).toBe(before);
    const pending = errorOf(decoder.predict(manyBetas(50)));
    await decoder.dispose();
    expect((await pending).code).toBe('DISPOSED');
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
  });

  it('tells of a lost device, and another decoder can be opened', async () => {
    const device = await bareDevice();
    const decoder = await loadDecoder(await keptFiles(), { device });
    await expectPictures(decoder);
    const waits = [
      errorOf(decoder.predict(manyBetas(50))),
      errorOf(decoder.reconstruct(manyBetas(50)).next()),
    ];
    device.destroy();
    for (const error of await Promise.all(waits)) expect(error.code).toBe('DEVICE_LOST');
    expect((await decoder.lost).code).toBe('DEVICE_LOST');
    expect((await errorOf(decoder.predict(betas))).code).toBe('DEVICE_LOST');
    await decoder.dispose();
    const next = await loadDecoder(await keptFiles());
    await expectPictures(next);
    await next.dispose();
  });

  it('does not call a plain dispose() a loss', async () => {
    const decoder = await loadDecoder(await keptFiles());
    await decoder.dispose();
    const none = new Promise((resolve) => setTimeout(resolve, 100, 'not lost'));
    expect(await Promise.race([decoder.lost, none])).toBe('not lost');
  });
});

describe('loadDecoder in a browser', () => {
  it('names what is missing among files', async () => {
    const files = await keptFiles('sub-01/');
    expect(await errorOf(loadDecoder([files[0]!], { device: 'reference' }))).toMatchObject({
      code: 'IO',
      message:
        'the chosen files: no weights.safetensors; expected the files of a bundle: model.json, weights.safetensors, found sub-01/model.json',
    });
    const handle = directory([]);
    expect(await errorOf(loadDecoder(handle, { device: 'reference' }))).toMatchObject({
      code: 'IO',
      file: 'sub-01.bundle/model.json',
    });
    expect(await errorOf(loadDecoder(7 as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'source',
    });
  });

  it('refuses a truncated upload, naming both sizes', async () => {
    const files = await keptFiles();
    const cut = files.map((file) =>
      file.name.endsWith('.json') ? file : new File([file.slice(0, file.size - 100)], file.name),
    );
    const whole = files.find(({ name }) => !name.endsWith('.json'))!.size;
    expect(await errorOf(loadDecoder(cut, { device: 'reference' }))).toMatchObject({
      code: 'FORMAT',
      file: 'weights.safetensors',
      expected: `${whole} bytes`,
      found: `${whole - 100}`,
    });
  });

  it('says without WebGPU what is missing, and takes the reference only by name', async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    const error = await errorOf(loadDecoder(await keptFiles(), { gpu }));
    expect(error.code).toBe('UNSUPPORTED');
    expect(error.message).toMatch(/no device works here.*reference.*offers no adapter/s);
    const decoder = await loadDecoder(await keptFiles(), { device: 'reference', gpu });
    expect(decoder.backend).toMatchObject({
      name: 'reference',
      info: { rejected: [{ device: 'webgpu', reason: expect.stringMatching(/offers no adapter/) }] },
    });
    await expectPictures(decoder);
    await decoder.dispose();
  });

  it('makes an ImageData, a Blob, and files of pictures', async () => {
    const decoder = await loadDecoder(await keptFiles(), { device: 'reference' });
    const image = (await decoder.reconstruct(betas, { trials: [2] }).next()).value!.image!;
    const data = image.toImageData();
    expect(data).toMatchObject({ width: image.width, height: image.height, colorSpace: 'srgb' });
    const { ImageData } = globalThis as { ImageData?: new () => object };
    if (ImageData) expect(data).toBeInstanceOf(ImageData);
    expect(data.data).toEqual(image.toRgba());
    const chunks: Uint8Array[] = [];
    let closed = 0;
    const stream = () =>
      new WritableStream<Uint8Array>({
        write: (chunk) => void chunks.push(chunk),
        close: () => void closed++,
      });
    await image.writePng(stream());
    await image.writePng({ createWritable: async () => stream() });
    expect(chunks).toEqual([image.toPng(), image.toPng()]);
    expect(closed).toBe(2);
    const blob = await image.writePng();
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(image.toPng());
    const full = new WritableStream({ write: () => Promise.reject(new Error('the disk is full')) });
    expect(await errorOf(image.writePng(full))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/the disk is full/),
    });
    expect((await errorOf(image.writePng('x.png'))).code).toBe('USAGE');
    await decoder.dispose();
  });
});
