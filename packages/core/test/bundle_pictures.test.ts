import { expect, it } from 'vitest';
import { checkBundles, KEPT_BUNDLES, keptBundle } from '../conformance/index.ts';
import { createReferenceBackend, readBundle } from '../src/index.ts';

/** A rounding of the primal weights to float32, and of their predictions. */
const ROUNDING = 1e-6;

it('kept bundles open and give the pictures that they gave when they were written', async () => {
  const backend = createReferenceBackend();
  const checks = await checkBundles(backend);
  expect(checks.map(({ bundle }) => bundle)).toEqual([
    'ridge_v1',
    'ridge_dual_v1',
    'ridge_dual_v1 as primal',
    'retinotopic_v1',
    'ridge_labels_v3',
  ]);
  for (const { bundle, worst, contrast } of checks) {
    expect(contrast, bundle).toBeGreaterThan(0.1);
    if (bundle.endsWith('as primal')) expect(worst, bundle).toBeLessThan(ROUNDING);
    else expect(worst, bundle).toBe(0);
  }
  expect(backend.stats().liveTensors).toBe(0);
});

it('kept bundles are the bundles that were kept', async () => {
  for (const [name, { contentHash }] of Object.entries(KEPT_BUNDLES)) {
    const { model, warnings } = await readBundle(keptBundle(name));
    const version = Number(/_v(\d+)$/.exec(name)![1]);
    expect(model).toMatchObject({ contentHash, formatVersion: version, minReader: version });
    expect(warnings).toEqual([]);
  }
  expect((await readBundle(keptBundle('ridge_dual_v1'))).model).toMatchObject({
    containsTrainingData: true,
    created: '2026-11-21T00:00:00.000Z',
    pseudonym: 'sub-07',
    input: { repetitionTime: 1.5, preprocess: [{ name: 'detrend' }] },
    tensors: {
      dual_weights: { dtype: 'f64', shape: [24, 20] },
      training_voxels: { dtype: 'f32', shape: [24, 24] },
    },
  });
});
