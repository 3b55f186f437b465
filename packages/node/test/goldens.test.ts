import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EVERYWHERE, formatGolden, runGoldens } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { CpuBackend, nodeFolder } from '../src/index.ts';

const path = process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');
const absent = existsSync(path) || required ? '' : ' (no goldens here)';

it.skipIf(absent !== '')(`goldens hold on the cpu${absent}`, async () => {
  const backend = new CpuBackend();
  const results = await runGoldens(await nodeFolder(path), backend);
  await backend.dispose();
  expect(results.filter(({ status }) => status === 'failed').map(formatGolden)).toEqual([]);
  const refused = results.filter(({ message }) => message.includes('the cpu backend has no'));
  expect(refused.map(formatGolden)).toEqual([]);
  const passed = results.filter(({ status }) => status === 'passed').map(({ name }) => name);
  expect(passed).toEqual(
    expect.arrayContaining([...EVERYWHERE, 'ridge_n_lt_p', 'ridge_banded', 'brain_diffuser']),
  );
});
