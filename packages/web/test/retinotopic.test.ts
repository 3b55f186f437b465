import { createReferenceBackend, RetinotopicDecoder, type RetinotopicDecoderOptions } from '@fmri2image/core';
import { simulateBars } from '@fmri2image/core/conformance';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const bars = simulateBars({ height: 6, width: 8, voxels: 24, noise: 0.6, seed: 7 });
const HELD = 'sweep-3';

function part(keep: (run: string) => boolean) {
  const { betas, frames, runs, voxels, height, width } = bars;
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

const options: RetinotopicDecoderOptions = {
  hrf: 'canonical',
  threshold: 0.3,
  iterations: 20,
  refinements: 4,
  noiseCorrelation: 0.1,
  ridge: 0.1,
  smoothTime: 0.3,
  smoothSpace: 0.3,
};

describeOnDevice('the retinotopic decoder', () => {
  it('is fitted and reconstructs as on the reference', async () => {
    const training = { ...part((run) => run !== HELD), repetitionTime: bars.tr };
    const unseen = part((run) => run === HELD).voxels;
    const [web, reference] = [await createWebBackend(), createReferenceBackend()];
    const [here, there] = [
      await RetinotopicDecoder.fit(training, options, { backend: web }),
      await RetinotopicDecoder.fit(training, options, { backend: reference }),
    ];
    expect([...here.model.voxel]).toEqual([...there.model.voxel]);
    const [a, b] = [await here.predict(unseen), await there.predict(unseen)];
    expect(Math.max(...b)).toBeGreaterThan(0.3);
    const worst = a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
    expect(worst).toBeLessThan(5e-3);
    for (const decoder of [here, there]) decoder.dispose();
    expect(web.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    for (const backend of [web, reference]) await backend.dispose();
  }, 120_000);
});
