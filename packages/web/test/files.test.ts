import { bytesSource, decodePng, encodePng, gunzip, joinBytes, openNpz } from '@fmri2image/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

/** What reads files leans on the platform's streams and on libraries: both must do here what they do in Node. */
describe('files', () => {
  const text = new TextEncoder().encode('some text that repeats, some text that repeats. '.repeat(3000));

  async function packed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  const unpacked = (bytes: Uint8Array) => gunzip(bytesSource(bytes, 'x.gz'));
  const place = { code: 'FORMAT', file: 'x.gz', field: 'compressed data' };

  // An npz of one array, 0 to 59 as [3, 20] float32, deflated.
  const npz = Uint8Array.from(
    atob(
      'UEsDBBQAAAAIAAAAISg0uqzayQAAAHABAAAFAAAAYS5ucHmdyCGLAmEUheG7sGFZNhg2bNjwhYXPhQmDGkQERxExqExQUBB0cEYMojIjFhEmGgWL0Wg0Go1Go9FoNBp99Sd4uM+Fc5aVWtluvMlEptr1go6vU0qnuwltKN0d+mPfGbSGvus99oLTDzz2oOeMPHo0bqiY+W+omXo1n/JMmOFZHEKssccZkhWJQMGEBRttjBBijgVWWGODLXbY44AjTjjjgitukJzIOz7whQi+8YNfKPwhCgMmEkgiDQt5FFGCjSrqaKINFz30c3dQSwECFAAUAAAACAAAACEoNLqs2skAAABwAQAABQAAAAAAAAAAAAAAAAAAAAAAYS5ucHlQSwUGAAAAAAEAAQAzAAAA7AAAAAAA',
    ),
    (character) => character.charCodeAt(0),
  );

  beforeEach(() => {
    const refuse = () => {
      throw new Error('files need neither a network nor workers');
    };
    vi.stubGlobal('fetch', refuse);
    vi.stubGlobal('Worker', refuse);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('reads gzip, and notices damage', async () => {
    const whole = await packed(text);
    expect(await unpacked(whole)).toEqual(text);
    const cut = { ...place, message: expect.stringMatching(/ends too early/) };
    for (const length of [2, 12, whole.length >> 1, whole.length - 1]) {
      await expect(unpacked(whole.subarray(0, length))).rejects.toMatchObject(cut);
    }
    const other = { ...place, message: expect.stringMatching(/damaged/) };
    for (const at of [whole.length - 8, whole.length - 4]) {
      const wrong = whole.slice();
      wrong[at]! ^= 1;
      await expect(unpacked(wrong)).rejects.toMatchObject(other);
    }
    await expect(unpacked(joinBytes([whole, text]))).rejects.toMatchObject(other);
  });

  it('stops at the limit', async () => {
    const bomb = bytesSource(await packed(new Uint8Array(50_000_000)), 'x.gz');
    await expect(gunzip(bomb, { limit: 1000 })).rejects.toMatchObject(place);
  });

  it('reads npz, and notices damage', async () => {
    const opened = await openNpz(bytesSource(npz, 'x.npz'));
    const array = await opened.read('a');
    expect(array).toEqual({
      dtype: 'f32',
      shape: [3, 20],
      data: Float32Array.from({ length: 60 }, (_, i) => i),
    });
    for (let at = 0; at < npz.length; at++) {
      const wrong = npz.slice();
      wrong[at]! ^= 4;
      const outcome = await openNpz(bytesSource(wrong, 'x.npz'))
        .then((damaged) => damaged.read('a'))
        .catch((error) => error);
      // Time stamps and versions are not protected; everything else is.
      if (!outcome.data) expect(['FORMAT', 'UNSUPPORTED'], `byte ${at}`).toContain(outcome.code);
      else expect(outcome.data).toEqual(array.data);
    }
  });

  it('writes and reads PNG', () => {
    const data = Float32Array.from({ length: 48 * 32 * 3 }, (_, i) => (i % 256) / 255);
    const picture = { width: 48, height: 32, channels: 3 as const, data };
    expect(decodePng(encodePng(picture), 'x.png')).toEqual(picture);
  });
});
