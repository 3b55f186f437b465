import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  detectFormat,
  encodeNifti,
  encodeNpy,
  encodePng,
  encodeSafetensors,
  F2iError,
  inspectFile,
  readArray,
  type Source,
} from '../../src/index.ts';
import { dataFolder } from '../shared.ts';
import { errorOf } from './helpers/errors.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

const data = new Float32Array([0, 0.25, 0.5, 0.75, 1, 0]);
const npy = encodeNpy({ dtype: 'f32', shape: [2, 3], data });
const files = {
  npy,
  npz: zipSync({ 'x.npy': npy }),
  nifti: encodeNifti({ data, dtype: 'f32', shape: [3, 2] }),
  safetensors: encodeSafetensors([{ name: 'x', dtype: 'f32', shape: [2, 3], data }]),
  png: encodePng({ width: 3, height: 2, channels: 1, data }),
};

/** Counts the bytes that are read. */
function counting(bytes: Uint8Array, name: string): Source & { readonly count: () => number } {
  const inner = bytesSource(bytes, name);
  let count = 0;
  return {
    ...inner,
    read(offset, length, signal) {
      count += length;
      return inner.read(offset, length, signal);
    },
    count: () => count,
  };
}

describe('detectFormat and readArray', () => {
  it.each(Object.entries(files))('tell %s by its content, whatever its name', async (format, bytes) => {
    expect(await detectFormat(bytesSource(bytes, 'file'))).toBe(format);
    const { shape } = await readArray(bytesSource(bytes, 'file'));
    expect(shape).toEqual(format === 'nifti' ? [3, 2] : [2, 3]);
  });

  it('need a name where there are several arrays', async () => {
    const two = zipSync({ 'a.npy': npy, 'b.npy': npy });
    const error = await errorOf(readArray(bytesSource(two, 'two.npz')));
    expect(error.message).toMatch(/two\.npz: name the array.*a, b/);
    expect((await readArray(bytesSource(two, 'two.npz'), { array: 'b' })).shape).toEqual([2, 3]);
    expect((await errorOf(readArray(bytesSource(npy, 'a.npy'), { array: 'b' }))).code).toBe('USAGE');
  });

  it('say what they read, where a file is none of it', async () => {
    const error = await errorOf(readArray(bytesSource(new Uint8Array([1, 2, 3]), 'what.dat')));
    expect(error.message).toMatch(/^what\.dat: .*expected npy, npz, NIfTI/);
    expect((await errorOf(readArray(bytesSource(gzipSync(npy), 'x.npy.gz')))).code).toBe('UNSUPPORTED');
  });
});

describe('inspectFile', () => {
  it('describes an image', async () => {
    const image = encodeNifti({ data, dtype: 'f32', shape: [1, 1, 1, 6], tr: 1.5, description: 'made up' });
    const { format, arrays, details } = await inspectFile(bytesSource(gzipSync(image), 'x.nii.gz'));
    expect({ format, arrays }).toEqual({ format: 'nifti', arrays: [{ dtype: 'f32', shape: [1, 1, 1, 6] }] });
    expect(details).toMatchObject({ repetitionTimeSeconds: 1.5, volumes: 6, description: 'made up' });
    expect(() => JSON.stringify(details)).not.toThrow();
  });

  it('reads no more of a large file than its headers', async () => {
    const values = Float32Array.from({ length: 500_000 }, (_, i) => Math.sin(i * i));
    const large = { dtype: 'f32', shape: [500_000], data: values } as const;
    const image = encodeNifti({ data: values, dtype: 'f32', shape: [100, 100, 50] });
    for (const [name, bytes] of [
      ['x.npy', encodeNpy(large)],
      ['x.npz', zipSync({ 'x.npy': encodeNpy(large) })],
      ['x.nii', image],
      ['x.nii.gz', gzipSync(image)],
      ['x.safetensors', encodeSafetensors([{ name: 'x', ...large }])],
    ] as const) {
      const source = counting(bytes, name);
      expect((await inspectFile(source)).arrays[0]!.dtype, name).toBe('f32');
      expect(source.count(), name).toBeLessThan(source.size / 2);
    }
  });

  itWith('data')('describes, or refuses in words, every file of the shared data', async () => {
    const seen: Record<string, number> = {};
    for (const entry of readdirSync(dataFolder!, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const outcome = await inspectFile(await sharedSource(path, '/')).catch((error) => error);
      if (outcome instanceof Error && !(outcome instanceof F2iError)) throw outcome;
      const kind = outcome instanceof F2iError ? outcome.code : outcome.format;
      seen[kind] = (seen[kind] ?? 0) + 1;
    }
    expect(seen).toMatchObject({ nifti: 8, npz: 2, png: 4, safetensors: 3 });
  });
});
