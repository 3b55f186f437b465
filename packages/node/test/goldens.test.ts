import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatGolden, runGoldens } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { CpuBackend, nodeFolder } from '../src/index.ts';
import { unsupported } from './expectations.ts';

const path = process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');
const absent = existsSync(path) || required ? '' : ' (no goldens here)';

it.skipIf(absent !== '')(`goldens hold on the cpu${absent}`, { timeout: 120_000 }, async () => {
  const backend = new CpuBackend();
  const results = await runGoldens(await nodeFolder(path), backend);
  await backend.dispose();
  expect(results.filter(({ status }) => status === 'failed').map(formatGolden)).toEqual([]);
  const passed = results.filter(({ status }) => status === 'passed').map(({ name }) => name);
  const ours = results.filter(({ name }) => /^(ridge_(?!banded)|kernel_|metrics_resize)/.test(name));
  expect(ours.length).toBeGreaterThan(0);
  // An op is either there or declared missing.
  const lacking = ours.filter(({ message }) => {
    const op = /the cpu backend has no (\w+)/.exec(message)?.[1];
    return op !== undefined && op in unsupported;
  });
  const held = ours.filter((result) => !lacking.includes(result));
  expect(held.map(({ name }) => name)).toEqual(expect.arrayContaining(['kernel_linear', 'ridge_n_lt_p']));
  expect(passed).toEqual(held.map(({ name }) => name));
});
