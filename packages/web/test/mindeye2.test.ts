import { checkKeptModel, MODEL_TOLERANCE } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

describeOnDevice('the kept model', () => {
  it('gives the tokens and the latent of the reference', { timeout: 120_000 }, async () => {
    const backend = await createWebBackend();
    const checks = await checkKeptModel(backend);
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
    for (const { bundle, worst, contrast } of checks) {
      expect(contrast, bundle).toBeGreaterThan(0.1);
      expect(worst, bundle).toBeLessThan(MODEL_TOLERANCE);
    }
  });
});
