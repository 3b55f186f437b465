import {
  createReferenceBackend,
  memoryFolder,
  openBundle,
  RetinotopicDecoder,
  type RetinotopicDecoderOptions,
  saveBundle,
} from '@fmri2image/core';
import { type SimulatedBars, simulateBars } from '@fmri2image/core/conformance';
import { afterAll, expect, it } from 'vitest';
import { CpuBackend } from '../src/index.ts';

const cpu = new CpuBackend();
const reference = createReferenceBackend();
afterAll(async () => {
  for (const backend of [cpu, reference]) {
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
  }
});

const bars = simulateBars({ height: 6, width: 8, voxels: 40, noise: 0.6, seed: 7 });
const HELD = 'sweep-3';

function part({ betas, frames, runs, voxels, height, width }: SimulatedBars, keep: (run: string) => boolean) {
  const volumes = runs.flatMap((run, row) => (keep(run) ? [row] : []));
  const take = (data: Float32Array, length: number) =>
    Float32Array.from(volumes.flatMap((row) => [...data.subarray(row * length, (row + 1) * length)]));
  return {
    volumes,
    runs: volumes.map((row) => runs[row]!),
    voxels: { data: take(betas, voxels), shape: [volumes.length, voxels] },
    targets: { data: take(frames, height * width), shape: [volumes.length, height, width] },
  };
}

const training = { ...part(bars, (run) => run !== HELD), repetitionTime: bars.tr };
const unseen = part(bars, (run) => run === HELD).voxels;

const worst = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

const small = { threshold: 0.3, iterations: 40, smoothTime: [0.1, 0.3, 1], smoothSpace: 1 };
const kinds: RetinotopicDecoderOptions[] = [
  { ...small, hrf: 'canonical' },
  { ...small, prf: 'dog', hrf: 'canonical', noiseCorrelation: 0.3, bounds: 'none' },
  { ...small, prf: 'css', hrf: 'canonical', noiseCorrelation: 0, bounds: 'range', blockDrift: 0 },
];

it.each(kinds)(
  'the CPU chooses and reconstructs as the reference does: %j',
  async (options) => {
    const [here, there] = [
      await RetinotopicDecoder.fit(training, options, { backend: cpu }),
      await RetinotopicDecoder.fit(training, options, { backend: reference }),
    ];
    expect(here.model.config).toEqual(there.model.config);
    expect([...here.model.voxel]).toEqual([...there.model.voxel]);
    const [a, b] = [await here.predict(unseen), await there.predict(unseen)];
    expect(Math.max(...a)).toBeGreaterThan(0.4);
    // Receptive fields are refined in float32 products: their last digits differ, and with them the pictures'. Where
    // fields have more parameters, rounding may lead one of them to another optimum that is as good.
    if (options.prf === undefined) expect(worst(a, b)).toBeLessThan(5e-3);
    expect(a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length).toBeLessThan(0.02);

    const files = new Map<string, Uint8Array>();
    await saveBundle(here, async (path, bytes) => void files.set(path, bytes));
    const opened = await openBundle(memoryFolder(files, 'bundle'), { backend: reference });
    expect(worst(a, await opened.predict(unseen))).toBeLessThan(4e-5);
    for (const decoder of [here, there, opened]) decoder.dispose();
  },
  120_000,
);

it('the response function is that of the reference, too', async () => {
  const [here, there] = [
    await RetinotopicDecoder.fit(training, small, { backend: cpu }),
    await RetinotopicDecoder.fit(training, small, { backend: reference }),
  ];
  // Folds take the best cell of a grid, and rounding may tip the scales between two that are as good.
  expect(Math.abs(here.model.config.hrf.peak - there.model.config.hrf.peak)).toBeLessThan(0.2);
  const [a, b] = [await here.predict(unseen), await there.predict(unseen)];
  expect(a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length).toBeLessThan(0.01);
  for (const decoder of [here, there]) decoder.dispose();
});

it('does not depend on the number of threads', async () => {
  const one = new CpuBackend({ threads: 1 });
  const [a, b] = [
    await RetinotopicDecoder.fit(training, small, { backend: cpu }),
    await RetinotopicDecoder.fit(training, small, { backend: one }),
  ];
  expect(b.toBundle().tensors).toEqual(a.toBundle().tensors);
  for (const decoder of [a, b]) decoder.dispose();
  await one.dispose();
});
