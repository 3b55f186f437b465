// What the backend on a GPU does beside its ops, on the shim: how it is chosen and opened, what is missing, memory, failures.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  add,
  type Backend,
  CudaBackend,
  choleskyFactor,
  createBackend,
  F2iError,
  gemm,
  listGpus,
  softmax,
  surveyGpus,
  type Tensor,
} from '../src/index.ts';
import { findCudaLibrary } from '../src/native/cudaLibrary.ts';
import { errorOf } from './kept.ts';
import { buildShim, withShim } from './shim.ts';

let library: string;
let folder: string;
beforeAll(() => {
  library = buildShim();
  folder = mkdtempSync(join(tmpdir(), 'f2i-cuda-'));
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  vi.stubEnv('F2I_CUDA_LIBRARY', library);
  return () => vi.unstubAllEnvs();
});

const opened = (options = {}) => createBackend({ device: 'cuda', ...options });

describe('a GPU', () => {
  it('is described, and preferred by auto', async () => {
    expect(listGpus()).toEqual([
      {
        index: 0,
        name: 'host shim',
        count: 1,
        capability: '9.0',
        memoryBytes: 2 ** 30,
        freeBytes: expect.any(Number),
      },
    ]);
    const backend = await createBackend();
    expect(backend.name).toBe('cuda');
    expect(backend.info).toEqual({
      device: 'cuda',
      description: 'host shim, CUDA, compute capability 9.0, GPU 0 of 1',
      rejected: [],
      memory: { total: 2 ** 30, free: expect.any(Number) },
    });
    const x = backend.tensor([1, 2, 3, 4], [2, 2]);
    expect([...(await gemm(x, x).download())]).toEqual([7, 10, 15, 22]);
    await backend.dispose();
  });

  it('of whose memory CUDA does not say what is free has no free memory of 0', async () => {
    vi.stubEnv('F2I_SHIM_NO_MEMORY_INFO', '1');
    expect(listGpus()[0]).not.toHaveProperty('freeBytes');
    const backend = await opened();
    expect(backend.info.memory).toEqual({ total: 2 ** 30 });
    await backend.dispose();
  });

  it('is chosen by its index', async () => {
    expect(await errorOf(opened({ index: 1 }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: 'no GPU of this index: expected one below 1, found 1',
    });
    await withShim({ DEVICES: '2' }, () => {
      expect(listGpus().map(({ index, count }) => [index, count])).toEqual([
        [0, 2],
        [1, 2],
      ]);
    });
  });

  it('that is too old hides no other', async () => {
    await withShim({ DEVICES: '3', CAPABILITY: '70,80,75' }, async () => {
      expect(listGpus().map(({ index, capability }) => [index, capability])).toEqual([
        [1, '8.0'],
        [2, '7.5'],
      ]);
      const tooOld = expect.stringMatching(/^the GPU is too old: .* found 7\.0 of host shim$/);
      expect(surveyGpus().refused).toEqual([
        { index: 0, reason: expect.objectContaining({ message: tooOld }) },
      ]);
      const first = await opened();
      expect(first.info.description).toMatch(/GPU 1 of 3$/);
      await first.dispose();
      const chosen = await createBackend();
      expect(chosen.info.description).toMatch(/GPU 1 of 3$/);
      expect(chosen.info.rejected).toEqual([
        { device: 'cuda', reason: expect.stringMatching(/^GPU 0: the GPU is too old/) },
      ]);
      await chosen.dispose();
      expect(await errorOf(opened({ index: 0 }))).toMatchObject({ code: 'UNSUPPORTED', message: tooOld });
    });
  });

  it.each([
    ['index', { index: -1 }],
    ['index', { index: 0.5 }],
    ['productPrecision', { productPrecision: 'f8' }],
    ['memoryLimit', { memoryLimit: -1 }],
  ])('refuses a wrong %s', async (field, options) => {
    expect(await errorOf(opened(options))).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });
});

describe('what is missing', () => {
  it.each([
    [
      'a driver',
      { DRIVER: '0' },
      /^no NVIDIA driver here: libcuda\.so\.1 was not found\. Install the driver/,
    ],
    [
      'a newer driver',
      { DRIVER: '12080' },
      /^the NVIDIA driver is too old: expected one for CUDA 13\.0 .* found CUDA 12\.8/,
    ],
    ['a GPU', { DEVICES: '0' }, /^the NVIDIA driver is there and sees no GPU: nvidia-smi/],
    [
      'a newer GPU',
      { CAPABILITY: '70' },
      /^the GPU is too old: expected compute capability 7\.5 .* found 7\.0 of host shim$/,
    ],
  ])('%s: cuda says so, and auto takes the cpu and passes it on', async (_, settings, message) => {
    await withShim(settings, async () => {
      const refused = await errorOf(opened());
      expect(refused).toMatchObject({
        code: 'UNSUPPORTED',
        backend: 'cuda',
        message: expect.stringMatching(message),
      });
      const chosen = await createBackend({ threads: 1 });
      expect(chosen.name).toBe('cpu');
      expect(chosen.info.rejected).toEqual([{ device: 'cuda', reason: refused.message }]);
      await chosen.dispose();
    });
  });

  it('the library', async () => {
    const nowhere = join(folder, 'libf2i_cuda.so');
    expect(await errorOf(opened({ library: nowhere }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: `the option \`library\` names a file that does not exist: ${nowhere}`,
    });
    vi.stubEnv('F2I_CUDA_LIBRARY', nowhere);
    expect((await errorOf(opened())).message).toBe(
      `F2I_CUDA_LIBRARY names a file that does not exist: ${nowhere}`,
    );
  });

  it('a library that is one', async () => {
    const text = join(folder, 'text.so');
    writeFileSync(text, 'no library');
    expect((await errorOf(opened({ library: text }))).message).toMatch(/text\.so: .*(too short|invalid ELF)/);
    // The core itself opens as a library, but is none of a device.
    const other = join(folder, 'other.so');
    copyFileSync(new URL('../npm/linux-x64/f2i.node', import.meta.url), other);
    expect((await errorOf(opened({ library: other }))).message).toBe(
      `${other} is no library of a device of fmri2image`,
    );
  });
});

describe("Hopper's own kernels", () => {
  // A stand-in for them (native/tests/cuda/shim/hopper.cpp). What is found holds for a GPU in this process: each has its own.
  const devices = { DEVICES: '9' };
  const ones = async (backend: Backend) => {
    const x = backend.tensor(Array(64).fill(1), [8, 8]);
    return [...(await gemm(x, x).download())];
  };

  it('that are right are used, and it is said', async () => {
    await withShim({ ...devices, HOPPER: 'right' }, async () => {
      const backend = await opened({ index: 3 });
      expect(backend.info.remarks).toBeUndefined();
      expect(await ones(backend)).toEqual(Array(64).fill(8));
      expect(backend.info.remarks).toEqual([
        expect.stringMatching(/have been checked on this GPU and are used$/),
      ]);
      await backend.dispose();
      expect(backend.info.remarks).toBeUndefined();
    });
  });

  it('that are wrong are not used, and auto goes on without them', async () => {
    await withShim({ ...devices, HOPPER: 'wrong' }, async () => {
      const backend = await createBackend({ index: 4 });
      expect(backend.info.remarks).toEqual([
        expect.stringMatching(
          /are off, those of Ampere \(mma\.sync\) are used instead: a product of bf16, .* differ/,
        ),
      ]);
      expect(await ones(backend)).toEqual(Array(64).fill(8));
      await backend.dispose();
    });
  });

  it('that are used by force, and wrong, make auto take another GPU, or the cpu', async () => {
    vi.stubEnv('F2I_CUDA_HOPPER', '1');
    const reason = /a product is wrong: expected the exact result, found an error of /;
    await withShim({ DEVICES: '2', CAPABILITY: '90,80', HOPPER: 'wrong' }, async () => {
      const chosen = await createBackend();
      expect(chosen.info.description).toMatch(/compute capability 8\.0, GPU 1 of 2$/);
      expect(chosen.info.rejected).toEqual([{ device: 'cuda', reason: expect.stringMatching(reason) }]);
      expect(chosen.info.rejected[0]!.reason).toMatch(/^GPU 0: /);
      await chosen.dispose();
    });
    await withShim({ DEVICES: '1', HOPPER: 'wrong' }, async () => {
      const chosen = await createBackend({ threads: 1 });
      expect(chosen.name).toBe('cpu');
      expect(chosen.info.rejected).toEqual([{ device: 'cuda', reason: expect.stringMatching(reason) }]);
      await chosen.dispose();
      expect(await errorOf(createBackend({ index: 0 }))).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(reason),
      });
    });
  });
});

