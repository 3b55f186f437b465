// Options of backends: mistakes in them are told before any device is tried, and each one is one of loadDecoder.
import { describe, expect, it } from 'vitest';
import { type BackendOptions, createBackend, createWebBackend, loadDecoder } from '../src/index.ts';
import { BACKEND_OPTIONS } from '../src/options.ts';
import { betas, errorOf, expectPictures, keptFiles } from './kept.ts';

/** Every option but a device of the application; those of GPUs mean nothing to the reference, and are taken. */
const EVERY: BackendOptions = {
  device: 'reference',
  gpu: { requestAdapter: async () => null } as unknown as GPU,
  powerPreference: 'low-power',
  memoryLimit: 2 ** 28,
  limits: { maxWorkgroups: 7, avoidBarriers: true },
};

const MISTAKES: readonly (readonly [field: string, options: object])[] = [
  ['device', { device: 'gpu' }],
  ['device', { device: null }],
  ['device', { device: {} }],
  ['gpu', { gpu: {} }],
  ['gpu', { gpu: null }],
  ['powerPreference', { powerPreference: 'high' }],
  ['memoryLimit', { memoryLimit: -1 }],
  ['memoryLimit', { memoryLimit: '2GB' }],
  ['memoryLimit', { device: 'reference', memoryLimit: 0.5 }],
  ['limits', { limits: null }],
  ['maxWorkgroups', { limits: { maxWorkgroups: 0 } }],
  ['maxWorkgroup', { limits: { maxWorkgroup: 7 } }],
  ['threads', { threads: 2 }],
];

it('every option is tried here', () => {
  expect(Object.keys(EVERY).sort()).toEqual([...BACKEND_OPTIONS].sort());
});

it('loadDecoder takes every option of a backend', async () => {
  const decoder = await loadDecoder(await keptFiles(), EVERY);
  await expectPictures(decoder);
  await decoder.dispose();
  const tight = await errorOf(loadDecoder(await keptFiles(), { ...EVERY, memoryLimit: 1000 }));
  expect(tight.code).toBe('OUT_OF_MEMORY');
});

describe.each(MISTAKES)('a mistake in %s is told without a device: %j', (field, options) => {
  it.each(['createBackend', 'createWebBackend', 'loadDecoder'])('%s', async (name) => {
    const made =
      name === 'loadDecoder'
        ? loadDecoder(await keptFiles(), options)
        : (name === 'createBackend' ? createBackend : createWebBackend)(options);
    expect(await errorOf(made)).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });
});

it('names the options that there are', async () => {
  expect((await errorOf(createBackend({ isa: 'avx2' } as object))).message).toBe(
    'isa: there is no such option; expected device, gpu, powerPreference, memoryLimit, limits, found isa',
  );
  expect((await errorOf(createBackend('webgpu' as never))).code).toBe('INVALID_ARGUMENT');
  expect((await errorOf(createBackend(null as never))).code).toBe('INVALID_ARGUMENT');
});

it('0 is no limit of memory, and what is left open is not given', async () => {
  const open = Object.fromEntries(BACKEND_OPTIONS.map((name) => [name, undefined]));
  const decoder = await loadDecoder(await keptFiles(), { ...open, device: 'reference', memoryLimit: 0 });
  expect((await decoder.predict(betas)).length).toBeGreaterThan(0);
  await decoder.dispose();
});
