import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  CpuBackend,
  choleskyFactor,
  choleskySolve,
  createBackend,
  createRandom,
  F2iError,
  gather,
  gemm,
  type Tensor,
} from '../src/index.ts';

const MIB = 2 ** 20;

let backend: CpuBackend;
beforeEach(() => {
  backend = new CpuBackend({ threads: 2, memoryLimit: 64 * MIB });
});
afterEach(async () => {
  await backend.dispose();
});

async function failureOf(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(F2iError);
  return error as F2iError;
}

function thrownBy(body: () => unknown): F2iError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(F2iError);
    return error as F2iError;
  }
  throw new Error('expected an error');
}

function normals(rows: number, cols: number, seed: number): Float32Array {
  return Float32Array.from(createRandom(seed).normals(rows * cols));
}

/** Row-major product in float64. */
function product(a: Float32Array, b: Float32Array, m: number, k: number, n: number): Float64Array {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let p = 0; p < k; p++) for (let j = 0; j < n; j++) y[i * n + j]! += a[i * k + p]! * b[p * n + j]!;
  return y;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < b.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return a.length === b.length ? most : Infinity;
}

describe('createBackend', () => {
  it('takes the cpu by itself and says why not cuda', async () => {
    const chosen = await createBackend({ threads: 1 });
    expect(chosen.info).toMatchObject({ device: 'cpu', threads: 1 });
    expect(chosen.info.description).toMatch(/^CPU, (portable|AVX2|AVX-512), 1 thread$/);
    expect(chosen.info.rejected).toEqual([
      { device: 'cuda', reason: expect.stringMatching(/^F2I_CUDA_LIBRARY names a file that does not exist/) },
    ]);
    await chosen.dispose();
  });

  it('gives the reference only to those who ask for it', async () => {
    const reference = await createBackend({ device: 'reference' });
    expect(reference.info.device).toBe('reference');
    await reference.dispose();
    // The ISA is a mistake on every device: `auto` must not hide it behind the reference.
    const error = await failureOf(createBackend({ isa: 'neon' as never }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'isa', found: 'neon' });
  });

  it.each([
    ['cuda', 'UNSUPPORTED'],
    ['webgpu', 'UNSUPPORTED'],
    ['tpu', 'INVALID_ARGUMENT'],
  ])('refuses %s', async (device, code) => {
    expect(await failureOf(createBackend({ device: device as never }))).toMatchObject({ code });
  });

  it.each([
    ['threads', { threads: -1 }],
    ['threads', { threads: 1.5 }],
    ['memoryLimit', { memoryLimit: -5 }],
  ])('refuses a wrong %s', (field, options) => {
    expect(thrownBy(() => new CpuBackend(options))).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });
});

describe('errors of execution', () => {
  it('name the op, the place that enqueued it, and poison what depends on it', async () => {
    const a = backend.tensor([1, 2, 2, 1], [2, 2]); // eigenvalues 3 and -1
    const factor = (function whereItWasCalled() {
      return choleskyFactor(a);
    })();
    const x = choleskySolve(factor, a);
    const y = add(x, 1);
    const healthy = gemm(a, a);
    for (let i = 0; i < 500; i++) gemm(a, a).dispose(); // much later
    const error = await failureOf(y.download());
    expect(error).toMatchObject({ code: 'NOT_POSITIVE_DEFINITE', op: 'cholesky_factor', backend: 'cpu' });
    expect(error.message).toMatch(/^cholesky_factor: pivot 1 is -3/);
    expect(error.place).toMatch(/whereItWasCalled .*cpu\.test\.ts:\d+/);
    expect(error.place).not.toMatch(/packages.node.src/);
    expect([...(await healthy.download())]).toEqual([5, 4, 4, 5]);
  });

  it('are reported once by sync, the first one first', async () => {
    const bad = backend.tensor([-1], [1, 1]);
    choleskyFactor(bad);
    choleskyFactor(backend.tensor([1, 3, 3, 1], [2, 2]));
    expect((await failureOf(backend.sync())).message).toMatch(/pivot 0 is -1/);
    await backend.sync();
  });

  it('still know the place when many newer ops and a successful sync have passed', async () => {
    const poisoned = choleskyFactor(backend.tensor([-1], [1, 1]));
    await failureOf(backend.sync());
    const one = backend.tensor([1], [1, 1]);
    for (let i = 0; i < 3000; i++) add(one, 1).dispose();
    await backend.sync();
    expect((await failureOf(poisoned.download())).place).toMatch(/cpu\.test\.ts/);
  });
});

