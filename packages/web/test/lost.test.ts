import { add, F2iError, gemm } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { bareDevice, describeOnDevice } from './available.ts';

async function rejection(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    (value) => new Error(`resolved with ${value}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(F2iError);
  return error as F2iError;
}

describeOnDevice('a lost device', () => {
  it('rejects waits that are under way, and never gives zeros', async () => {
    const device = await bareDevice();
    const backend = await createWebBackend({ device });
    const a = backend.tensor(new Float32Array(64 * 64).fill(1), [64, 64]);
    const products = Array.from({ length: 20 }, () => gemm(a, a));
    const waits = [...products.map((product) => rejection(product.download())), rejection(backend.sync())];
    device.destroy();
    for (const error of await Promise.all(waits)) expect(error.code).toBe('DEVICE_LOST');
    const lost = await backend.lost;
    expect(lost.code).toBe('DEVICE_LOST');
    expect(lost.message).toMatch(/lost/);
    await backend.dispose();
  });

  it('rejects waits on ops that are enqueued afterwards', async () => {
    const device = await bareDevice();
    const backend = await createWebBackend({ device });
    const a = backend.tensor(Float32Array.of(1, 2), [2]);
    expect([...(await a.download())]).toEqual([1, 2]);
    device.destroy();
    await backend.lost;
    const sum = add(a, 1);
    expect((await rejection(sum.download())).code).toBe('DEVICE_LOST');
    expect((await rejection(a.download())).code).toBe('DEVICE_LOST');
    expect((await rejection(backend.sync())).code).toBe('DEVICE_LOST');
    expect((await rejection(backend.ready(1))).code).toBe('DEVICE_LOST');
    await backend.dispose();
  });

  it('does not concern a backend that takes another device', async () => {
    const device = await bareDevice();
    const first = await createWebBackend({ device });
    device.destroy();
    await first.lost;
    const second = await createWebBackend();
    expect([...(await add(second.tensor([1, 2], [2]), 1).download())]).toEqual([2, 3]);
    await first.dispose();
    await second.dispose();
  });
});
