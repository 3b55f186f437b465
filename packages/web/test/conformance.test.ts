import { formatReport, runConformance } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend, type KernelLimits } from '../src/index.ts';
import { describeOnDevice } from './available.ts';
import { unsupported } from './expectations.ts';

async function conforms(limits: Partial<KernelLimits>, filter: RegExp | undefined, least: number) {
  const backend = await createWebBackend({ limits });
  const report = await runConformance(backend, { filter, unsupported });
  await backend.dispose();
  expect(report.failed, formatReport(report)).toBe(0);
  expect(report.passed).toBeGreaterThanOrEqual(least);
}

describeOnDevice('conformance', () => {
  it('holds for every op', async () => {
    await conforms({}, undefined, 400);
  });

  it('holds where bindings, grids and dispatches are small', async () => {
    await conforms(
      { maxBindingBytes: 40_960, maxWorkgroups: 4, maxDispatchFlops: 1e6 },
      /\/f32\/|behaviour/,
      300,
    );
  });

  it('holds for the matrix product in workgroup memory', async () => {
    await conforms({ avoidBarriers: false }, /^(gemm|gram|cosine_matrix)\/f32/, 50);
  });
});
