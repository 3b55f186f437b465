// Options of backends: each one is taken, here and in a worker; mistakes in them are told before any device is tried.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { keptPictures } from '@fmri2image/core/conformance';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackendOptions, createBackend, loadDecoder } from '../src/index.ts';
import { BACKEND_OPTIONS } from '../src/options.ts';
import { errorOf, writeKept } from './kept.ts';
import { buildShim, withShim } from './shim.ts';

const { betas, pictures } = keptPictures('ridge_v1');
/** Workers run the build, as those of users do. */
const entry = fileURLToPath(new URL('../dist/worker.js', import.meta.url));

let library: string;
let root: string;
let bundle: string;
beforeAll(async () => {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run npm run build first`);
  library = buildShim();
  root = mkdtempSync(join(tmpdir(), 'f2i-options-'));
  bundle = await writeKept(root);
}, 600_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every option, on a GPU and on the CPU; `threads` and `isa` mean nothing to a GPU, and are taken there, too. */
const EVERY: Readonly<Record<'cuda' | 'cpu', () => BackendOptions>> = {
  cuda: () => ({
    ...{ device: 'cuda', index: 1, library, memoryLimit: 2 ** 28, productPrecision: 'tf32' },
    ...{ graphs: false, threads: 1, isa: 'portable' },
  }),
  cpu: () => ({
    ...{ device: 'cpu', threads: 1, isa: 'portable', memoryLimit: 2 ** 28 },
    ...{ graphs: false, productPrecision: 'tf32' },
  }),
};

it('every option is tried here', () => {
  expect(Object.keys(EVERY.cuda()).sort()).toEqual([...BACKEND_OPTIONS].sort());
});

describe.each(['here', 'in a worker'])('loadDecoder %s', (where) => {
  it.each(['cuda', 'cpu'] as const)('takes every option of a backend: %s', async (device) => {
    const worker = where === 'here' ? undefined : new Worker(entry, { execArgv: [] });
    await withShim({ DEVICES: '2' }, async () => {
      const decoder = await loadDecoder(bundle, { ...EVERY[device](), worker });
      expect(decoder.backend.info).toMatchObject(
        device === 'cpu'
          ? { device, isa: 'portable', threads: 1 }
          : { device, description: expect.stringMatching(/GPU 1 of 2$/) },
      );
      expect((await decoder.predict(betas)).length).toBe(pictures.length);
      await decoder.dispose();
    });
    await worker?.terminate();
  });

  it('tells mistakes', async () => {
    const worker = where === 'here' ? undefined : new Worker(entry, { execArgv: [] });
    for (const [field, options] of MISTAKES) {
      const error = await errorOf(loadDecoder(bundle, { ...(options as BackendOptions), worker }));
      expect(error, field).toMatchObject({ code: 'INVALID_ARGUMENT', field });
    }
    await worker?.terminate();
  });
});

const MISTAKES: readonly (readonly [field: string, options: object])[] = [
  ['productPrecision', { device: 'cuda', productPrecision: 'fp8' }],
  ['productPrecision', { device: 'auto', productPrecision: 'fp8' }],
  ['productPrecision', { device: 'cpu', productPrecision: 'fp8' }],
  ['memoryLimit', { device: 'cuda', memoryLimit: -1 }],
  ['memoryLimit', { device: 'cuda', memoryLimit: '8GB' }],
  ['memoryLimit', { device: 'reference', memoryLimit: -5 }],
  ['memoryLimit', { memoryLimit: 0.5 }],
  ['memoryLimit', { memoryLimit: null }],
  ['graphs', { graphs: 'no' }],
  ['threads', { device: 'cuda', threads: 1025 }],
  ['isa', { device: 'reference', isa: 'neon' }],
  ['index', { index: 0.5 }],
  ['index', { device: 'cpu', index: 3 }],
  ['index', { device: 'reference', index: 0 }],
  ['library', { library: '' }],
  ['library', { device: 'cpu', library: 'libf2i_cuda.so' }],
  ['device', { device: 'gpu' }],
  ['devices', { devices: 'cpu' }],
  ['rejected', { rejected: [] }],
];

describe('createBackend', () => {
  it.each(MISTAKES)('tells a mistake in %s without a device: %j', async (field, options) => {
    // There is no library here (F2I_CUDA_LIBRARY): no device hides it.
    expect(await errorOf(createBackend(options))).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });

  it('names the options that there are, and what a wrong one should have been', async () => {
    expect((await errorOf(createBackend({ precision: 'tf32' } as object))).message).toBe(
      'precision: there is no such option; expected device, threads, isa, memoryLimit, graphs, index, library, productPrecision, found precision',
    );
    expect((await errorOf(createBackend({ device: 'cuda:1' as never }))).message).toMatch(
      /not a device.*expected device: 'cuda', index: 1, found cuda:1/,
    );
    expect((await errorOf(createBackend({ device: 'cpu', index: 3 }))).message).toMatch(
      /an option of GPUs.*expected device: 'cuda' or 'auto', found cpu/,
    );
    expect((await errorOf(createBackend('cuda' as never))).code).toBe('INVALID_ARGUMENT');
    expect((await errorOf(createBackend(null as never))).code).toBe('INVALID_ARGUMENT');
  });

  it('takes options that are named and left open', async () => {
    const options = Object.fromEntries(BACKEND_OPTIONS.map((name) => [name, undefined]));
    const backend = await createBackend(options);
    expect(backend.name).toBe('cpu');
    await backend.dispose();
  });
});

describe('auto', () => {
  it('takes the GPU that is named, or none', async () => {
    const nowhere = join(root, 'libf2i_cuda.so');
    expect(await errorOf(createBackend({ library: nowhere }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: `the option \`library\` names a file that does not exist: ${nowhere}`,
    });
    expect(await errorOf(createBackend({ library, index: 1 }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: 'no GPU of this index: expected one below 1, found 1',
    });
    // No library at all: what the environment names is not there.
    expect(await errorOf(createBackend({ index: 0 }))).toMatchObject({
      code: 'UNSUPPORTED',
      backend: 'cuda',
    });
    const backend = await createBackend({ library, index: 0 });
    expect(backend.name).toBe('cuda');
    await backend.dispose();
  });
});
