import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { checkKeptModel, keptModel, keptModelInput, keptOutputs } from '../conformance/index.ts';
import {
  createReferenceBackend,
  type Folder,
  loadInWorker,
  loadLocally,
  openBundleWeights,
  serveDecoders,
} from '../src/index.ts';

it('the kept model gives the outputs that it gave when it was written', async () => {
  const backend = createReferenceBackend();
  const checks = await checkKeptModel(backend);
  expect(checks.map(({ bundle }) => bundle)).toEqual([
    'mindeye2_v2 tokens',
    'mindeye2_v2 retrieval',
    'mindeye2_v2 latent',
  ]);
  for (const { bundle, worst, contrast } of checks) {
    expect(contrast, bundle).toBeGreaterThan(0.1);
    expect(worst, bundle).toBe(0);
  }
  expect(backend.stats().liveTensors).toBe(0);
});

it('the kept model is the one that was kept', async () => {
  const { model, complete } = await openBundleWeights(await keptModel());
  expect(model).toMatchObject({
    kind: 'mindeye2',
    formatVersion: 2,
    minReader: 2,
    contentHash: '6c4ee0b318d852bafe8d61422036eb26087b4b2ba5679b461fa5af67f1cf9096',
    config: { dtype: 'bf16', counts: { subject: 2 } },
  });
  expect(Object.keys(model.files)).toHaveLength(8);
  await complete();
});

it('options and all outputs travel to a worker and back', async () => {
  const folder = await keptModel();
  const { port1, port2 } = new MessageChannel();
  serveDecoders(port2, (source, options) =>
    loadLocally(source as Folder, { ...options, openBackend: async () => createReferenceBackend() }),
  );
  const { betas, subject, repeats } = keptModelInput;
  const decoder = await loadInWorker(folder, {
    worker: port1,
    entry: 'package/worker',
    settings: { stage: 'tokens', subject, precision: 'autocast-f16' },
  });
  expect(decoder.warnings.join()).toMatch(/emulated, not verified against a GPU run/);
  const expected = keptOutputs();
  for await (const { trial, trials, features, beside } of decoder.reconstruct(betas, { repeats })) {
    expect(trial).toBe(0);
    expect(trials).toEqual(repeats[0]);
    for (const [name, found] of Object.entries({ tokens: features!, ...beside })) {
      const exact = expected.get(name)!;
      expect(found.shape).toEqual([3, 8]);
      // Emulated half precision: near, and not the same.
      const worst = exact.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i]!)), 0);
      expect(worst, name).toBeLessThan(0.02);
      expect(worst, name).toBeGreaterThan(0);
    }
  }
  await decoder.dispose();
  for (const port of [port1, port2]) port.close();
});