it('the library may be named from the current folder', () => {
  expect(findCudaLibrary('package.json')).toBe(resolve('package.json'));
  vi.stubEnv('F2I_CUDA_LIBRARY', 'package.json');
  expect(findCudaLibrary()).toBe(resolve('package.json'));
});

it.runIf(existsSync('/proc/self/task'))('a context has threads to copy uploads', async () => {
  const threads = () => readdirSync('/proc/self/task').length;
  const before = threads();
  const backend = await opened();
  // Beside those that copy, one of which is the queue's: the one that waits for the device.
  expect(threads() - before).toBeGreaterThanOrEqual(Math.min(4, availableParallelism()) + 1);
  await backend.dispose();
});

describe('ops', () => {
  it('that fail poison what depends on them, and name the place', async () => {
    const backend = await opened();
    const factor = (function whereItWasCalled() {
      return choleskyFactor(backend.tensor([-1], [1, 1]));
    })();
    const error = await errorOf(add(factor, 1).download());
    expect(error).toMatchObject({ code: 'NOT_POSITIVE_DEFINITE', op: 'cholesky_factor', backend: 'cuda' });
    expect(error.place).toMatch(/whereItWasCalled/);
    await errorOf(backend.sync());
    await backend.sync();
    await backend.dispose();
  });
});

