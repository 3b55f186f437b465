import { formatReport, runConformance } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend, type KernelLimits } from '../src/index.ts';
import { describeOnDevice } from './available.ts';
import { unsupported } from './expectations.ts';

/**
 * Paths that neither a device in software nor the default limits take: one case each, as a shader with barriers takes
 * such a device a second to compile. In Dawn alone; Chromium runs the same compiler and driver.
 */
async function conforms(limits: Partial<KernelLimits>, names: readonly string[]) {
  const backend = await createWebBackend({ limits });
  const filter = new RegExp(`^(${names.join('|')})`);
  const report = await runConformance(backend, { filter, unsupported });
  await backend.dispose();
  expect(report.failed, formatReport(report)).toBe(0);
  expect(report.passed, formatReport(report)).toBe(names.length);
}

const TILED = { avoidBarriers: false };

describeOnDevice('conformance in workgroup memory', () => {
  it('holds for layers of few rows and of many', async () => {
    await conforms(TILED, [
      'linear/f32/bf16 weights, three repeats',
      'linear/f32/odd 13x131',
      'linear/f32/f16 weights, several blocks',
    ]);
  });

  it('holds for attention', async () => {
    await conforms(TILED, [
      'attention/f32/a head of this length 2x3x13x17x80',
      'attention/f32/a head of 512',
      'attention/f32/heads inside, all options',
      'attention/f32/the prior of MindEye2, several blocks',
      'attention/f32/a bias that hides keys',
      'attention/f32/causal, more queries and a null key',
      'attention/f32/causal, several blocks',
      'attention/f32/a mask that leaves one item nothing',
      'attention/f32/a mask before the last block',
      'attention/f32/NaN reaches its query',
      'attention/f32/no keys',
    ]);
  });
});

describeOnDevice('conformance in pieces', () => {
  it('holds for sums and for keys that do not fit a binding', async () => {
    await conforms({ maxBindingBytes: 2560, maxDispatchFlops: 1e5 }, [
      'linear/f32/f16 weights, three repeats',
      'attention/f32/heads inside, all options',
      'attention/f32/several blocks of keys',
      'attention/f32/causal, several blocks',
      'attention/f32/NaN reaches its query',
      'attention/f32/a mask before the last block',
    ]);
    await conforms({ ...TILED, maxBindingBytes: 2560 }, [
      'attention/f32/causal, a null key',
      'attention/f32/a mask with a null key',
    ]);
  });
});
