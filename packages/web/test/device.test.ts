import { add, F2iError, gemm } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { BufferUsage } from '../src/gpu.ts';
import { createBackend, createWebBackend } from '../src/index.ts';
import { bareDevice, describeOnDevice } from './available.ts';

async function refusal(gpu: unknown): Promise<F2iError> {
  const error = await createWebBackend({ gpu: gpu as GPU }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(F2iError);
  return error as F2iError;
}

it('says that there is no adapter, and where to look', async () => {
  const error = await refusal({ requestAdapter: async () => null });
  expect(error.code).toBe('UNSUPPORTED');
  expect(error.message).toMatch(/no adapter.*driver/);
});

it('says why the adapter refused a device', async () => {
  const adapter = {
    limits: { maxBufferSize: 1, maxStorageBufferBindingSize: 1 },
    requestDevice: async () => {
      throw new Error('too busy');
    },
  };
  const error = await refusal({ requestAdapter: async () => adapter });
  expect(error.code).toBe('UNSUPPORTED');
  expect(error.message).toMatch(/refused a device: Error: too busy/);
});

it('says that the runtime has no WebGPU', async () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  try {
    const error = await createWebBackend().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(/no WebGPU/) });
  } finally {
    if (original) Object.defineProperty(globalThis, 'navigator', original);
  }
});

it('does not fall to the reference by itself, and gives it by name', async () => {
  const gpu = { requestAdapter: async () => null } as unknown as GPU;
  const error = await createBackend({ gpu }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'UNSUPPORTED' });
  expect((error as F2iError).message).toMatch(/device: 'reference'.*webgpu: .*no adapter/s);
  const backend = await createBackend({ device: 'reference' });
  expect(backend.name).toBe('reference');
  expect([...(await add(backend.tensor([1, 2], [2]), 1).download())]).toEqual([2, 3]);
  await backend.dispose();
  await expect(createBackend({ device: 'cpu' })).rejects.toThrow(/@fmri2image\/node/);
  await expect(createBackend({ device: 'gpu' as 'webgpu' })).rejects.toThrow(/expected auto, webgpu/);
});

describeOnDevice('devices', () => {
  it('describes itself', async () => {
    const backend = await createWebBackend();
    expect(backend.name).toBe('webgpu');
    expect(backend.info).toMatchObject({ device: 'webgpu', rejected: [] });
    expect(backend.info.description).toMatch(/^WebGPU, \S/);
    expect(backend.info.maxBufferBytes).toBeGreaterThanOrEqual(2 ** 28);
    await backend.dispose();
  });

  it('works on a device with the guaranteed limits, and leaves it to its owner', async () => {
    const device = await bareDevice();
    expect(device.limits.maxStorageBufferBindingSize).toBe(2 ** 27);
    const backend = await createWebBackend({ device });
    expect([...(await add(backend.tensor([1, 2], [2]), 1).download())]).toEqual([2, 3]);
    await backend.dispose();
    const buffer = device.createBuffer({ size: 4, usage: BufferUsage.COPY_DST });
    device.pushErrorScope('validation');
    device.queue.writeBuffer(buffer, 0, new Float32Array(1));
    expect(await device.popErrorScope()).toBeNull();
    device.destroy();
  });

  it('compiles ahead', async () => {
    const device = await bareDevice();
    const backend = await createWebBackend({ device });
    const { ops } = await import('@fmri2image/core');
    await backend.prepare([ops.get('gemm')!]);
    let compiled = 0;
    const create = device.createComputePipeline.bind(device);
    device.createComputePipeline = (descriptor) => {
      compiled++;
      return create(descriptor);
    };
    const a = backend.tensor([1, 2, 3, 4], [2, 2]);
    expect([...(await gemm(a, a).download())]).toEqual([7, 10, 15, 22]);
    expect(compiled).toBe(0);
    await add(a, 1).download();
    expect(compiled).toBe(1);
    await backend.dispose();
    device.destroy();
  });

  it('refuses what it cannot do where it is asked, with the reason', async () => {
    const backend = await createWebBackend();
    const doubles = backend.tensor(Float64Array.of(1, 2), [1, 2]);
    expect(() => add(doubles, 1)).toThrow(/no 64-bit floats/);
    await backend.dispose();
    expect(() => backend.tensor([1], [1])).toThrow(/after dispose/);
  });
});
