import { add, F2iError, gram } from '@fmri2image/core';
import { describe, expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { sizeClass } from '../src/queue/pool.ts';
import { bareDevice, describeOnDevice } from './available.ts';

describe('size classes', () => {
  it('hold what is asked for, with little slack, as whole bindings', () => {
    for (let bytes = 1; bytes < 2 ** 22; bytes = Math.ceil(bytes * 1.07)) {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 256).toBe(0);
      expect(sizeClass(size)).toBe(size);
      if (bytes > 1024) expect(size).toBeLessThanOrEqual(bytes * 1.25);
    }
  });
});

describeOnDevice('memory', () => {
  it('returns to the baseline, and reuses buffers instead of making more', async () => {
    const device = await bareDevice();
    let made = 0;
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      if (descriptor.usage & 0x80) made++;
      return create(descriptor);
    };
    const backend = await createWebBackend({ device });
    const round = async () => {
      const x = backend.tensor(new Float32Array(40 * 30).fill(1), [40, 30]);
      const k = gram(add(x, 1));
      await k.download();
      for (const tensor of backend.liveTensors()) tensor.dispose();
    };
    await round();
    const after = { ...backend.stats(), made };
    for (let i = 0; i < 50; i++) await round();
    expect({ ...backend.stats(), made }).toEqual(after);
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    await backend.dispose();
    device.destroy();
  });

  it('refuses more than its ceiling at the next wait, names both numbers and stays usable', async () => {
    const backend = await createWebBackend({ memoryLimit: 2 ** 20 });
    const x = backend.tensor(new Float32Array(100_000), [100_000]);
    const y = add(x, 1);
    const z = add(x, 2);
    const error = await z.download().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(F2iError);
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', op: 'elementwise', backend: 'webgpu' });
    expect((error as F2iError).message).toMatch(/ceiling of 1048576.*found 400000 bytes/);
    expect((error as F2iError).place).toMatch(/memory\.test/);
    expect((await y.download())[0]).toBe(1);
    await expect(backend.sync()).rejects.toThrow(/ceiling/);
    y.dispose();
    expect((await add(x, 3).download())[0]).toBe(3);
    await expect(backend.ready(2 ** 21)).rejects.toThrow(/1048576/);
    await backend.dispose();
  });

  it('refuses a tensor larger than the largest buffer of the device', async () => {
    const backend = await createWebBackend({ limits: { maxBufferBytes: 1000 } });
    const x = backend.tensor(new Float32Array(251), [251]);
    await expect(x.download()).rejects.toThrow(/largest buffer.*found 1004 bytes/);
    await expect(backend.sync()).rejects.toThrow(/largest buffer/);
    expect([...(await backend.tensor([1], [1]).download())]).toEqual([1]);
    await backend.dispose();
  });

  it('gives free buffers back to the device before it refuses', async () => {
    const backend = await createWebBackend({ memoryLimit: 2 ** 20 });
    for (let rows = 100; rows < 1000; rows += 50) {
      const x = backend.tensor(new Float32Array(rows * 200), [rows, 200]);
      expect((await x.download()).length).toBe(rows * 200);
      x.dispose();
    }
    await backend.sync();
    await backend.dispose();
  });

  it('rejects waits under way when it is disposed', async () => {
    const backend = await createWebBackend();
    const x = add(backend.tensor([1, 2], [2]), 1);
    const wait = x.download().catch((reason: unknown) => reason);
    await backend.dispose();
    await backend.dispose();
    expect(await wait).toMatchObject({ code: 'DISPOSED' });
  });
});
