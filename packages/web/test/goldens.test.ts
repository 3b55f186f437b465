import { bytesSource, F2iError, type Folder } from '@fmri2image/core';
import { EVERYWHERE, formatGolden, type GoldenResult, runGoldens } from '@fmri2image/core/conformance';
import { expect, inject, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const { url, files, required } = inject('goldens');
const absent = files.length > 0 || required ? '' : ' (no goldens here)';
/** Kernels, metrics and networks, those in f32; the ridge goldens ask for f64. */
const OURS = /^(kernel_|metrics_|clip_converter|mindeye)/;

const folder: Folder = {
  name: 'goldens',
  list: async () => files.filter((file) => OURS.test(file)),
  open: async (path) => {
    const response = await fetch(`${url}/${path}`);
    if (!response.ok) throw new F2iError('IO', 'the server of goldens has no such file', { file: path });
    return bytesSource(new Uint8Array(await response.arrayBuffer()), path);
  },
};

describeOnDevice('goldens', () => {
  // One backend for all: what takes a device in software long is to compile each shader once.
  it.skipIf(absent !== '')(`hold in WGSL${absent}`, { timeout: 600_000 }, async () => {
    const backend = await createWebBackend();
    const results = await runGoldens(folder, backend);
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
    const having = (wanted: GoldenResult['status']) => results.filter(({ status }) => status === wanted);
    expect(having('failed').map(formatGolden)).toEqual([]);
    expect(having('passed').map(({ name }) => name)).toEqual(expect.arrayContaining([...EVERYWHERE]));
    const reasons = having('skipped').map(({ message }) => message);
    expect([...new Set(reasons)]).toEqual(['gradients are not implemented yet']);
  });
});