describe('memory', () => {
  it('over the ceiling is an error with the numbers, and the backend goes on', async () => {
    const a = backend.tensor(new Float32Array(64), [64, 1]);
    const long = backend.adopt(new ArrayBuffer(4 * 2 ** 20), [1, 2 ** 20], 'f32');
    const huge = gemm(a, long); // 256 MiB
    const error = await failureOf(huge.download());
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', op: 'gemm', backend: 'cpu' });
    expect(error.message).toContain(String(256 * MIB));
    expect(error.message).toContain(String(64 * MIB));
    expect(error.place).toMatch(/cpu\.test\.ts/);
    huge.dispose();
    await failureOf(backend.sync());
    await backend.sync();
    expect(await gemm(backend.tensor([2], [1, 1]), backend.tensor([3], [1, 1])).download()).toEqual(
      Float32Array.of(6),
    );
  });

  it('of an upload over the ceiling names where it was made', async () => {
    const tensor = backend.zeros([65 * MIB], 'u8');
    const error = await failureOf(tensor.download());
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(error.place).toMatch(/cpu\.test\.ts/);
    tensor.dispose();
    await failureOf(backend.sync());
  });

  it('ready() waits until the queue has made room', async () => {
    const spare = backend.zeros([50 * MIB], 'u8');
    const x = backend.tensor(normals(512, 512, 1), [512, 512]);
    await backend.sync();
    for (let i = 0; i < 30; i++) gemm(x, x).dispose();
    spare.dispose(); // once the products are done
    await backend.ready(40 * MIB);
    expect(backend.stats().liveBytes).toBeLessThanOrEqual(24 * MIB);
    await backend.ready(10 ** 12); // can never fit: comes back once the queue is empty
    await backend.sync();
  });

  it('is freed in queue order, and counts', async () => {
    const before = backend.stats();
    const x = backend.tensor(new Float64Array(1000), [10, 100]);
    const view = x.rows(2, 4);
    await backend.sync();
    expect(backend.stats().liveBytes - before.liveBytes).toBe(8000);
    x.dispose();
    await backend.sync();
    expect(backend.stats().liveBytes - before.liveBytes).toBe(8000);
    view.dispose();
    await backend.sync();
    expect(backend.stats()).toMatchObject(
      before.liveTensors === 0 ? { liveTensors: 0, liveBytes: 0 } : before,
    );
    expect(backend.stats().peakBytes).toBeGreaterThanOrEqual(8000);
  });

  it('of an adopted array is used in place and detached', async () => {
    const values = normals(300, 200, 3);
    const { buffer } = values.slice();
    const live = backend.stats().liveBytes;
    const x = backend.adopt(buffer, [300, 200], 'f32');
    expect(buffer.byteLength).toBe(0);
    expect(backend.stats().liveBytes).toBe(live); // not the backend's memory
    const y = gemm(x, x, { transB: true });
    x.dispose(); // the array must outlive the queued op
    const transposed = Float32Array.from(
      { length: 200 * 300 },
      (_, i) => values[(i % 300) * 200 + Math.floor(i / 300)]!,
    );
    expect(distance(await y.download(), product(values, transposed, 300, 200, 300))).toBeLessThan(1e-3);
  });

  it('of a lent array is used in place, and comes back when nothing needs it any more', async () => {
    const values = normals(301, 200, 3);
    const { buffer } = values.slice();
    const live = backend.stats().liveBytes;
    const { tensor, returned } = backend.lend(buffer, [300, 200], 'f32');
    expect(buffer.byteLength).toBe(0);
    expect(backend.stats().liveBytes).toBe(live); // not the backend's memory
    let back = false;
    void returned.then(() => {
      back = true;
    });
    const first = await gemm(tensor, tensor, { transB: true }).download();
    expect(back).toBe(false); // the tensor may still be used
    const second = gemm(tensor, tensor, { transB: true });
    tensor.dispose(); // the array must outlive the queued op
    expect(await second.download()).toEqual(first);
    expect(new Float32Array(await returned)).toEqual(values);
    expect(() => backend.lend(new ArrayBuffer(8), [3], 'f32')).toThrow(/1 to 8 bytes.*f32\[3\]/);
  });

  it('of an array that is no longer needed serves the next download of its size', async () => {
    const [one, two] = [backend.tensor([1, 2, 3], [3]), backend.tensor([4, 5, 6], [3])];
    const first = await one.download();
    const address = first.buffer;
    const second = await two.download(first);
    expect([...second]).toEqual([4, 5, 6]);
    expect(address.byteLength).toBe(0);
    // Of another size, or a part of something larger: it stays as it is.
    for (const kept of [new Float32Array(2), new Float32Array(4).subarray(1)]) {
      expect([...(await one.download(kept))]).toEqual([1, 2, 3]);
      expect(kept.byteLength).toBeGreaterThan(0);
    }
  });

  it('of a download belongs to the caller', async () => {
    const x = backend.tensor([1, 2, 3, 4], [2, 2]);
    const first = await x.download();
    first.fill(9);
    expect([...(await x.download())]).toEqual([1, 2, 3, 4]);
    expect([...(await x.rows(1, 2).download())]).toEqual([3, 4]);
  });
});

