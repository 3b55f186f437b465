import { formatReport, runConformance } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend, type KernelLimits } from '../src/index.ts';
import { describeOnDevice } from './available.ts';
import { unsupported } from './expectations.ts';

interface Run {
  limits?: Partial<KernelLimits>;
  filter?: RegExp;
  /** Gaps besides those that are always there. */
  gaps?: Record<string, string>;
  least: number;
}

async function conforms({ limits = {}, filter, gaps = {}, least }: Run) {
  const backend = await createWebBackend({ limits });
  const report = await runConformance(backend, { filter, unsupported: { ...unsupported, ...gaps } });
  await backend.dispose();
  expect(report.failed, formatReport(report)).toBe(0);
  expect(report.passed).toBeGreaterThanOrEqual(least);
}

describeOnDevice('conformance', () => {
  it('holds for every op', async () => {
    await conforms({ least: 400 });
  });

  it('holds where bindings, grids and dispatches are small', async () => {
    await conforms({
      limits: { maxBindingBytes: 40_960, maxWorkgroups: 4, maxDispatchFlops: 1e6 },
      filter: /\/f32\/|behaviour/,
      gaps: { 'eigh/f32/several blocks, n = 150': 'the matrix does not fit a binding' },
      least: 300,
    });
  });

  it('holds for the matrix product in workgroup memory', async () => {
    await conforms({
      limits: { avoidBarriers: false },
      filter: /^(gemm|gram|cosine_matrix)\/f32/,
      least: 50,
    });
  });
});