describe('memory', () => {
  it('is held under the ceiling, and a refusal leaves the backend usable', async () => {
    const backend = await opened({ memoryLimit: 2 ** 20 });
    const large = backend.zeros([2 ** 19]);
    expect(await errorOf(large.download())).toMatchObject({ code: 'OUT_OF_MEMORY', backend: 'cuda' });
    large.dispose();
    await backend.sync().catch(() => {});
    expect([...(await add(backend.tensor([1, 2], [2]), 1).download())]).toEqual([2, 3]);
    await backend.dispose();
  });

  it('that is lent is as much as the tensor has, and comes back whole', async () => {
    const backend = await opened();
    await backend.sync();
    const { liveBytes } = backend.stats();
    const buffer = new ArrayBuffer(8 * 2 ** 20);
    new Float32Array(buffer).set([1, 2, 3], 0);
    const { tensor, returned } = backend.lend(buffer, [16], 'f32');
    expect((await tensor.download()).subarray(0, 4)).toEqual(Float32Array.of(1, 2, 3, 0));
    expect(backend.stats().liveBytes - liveBytes).toBe(64);
    expect((await returned).byteLength).toBe(8 * 2 ** 20); // the tensor has its values on the device
    await backend.dispose();
  });

  it.each<[string, string, (backend: Backend) => Tensor]>([
    ['adopt', 'upload', (backend) => backend.adopt(new ArrayBuffer(2 ** 21), [2 ** 19], 'f32')],
    ['lend', 'upload', (backend) => backend.lend(new ArrayBuffer(2 ** 21), [2 ** 19], 'f32').tensor],
    ['mapFile', 'map_file', (backend) => backend.mapFile!(join(folder, 'large.bin'), 0, [2 ** 19], 'f32')],
  ])('%s that does not fit fails itself, not the op before it', async (_, op, upload) => {
    writeFileSync(join(folder, 'large.bin'), new Uint8Array(2 ** 21));
    const backend = await opened({ memoryLimit: 2 ** 20 });
    const x = backend.tensor([1, 2, 3, 4], [2, 2]);
    const y = gemm(x, x);
    const large = (function whereItWasUploaded() {
      return upload(backend);
    })();
    const error = await errorOf(large.download());
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', op, backend: 'cuda' });
    expect(error.place).toMatch(/whereItWasUploaded/);
    expect([...(await y.download())]).toEqual([7, 10, 15, 22]);
    await backend.dispose();
  });

  it('of a file goes to the device, and comes back', async () => {
    const file = join(folder, 'weights.bin');
    writeFileSync(file, new Uint8Array(Float32Array.of(0, 1, 2, 3, 4).buffer));
    const backend = await opened();
    await backend.sync();
    const { liveBytes } = backend.stats();
    const mapped = backend.mapFile!(file, 4, [2, 2], 'f32');
    const [sums] = await backend.compute(() => [add(mapped, 10)]);
    expect([...sums]).toEqual([11, 12, 13, 14]);
    mapped.dispose();
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes });
    await backend.dispose();
  });
});

describe('a device that is lost', () => {
  it('resolves `lost`, and every later wait says so', async () => {
    // A library of its own: a fault ends a process's use of the device.
    const own = join(folder, 'libf2i_cuda_faulty.so');
    copyFileSync(library, own);
    await withShim({ FAULT: 'softmax' }, async () => {
      const backend = new CudaBackend({ library: own });
      const x = backend.tensor([1, 2, 3], [1, 3]);
      expect([...(await add(x, 1).download())]).toEqual([2, 3, 4]);
      const error = await errorOf(softmax(x).download());
      expect(error).toMatchObject({ code: 'DEVICE_LOST', backend: 'cuda' });
      const lost = await backend.lost;
      expect(lost).toBeInstanceOf(F2iError);
      expect(lost.code).toBe('DEVICE_LOST');
      expect((await errorOf(add(x, 1).download())).code).toBe('DEVICE_LOST');
      await backend.dispose();
    });
  });
});
