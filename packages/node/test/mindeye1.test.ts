import { createRandom, mindeye1LowLevel, openMindEye1LowLevel } from '@fmri2image/core';
import { randomModel } from '@fmri2image/core/conformance';
import { afterAll, expect, it } from 'vitest';
import { CpuBackend } from '../src/index.ts';

const backend = new CpuBackend();
afterAll(() => backend.dispose());

const VOXELS = 9;
const betas = {
  data: Float32Array.from(createRandom(3).normals(2 * VOXELS)),
  shape: [2, VOXELS] as const,
};

it('MindEye1: the low-level branch gives latents of 64 x 64, without what training compares', async () => {
  const extents = {
    ...{ h: 5, voxels: VOXELS, blurChannels: 64, top: 64, middle: 32, narrow: 32, latent: 4 },
    ...{ maps: 3, mapsOut: 4 },
  };
  const sizes = {
    extents: new Map(Object.entries(extents)),
    counts: new Map([['block', 2]]),
    groups: new Set(['maps']),
  };
  const weights = randomModel(mindeye1LowLevel, sizes);
  const decoder = await openMindEye1LowLevel({ weights, warnings: [] }, 'model.json', backend);
  expect(decoder).toMatchObject({
    kind: 'mindeye1-low-level',
    output: { shape: [4, 64, 64], name: 'Stable Diffusion latent' },
  });
  const values = await decoder.predict(betas);
  expect(values).toHaveLength(2 * 4 * 64 * 64);
  expect(values.every(Number.isFinite)).toBe(true);
  expect(values.slice(0, 16384)).not.toEqual(values.slice(16384));
  decoder.dispose();
  expect(backend.stats().liveTensors).toBe(0);
});
