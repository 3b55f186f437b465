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

  it('holds where a plane of a picture exceeds a binding', async () => {
    await conforms({
      limits: { maxBindingBytes: 1024, maxWorkgroups: 2, maxDispatchFlops: 1e5 },
      filter:
        /^(conv2d|adaptive_max_pool1d|random_normal|resize2d|upsample_nearest)\/f32\/(one |NaN|views|3x3, stride 2 2|silu and|padding wider|groups: two 2|14x14|a seed|bilinear: wider|lanczos, antialias: wider)/,
      gaps: {
        'conv2d/f32/14x14*': 'the rows under a kernel exceed a binding',
        'resize2d/f32/lanczos*': 'the rows under a filter exceed a binding',
      },
      least: 18,
    });
  });

  it('holds where elements that share a word and chunks of a row fall into different windows', async () => {
    await conforms({
      limits: { maxBindingBytes: 1024, maxWorkgroups: 2, maxDispatchFlops: 1000 },
      filter: /^(concat|permute|slice)\/(f16|u8)|^layer_norm\/f32\/stable, long|^group_norm\/f32\/pictures/,
      least: 14,
    });
  });

  it('holds for products in workgroup memory', async () => {
    await conforms({
      limits: { avoidBarriers: false },
      filter:
        /^((gemm|gram|cosine_matrix)\/f32|conv2d\/f32\/(3x3 2x|several blocks in|groups: two 2|NaN|silu and))/,
      least: 55,
    });
  });
});
