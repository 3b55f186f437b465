import { checkBundles, PICTURE_TOLERANCE } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

describeOnDevice('kept bundles', () => {
  it('open and give the pictures of the reference', async () => {
    const backend = await createWebBackend();
    const checks = await checkBundles(backend);
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
    for (const { bundle, worst, contrast } of checks) {
      expect(contrast, bundle).toBeGreaterThan(0.1);
      expect(worst, bundle).toBeLessThan(PICTURE_TOLERANCE);
    }
  });
});