describe('mapFile', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'f2i-map-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('computes on a range of a file', async () => {
    const values = normals(7, 11, 5);
    const path = join(folder, 'weights.bin');
    writeFileSync(path, Buffer.concat([Buffer.alloc(12), Buffer.from(values.buffer)]));
    const weights = backend.mapFile(path, 12, [7, 11], 'f32');
    expect(await weights.download()).toEqual(values);
    const rows = gather(weights, { rows: [6, 0] });
    expect([...(await rows.download())]).toEqual([...values.slice(66, 77), ...values.slice(0, 11)]);
    weights.dispose();
    await backend.sync();
  });

  it('refuses files that are missing, too short, or asked for nothing', () => {
    const path = join(folder, 'short.bin');
    writeFileSync(path, Buffer.alloc(100));
    const short = thrownBy(() => backend.mapFile(path, 40, [16], 'f32'));
    expect(short.code).toBe('IO');
    expect(short.message).toContain('short.bin');
    expect(short.message).toMatch(/64 bytes from offset 40.* 100 bytes/);
    const missing = thrownBy(() => backend.mapFile(join(folder, 'none.bin'), 0, [1], 'f32'));
    expect(missing.code).toBe('IO');
    expect(missing.message).toContain('none.bin');
    expect(thrownBy(() => backend.mapFile(path, 0, [0, 4], 'f32')).code).toBe('INVALID_ARGUMENT');
    expect(thrownBy(() => backend.mapFile(path, -4, [4], 'f32')).code).toBe('INVALID_ARGUMENT');
    expect(thrownBy(() => backend.mapFile(path, 6, [4], 'f32')).code).toBe('INVALID_ARGUMENT');
    expect(backend.stats().liveTensors).toBe(0);
  });
});

