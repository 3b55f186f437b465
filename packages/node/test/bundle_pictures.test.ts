import { checkBundles, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { describe, expect, it } from 'vitest';
import { CpuBackend } from '../src/index.ts';
import { ISAS } from '../src/native/addon.ts';
import { loadAddon } from '../src/native/load.ts';

const best = loadAddon().bestIsa;

describe.each(['portable', 'avx2', 'avx512'] as const)('kept bundles on %s', (isa) => {
  it.skipIf(ISAS.indexOf(isa) > best)('open and give the pictures of the reference', async () => {
    const backend = new CpuBackend({ isa });
    const checks = await checkBundles(backend);
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
    for (const { bundle, worst, contrast } of checks) {
      expect(contrast, bundle).toBeGreaterThan(0.1);
      expect(worst, bundle).toBeLessThan(PICTURE_TOLERANCE);
    }
  });
});
