// What a run of a recipe may take of a GPU.
import { expect, it } from 'vitest';
import { gpuCeiling } from '../src/recipes/gpuMemory.ts';

const info = (memory?: { total: number; free?: number }) =>
  ({ info: { device: 'cuda', description: 'a GPU', rejected: [], ...(memory && { memory }) } }) as const;

it('the ceiling of a GPU is what was set, else nearly all that is free; there is none of a device without memory of its own', () => {
  expect(gpuCeiling(info(), undefined)).toBeUndefined();
  expect(gpuCeiling(info({ total: 2000 }), undefined)).toBeUndefined();
  expect(gpuCeiling(info({ total: 2000, free: 1000 }), undefined)).toEqual({
    bytes: 950,
    whose: '95 % of what is free on a GPU',
  });
  expect(gpuCeiling(info({ total: 2000, free: 1000 }), 1_500_000)).toEqual({
    bytes: 1_500_000,
    whose: 'the ceiling that was set (--gpu-memory)',
  });
  expect(() => gpuCeiling(info(), 100)).toThrow(/--gpu-memory is of a GPU, and this run computes on a GPU/);
});