describe('cancellation', () => {
  it('stops a long chain in the middle of a product, and the backend goes on', async () => {
    const wide = new CpuBackend({ threads: 2 });
    const n = 4096;
    const controller = new AbortController();
    const x = wide.zeros([n, n]);
    const begun = performance.now();
    await gemm(x, x).download();
    const one = performance.now() - begun;
    let y: Tensor = x;
    for (let i = 0; i < 40; i++) {
      const next = gemm(y, x, { signal: controller.signal });
      if (y !== x) y.dispose();
      y = next;
    }
    const rejected = failureOf(y.download());
    await new Promise((resolve) => setTimeout(resolve, one / 2)); // in the middle of one of the first
    const aborted = performance.now();
    controller.abort(new Error('enough'));
    const error = await rejected;
    // Far below the time of what was left, on any machine; however busy it is.
    expect(performance.now() - aborted).toBeLessThan(10 * one);
    expect(error).toMatchObject({ code: 'CANCELLED', name: 'AbortError', op: 'gemm' });
    expect((error.cause as Error).message).toBe('enough');
    await failureOf(wide.sync());
    const two = wide.tensor([2], [1, 1]);
    expect(await gemm(two, two).download()).toEqual(Float32Array.of(4));
    await wide.dispose();
  });

  it('touches only the ops of its signal', async () => {
    const [stop, enough] = [new AbortController(), new AbortController()];
    const x = backend.tensor(normals(600, 600, 1), [600, 600]);
    const wide = backend.zeros([500, 8000]);
    // Keeps the queue busy until the others are enqueued, and no longer.
    const long = Array.from({ length: 20 }, () => gemm(wide, wide, { transB: true, signal: enough.signal }));
    const dropped = add(x, 1, { signal: stop.signal });
    const kept = add(x, 1, { signal: new AbortController().signal });
    stop.abort();
    enough.abort();
    expect((await failureOf(dropped.download())).code).toBe('CANCELLED');
    expect((await kept.download()).length).toBe(360_000);
    for (const tensor of long) tensor.dispose();
    await failureOf(backend.sync());
  });

  it('leaves no listener on the signal once its ops have run', async () => {
    const { signal } = new AbortController();
    const x = backend.tensor([1, 2, 3, 4], [2, 2]);
    for (let i = 0; i < 50; i++) add(x, i, { signal }).dispose();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await backend.sync();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    add(x, 1, { signal }).dispose();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await backend.dispose();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('life cycle', () => {
  it('refuses everything after dispose()', async () => {
    const x = backend.tensor([1], [1, 1]);
    await backend.dispose();
    await backend.dispose();
    expect(thrownBy(() => backend.tensor([1], [1])).code).toBe('DISPOSED');
    expect(thrownBy(() => gemm(x, x)).code).toBe('DISPOSED');
    expect(thrownBy(() => backend.mapFile('x', 0, [1], 'f32')).code).toBe('DISPOSED');
    expect((await failureOf(backend.sync())).code).toBe('DISPOSED');
    expect((await failureOf(backend.ready())).code).toBe('DISPOSED');
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
  });

  it('rejects what is awaited when it is disposed', async () => {
    const x = backend.tensor(normals(800, 800, 2), [800, 800]);
    let y = x;
    for (let i = 0; i < 60; i++) y = gemm(y, x, { alpha: 0.01 });
    const pending = failureOf(y.download());
    await backend.dispose();
    expect((await pending).code).toBe('DISPOSED');
  });

  it('opens and closes 200 times', async () => {
    for (let i = 0; i < 200; i++) {
      const each = new CpuBackend({ threads: 1 + (i % 3) });
      const x = each.tensor([1, 2, 3, i], [2, 2]);
      const y = gemm(x, x);
      if (i % 2 === 0) expect((await y.download())[0]).toBe(7);
      await each.dispose();
    }
  });

  it('keeps several backends apart', async () => {
    const other = new CpuBackend({ threads: 1 });
    const x = backend.tensor([1], [1, 1]);
    const y = other.tensor([1], [1, 1]);
    expect(thrownBy(() => gemm(x, y))).toMatchObject({ code: 'INVALID_ARGUMENT', op: 'gemm' });
    await other.dispose();
    expect(await gemm(x, x).download()).toEqual(Float32Array.of(1));
  });
});
