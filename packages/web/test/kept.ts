import { F2iError, type LoadedDecoder, type Rows } from '@fmri2image/core';
import { keptBundle, keptPictures, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { expect } from 'vitest';

export const { betas, pictures } = keptPictures('ridge_v1');
const size = pictures.length / betas.shape[0];

/** The files of the kept bundle, as a picker gives them. */
export async function keptFiles(prefix = ''): Promise<File[]> {
  const folder = keptBundle('ridge_v1');
  return Promise.all(
    (await folder.list()).map(async (name) => {
      const source = await folder.open(name);
      const bytes = (await source.read(0, source.size)) as Uint8Array<ArrayBuffer>;
      return new File([bytes], prefix + name);
    }),
  );
}

/** The kept responses many times over: work for a while. */
export function manyBetas(times: number): Rows {
  const data = new Float32Array(betas.data.length * times);
  for (let i = 0; i < times; i++) data.set(betas.data, i * betas.data.length);
  return { data, shape: [betas.shape[0] * times, betas.shape[1]] };
}

/** All kept pictures, within the tolerance of devices. */
export async function expectPictures(decoder: LoadedDecoder): Promise<void> {
  let seen = 0;
  for await (const { trial, image } of decoder.reconstruct(betas)) {
    const expected = pictures.subarray(trial * size, (trial + 1) * size);
    const worst = image!.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(worst).toBeLessThan(PICTURE_TOLERANCE);
    seen++;
  }
  expect(seen).toBe(betas.shape[0]);
}

export async function errorOf(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => new Error('expected an error'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof F2iError)) throw error;
  return error;
}
