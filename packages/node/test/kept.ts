import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { F2iError, type Folder, type Rows } from '@fmri2image/core';
import { keptBundle, keptPictures } from '@fmri2image/core/conformance';

/** A kept bundle as a folder on disk. */
export async function writeKept(root: string, name = 'ridge_v1'): Promise<string> {
  const path = join(root, `${name}.bundle`);
  await writeFolder(keptBundle(name), path);
  return path;
}

export async function writeFolder(folder: Folder, path: string): Promise<void> {
  mkdirSync(path, { recursive: true });
  for (const file of await folder.list()) {
    const source = await folder.open(file);
    writeFileSync(join(path, file), await source.read(0, source.size));
  }
}

/** The kept responses many times over: work for a while. */
export function manyBetas(times: number, name = 'ridge_v1'): Rows {
  const { betas } = keptPictures(name);
  const data = new Float32Array(betas.data.length * times);
  for (let i = 0; i < times; i++) data.set(betas.data, i * betas.data.length);
  return { data, shape: [betas.shape[0] * times, betas.shape[1]] };
}

export async function errorOf(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => new Error('expected an error'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof F2iError)) throw error;
  return error;
}
