import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatGolden, runGoldens } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend, memoryFolder } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const folder =
  process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');
const absent = existsSync(folder) || required ? '' : ' (no goldens here)';
/** Kernels, metrics and networks, those in f32; the ridge goldens ask for f64. */
const OURS = /^(kernel_|metrics_|clip_converter|mindeye1_|mindeye2_prior)/;

describeOnDevice('goldens', () => {
  it.skipIf(absent !== '')(`hold in WGSL${absent}`, { timeout: 180_000 }, async () => {
    const files = readdirSync(folder).filter((name) => OURS.test(name));
    const contents = files.map((name) => [name, new Uint8Array(readFileSync(`${folder}/${name}`))] as const);
    const backend = await createWebBackend();
    const results = await runGoldens(memoryFolder(contents, 'goldens'), backend);
    await backend.dispose();
    expect(results.filter(({ status }) => status !== 'passed').map(formatGolden)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(34);
  });
});
