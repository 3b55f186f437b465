import { add, choleskyFactor, F2iError, gemm, mul, topK } from '@fmri2image/core';
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

describeOnDevice('the queue', () => {
  it('keeps the order of uploads into storage that queued work still reads', async () => {
    const backend = await createWebBackend();
    const results = [];
    for (let i = 0; i < 50; i++) {
      // Each upload gets the storage that the one before it has just given back.
      const x = backend.tensor(new Float32Array(100).fill(i), [100]);
      results.push(mul(x, 2));
      x.dispose();
    }
    for (const [i, result] of results.entries()) expect((await result.download())[99]).toBe(2 * i);
    await backend.dispose();
  });

  it('keeps the order where ops are awaited in between', async () => {
    const backend = await createWebBackend();
    let x = backend.tensor(new Float32Array(10), [10]);
    for (let i = 0; i < 10; i++) {
      const next = add(x, 1);
      x.dispose();
      x = next;
      if (i % 3 === 0) expect((await x.download())[0]).toBe(i + 1);
    }
    expect((await x.download())[9]).toBe(10);
    await backend.dispose();
  });

  it('downloads after however many ops of one turn', async () => {
    const backend = await createWebBackend();
    const x = backend.tensor([1], [1]);
    await x.download();
    // A turn's first batches go out before it ends: wherever that is, a download is in one piece.
    for (let count = 50; count < 75; count++) {
      for (let i = 0; i < count; i++) add(x, i).dispose();
      const last = add(x, count);
      expect((await last.download())[0]).toBe(1 + count);
      last.dispose();
    }
    await backend.dispose();
  });

  it('drops what an abort finds in the queue, in the middle of an op too', async () => {
    // Dispatches of little work: the op is cut into many, most of which never run.
    const backend = await createWebBackend({ limits: { maxDispatchFlops: 1e6 } });
    const n = 384;
    const a = backend.tensor(new Float32Array(n * n).fill(1), [n, n]);
    await gemm(a, a).download(); // compiled
    const begun = performance.now();
    await gemm(a, a).download();
    const one = performance.now() - begun;
    /** Aborts twenty products in the middle of the second; the time until what comes after them, and what the last says. */
    const attempt = async () => {
      const controller = new AbortController();
      let aborted = Infinity;
      const products = Array.from({ length: 20 }, () => gemm(a, a, { signal: controller.signal }));
      const survivor = add(a, 1);
      const waits = products.map((product) =>
        product.download().then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      );
      const timer = setTimeout(() => {
        aborted = performance.now();
        controller.abort(new Error('enough'));
      }, 1.5 * one);
      expect((await survivor.download())[0]).toBe(2);
      const elapsed = performance.now() - aborted;
      clearTimeout(timer);
      return { elapsed, last: (await Promise.all(waits)).at(-1) as F2iError | undefined };
    };
    let { elapsed, last } = await attempt();
    // They may be over before this thread gets to abort them, where something else has the machine.
    for (let more = 4; more > 0 && !(last && elapsed < 10 * one); more--) {
      if (last) await rejection(backend.sync());
      ({ elapsed, last } = await attempt());
    }
    expect(last).toMatchObject({ code: 'CANCELLED', op: 'gemm', name: 'AbortError' });
    expect(last!.place).toMatch(/queue\.test/);
    // Of more than eighteen.
    expect(elapsed).toBeLessThan(10 * one);
    expect((await rejection(backend.sync())).code).toBe('CANCELLED');
    await backend.sync();
    await backend.dispose();
  });

  it('reports an error of the values at waits, and poisons what depends on it', async () => {
    const backend = await createWebBackend();
    const bad = backend.tensor([1, 2, 2, 1], [2, 2]);
    const good = backend.tensor([4, 2, 2, 3], [2, 2]);
    const factor = choleskyFactor(bad);
    const dependant = mul(gemm(factor, good), 3);
    const unaffected = gemm(good, good);
    // Enqueued once the failure is known, and while it is not.
    const early = await rejection(dependant.download());
    const late = await rejection(add(factor, 1).download());
    for (const error of [early, late]) {
      expect(error).toMatchObject({
        code: 'NOT_POSITIVE_DEFINITE',
        op: 'cholesky_factor',
        backend: 'webgpu',
      });
      expect(error.message).toMatch(/pivot 1\).*found -3/);
      expect(error.place).toMatch(/queue\.test/);
    }
    expect([...(await unaffected.download())]).toEqual([20, 14, 14, 13]);
    await rejection(backend.sync());
    await backend.sync();
    await backend.dispose();
  });

  it('tells many failures of one batch apart', async () => {
    const backend = await createWebBackend();
    const tensors = Array.from({ length: 100 }, (_, i) => backend.tensor([i % 3 === 0 ? -1 - i : 4], [1, 1]));
    const factors = tensors.map((tensor) => choleskyFactor(tensor));
    for (const [i, factor] of factors.entries()) {
      if (i % 3 === 0) expect((await rejection(factor.download())).message).toContain(`found ${-1 - i}`);
      else expect((await factor.download())[0]).toBe(2);
    }
    expect((await rejection(backend.sync())).message).toContain('found -1\n');
    await backend.dispose();
  });

  it('stays usable after the device has rejected a batch', async () => {
    // A lie about the device: more workgroups than a dispatch may have.
    const backend = await createWebBackend({ limits: { maxWorkgroups: 1e6 } });
    const x = backend.tensor(new Float32Array(70_000).fill(1), [70_000, 1]);
    const { values } = topK(x, 1);
    const dependant = add(values, 1);
    expect(await rejection(dependant.download())).toMatchObject({ code: 'INTERNAL' });
    expect((await rejection(backend.sync())).message).toMatch(/rejected a batch of work \(.*top_k/);
    await backend.sync();
    expect([...(await add(backend.tensor([1, 2], [2]), 1).download())]).toEqual([2, 3]);
    await backend.dispose();
  });

  it('gives the same bits again, on another device and whatever else is queued', async () => {
    const a = Float32Array.from({ length: 90 * 130 }, (_, i) => Math.sin(i * i));
    const once = async (others: number) => {
      const device = await bareDevice();
      const backend = await createWebBackend({ device });
      const x = backend.tensor(a, [90, 130]);
      for (let i = 0; i < others; i++) add(x, i).dispose();
      const result = await gemm(x, x, { transB: true }).download();
      await backend.dispose();
      device.destroy();
      return result;
    };
    expect(await once(300)).toEqual(await once(0));
  });
});
