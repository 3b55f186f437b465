import { expect, it } from 'vitest';
import { checkBundles } from '../conformance/index.ts';
import { createReferenceBackend } from '../src/index.ts';

it('kept bundles open and give the pictures that they gave when they were written', async () => {
  const backend = createReferenceBackend();
  for (const { bundle, worst, contrast } of await checkBundles(backend)) {
    expect(contrast, bundle).toBeGreaterThan(0.1);
    expect(worst, bundle).toBe(0);
  }
  expect(backend.stats().liveTensors).toBe(0);
});
