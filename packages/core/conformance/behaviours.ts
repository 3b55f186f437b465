/** What holds on every backend whatever the op: order, poison, memory, cancellation, views. */
import type { Backend } from '../src/backend.ts';
import {
  add,
  choleskyFactor,
  choleskySolve,
  columnStats,
  cosineMatrix,
  gather,
  gemm,
  gram,
  mul,
  pearsonColumns,
  standardize,
  sub,
} from '../src/ops/index.ts';
import { createRandom } from '../src/random.ts';
import { sizeOf, type Tensor } from '../src/tensor.ts';
import { assert, assertEqual, assertError, mustReject, mustThrow } from './assert.ts';
import { graphBehaviours } from './graphs.ts';

/** Rejects where the backend misbehaves. The runner disposes the tensors that it leaves. */
export type Behaviour = (backend: Backend) => Promise<void>;

export const behaviours: Readonly<Record<string, Behaviour>> = {
  'ops run in the order in which they are enqueued': async (backend) => {
    const one = backend.tensor(Float32Array.of(1, 1, 1), [3]);
    let x = backend.tensor(Float32Array.of(0, 1, 2), [3]);
    for (let i = 0; i < 200; i++) {
      // x <- 2 (x + 1) for even steps, x - 1 for odd ones, wrapped by halving: order shows in the result.
      const next = i % 2 === 0 ? mul(add(x, one), 0.5) : sub(x, 0.25);
      x.dispose();
      x = next;
    }
    let wanted = [0, 1, 2];
    for (let i = 0; i < 200; i++)
      wanted = wanted.map((v) => Math.fround(i % 2 === 0 ? (v + 1) / 2 : v - 0.25));
    const found = await x.download();
    const off = Math.max(...wanted.map((v, i) => Math.abs(v - found[i]!)));
    assert(off < 1e-5, `found ${found} instead of ${wanted}`);
  },

  'downloads may be awaited in any order': async (backend) => {
    const tensors = Array.from({ length: 20 }, (_, i) =>
      add(backend.tensor(Float32Array.of(i, -i), [2]), 0.5),
    );
    const all = await Promise.all([...tensors].reverse().map((tensor) => tensor.download()));
    for (const [i, found] of all.reverse().entries()) assertEqual(found, [i + 0.5, 0.5 - i], `tensor ${i}`);
  },

  'upload copies': async (backend) => {
    const host = Float32Array.of(1, 2, 3);
    const x = backend.tensor(host, [3]);
    host.fill(9);
    const y = add(x, 1);
    host.fill(8);
    assertEqual(await x.download(), [1, 2, 3], 'the tensor');
    assertEqual(await y.download(), [2, 3, 4], 'what was computed from it');
  },

  'download returns a copy': async (backend) => {
    const x = backend.tensor(Float32Array.of(1, 2, 3), [3]);
    (await x.download()).fill(7);
    assertEqual(await x.download(), [1, 2, 3], 'a second download');
  },

  'adopt takes the buffer': async (backend) => {
    const { buffer } = Float32Array.of(4, 5, 6, 7);
    const x = backend.adopt(buffer as ArrayBuffer, [2, 2], 'f32');
    assert(buffer.byteLength === 0, 'the buffer is not detached');
    const y = gemm(x, x);
    assertEqual(
      await y.download(),
      [4 * 4 + 5 * 6, 4 * 5 + 5 * 7, 6 * 4 + 7 * 6, 6 * 5 + 7 * 7],
      'the square',
    );
  },

  'a refused buffer stays with the caller': async (backend) => {
    const buffer = new ArrayBuffer(24);
    mustThrow(() => backend.adopt(buffer, [5], 'f32'), 'INVALID_ARGUMENT', /6 elements/);
    mustThrow(() => backend.adopt(buffer, [6], 'f128' as 'f32'), 'INVALID_ARGUMENT', /f128/);
    assert(buffer.byteLength === 24, 'the buffer is detached');
  },

  'plain numbers become the type, host arrays must have it': async (backend) => {
    assertEqual(await backend.tensor([1.5, -2, 7], [3], 'i32').download(), [1, -2, 7], 'i32');
    const halves = backend.tensor([1, -2], [2], 'f16');
    assertEqual(await halves.download(), Uint16Array.of(0x3c00, 0xc000), 'f16');
    for (const [data, dtype] of [
      [Float32Array.of(1.5, 1.5), 'i32'],
      [Int32Array.of(1, 2), 'f32'],
      [Float32Array.of(1, 2), 'f16'],
    ] as const) {
      mustThrow(() => backend.tensor(data, [2], dtype), 'INVALID_ARGUMENT', new RegExp(`for ${dtype}`));
    }
  },

  'extents are whole numbers, 0 or more': async (backend) => {
    const x = backend.zeros([2, 3]);
    for (const shape of [[-2, -3], [0.5, 12], [Number.NaN]]) {
      mustThrow(() => x.reshape(...shape), 'INVALID_ARGUMENT', /not a shape/);
      mustThrow(() => backend.zeros(shape), 'INVALID_ARGUMENT', /not a shape/);
    }
    assert(Object.isFrozen(x.shape), 'the shape can be changed');
  },

  'every type keeps its bits': async (backend) => {
    const patterns = Uint16Array.of(0, 0x8000, 0x3c00, 0x0001, 0x7bff, 0xfbff, 0x7c00, 0x3555);
    for (const dtype of ['f16', 'bf16'] as const) {
      const x = backend.tensor(patterns, [2, 4], dtype);
      assertEqual(await x.download(), patterns, dtype);
    }
    const integers = Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, -1, 123456789);
    assertEqual(await backend.tensor(integers, [5]).download(), integers, 'i32');
    const bytes = Uint8Array.of(0, 255, 1, 127, 128);
    assertEqual(await backend.tensor(bytes, [5]).download(), bytes, 'u8');
    const floats = Float32Array.of(0.1, -0, Infinity, NaN, 3e38, -1e-30);
    assertEqual(await backend.tensor(floats, [2, 3]).download(), floats, 'f32');
  },

  'a tensor without elements is a tensor': async (backend) => {
    const x = backend.zeros([0, 3]);
    assertEqual(await x.download(), [], 'no rows');
    const y = gemm(backend.zeros([2, 0]), backend.zeros([0, 3]));
    assertEqual(await y.download(), [0, 0, 0, 0, 0, 0], 'a sum of no terms');
  },

  'inputs may be disposed before the op runs': async (backend) => {
    const a = random(backend, [40, 30], 1);
    const b = random(backend, [30, 20], 2);
    const kept = gemm(a, b);
    const wanted = await kept.download();
    const c = gemm(a, b);
    a.dispose();
    b.dispose();
    // New storage right behind the old: reuse must not come too early.
    for (let i = 0; i < 8; i++) random(backend, [40, 30], 3 + i).dispose();
    assertEqual(await c.download(), wanted, 'the product');
  },

  'dispose is final and may be repeated': async (backend) => {
    const x = backend.tensor(Float32Array.of(1, 2), [2]);
    x.dispose();
    x.dispose();
    mustThrow(() => add(x, 1), 'DISPOSED', /after dispose/);
    await mustReject(
      Promise.resolve().then(() => x.download()),
      'DISPOSED',
      /after dispose/,
    );
  },

  'views share storage, which outlives the first handle': async (backend) => {
    const x = backend.tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [6, 4],
    );
    const middle = x.rows(2, 5);
    const flat = middle.reshape(12).reshape(2, 6).rows(1, 2);
    x.dispose();
    assertEqual(
      await middle.download(),
      Array.from({ length: 12 }, (_, i) => 8 + i),
      'rows 2 to 4',
    );
    middle.dispose();
    const shifted = add(flat, 100);
    flat.dispose();
    assertEqual(await shifted.download(), [114, 115, 116, 117, 118, 119], 'the view of a view');
  },

  'an error poisons what depends on it, and nothing else': async (backend) => {
    const bad = backend.tensor(Float32Array.of(1, 2, 2, 1), [2, 2]);
    const good = backend.tensor(Float32Array.of(4, 2, 2, 3), [2, 2]);
    const target = backend.tensor(Float32Array.of(1, 0, 0, 1), [2, 2]);
    const factor = choleskyFactor(bad);
    const solution = choleskySolve(factor, target);
    const doubled = mul(solution.reshape(1, 4), 2).reshape(4);
    const unaffected = choleskySolve(choleskyFactor(good), target);
    for (const victim of [doubled, solution, factor, factor.rows(1, 2)]) {
      const error = await mustReject(victim.download(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
      assert(error.op === 'cholesky_factor', `the error names ${error.op}`);
      assert(error.backend === backend.name, `the error names the backend ${error.backend}`);
      assert(Boolean(error.place), 'the error names no place');
    }
    const inverse = await unaffected.download();
    for (const [i, wanted] of [0.375, -0.25, -0.25, 0.5].entries()) {
      assert(Math.abs(inverse[i]! - wanted) < 1e-6, `the inverse has ${inverse[i]} instead of ${wanted}`);
    }
    await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
    await backend.sync();
    const after = add(good, 1);
    assertEqual(await after.download(), [5, 3, 3, 4], 'an op after the error');
  },

  'sync rejects with the first of several failures': async (backend) => {
    const bad = (n: number, pivot: number) => {
      const a = new Float32Array(n * n);
      for (let i = 0; i < n; i++) a[i * n + i] = i === pivot ? -1 : 1;
      return choleskyFactor(backend.tensor(a, [n, n]));
    };
    bad(4, 2);
    bad(5, 1);
    await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 2/);
    await backend.sync();
  },

  'a failed tensor that is disposed still fails its dependants': async (backend) => {
    const factor = choleskyFactor(backend.tensor(Float32Array.of(-1), [1, 1]));
    const dependant = add(factor, 1);
    factor.dispose();
    await mustReject(dependant.download(), 'NOT_POSITIVE_DEFINITE', /pivot 0/);
    await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 0/);
  },

  'scope frees what its result does not hold': async (backend) => {
    const x = random(backend, [5, 4], 1);
    const before = backend.stats().liveTensors;
    const result = backend.scope(() => {
      const { mean, std } = columnStats(x);
      const z = backend.scope(() => standardize(x, { mean, std }));
      return { gram: gram(z), list: [mul(z, 2)] };
    });
    assert(backend.stats().liveTensors === before + 2, 'intermediates are alive');
    assert((await result.gram.download()).length === 25, 'the result of the scope is gone');
    let thrown = false;
    try {
      backend.scope(() => {
        add(x, 1);
        throw new Error('inside');
      });
    } catch {
      thrown = true;
    }
    assert(thrown && backend.stats().liveTensors === before + 2, 'a throwing scope keeps tensors');
  },

  'an aborted signal drops what is queued, and nothing else': async (backend) => {
    const controller = new AbortController();
    const { signal } = controller;
    const x = random(backend, [256, 256], 1, 1 / 16);
    let chain = x;
    for (let i = 0; i < 40; i++) chain = gemm(chain, x, { signal });
    const dependant = add(chain, 1);
    const unaffected = add(x.rows(0, 1), 1);
    controller.abort(new Error('enough'));
    for (const victim of [chain, dependant]) {
      const error = await mustReject(victim.download(), 'CANCELLED', /cancel/i);
      assert(error.name === 'AbortError', `the error is called ${error.name}`);
    }
    assert((await unaffected.download()).length === 256, 'an op without the signal is gone');
    await mustReject(backend.sync(), 'CANCELLED', /cancel/i);
    await backend.sync();
  },

  'an aborted signal refuses new ops': async (backend) => {
    const x = backend.tensor(Float32Array.of(1), [1, 1]);
    const before = backend.stats().liveTensors;
    let error: unknown;
    try {
      gemm(x, x, { signal: AbortSignal.abort() });
    } catch (thrown) {
      error = thrown;
    }
    assertError(error, 'CANCELLED', /cancelled/);
    assert(backend.stats().liveTensors === before, 'the refused op left a tensor');
  },

  'storage returns to the baseline': async (backend) => {
    const x = random(backend, [50, 40], 1);
    await backend.sync();
    const before = backend.stats();
    for (let i = 0; i < 50; i++) {
      backend.scope(() => {
        const z = standardize(x, columnStats(x));
        choleskyFactor(gram(z), { shift: 1 });
      });
    }
    await backend.sync();
    const after = backend.stats();
    assert(
      after.liveTensors === before.liveTensors,
      `${after.liveTensors - before.liveTensors} tensors are alive`,
    );
    assert(after.liveBytes === before.liveBytes, `${after.liveBytes - before.liveBytes} bytes are held`);
    assert(after.peakBytes >= after.liveBytes && after.peakBytes > 0, 'the peak is below what is held');
  },

  'results are bit-equal from run to run': async (backend) => {
    const a = random(backend, [190, 333], 1);
    const b = random(backend, [190, 333], 2);
    const once = () =>
      backend.scope(() => [
        gemm(a, b, { transB: true }),
        gram(a),
        columnStats(a).std,
        pearsonColumns(a, b),
        cosineMatrix(a, b),
        choleskyFactor(gram(a), { shift: 1 }),
        gather(a, { rows: [3, 1, 100] }),
      ]);
    const first = await Promise.all(once().map((tensor) => tensor.download()));
    const second = await Promise.all(once().map((tensor) => tensor.download()));
    for (const [i, found] of first.entries()) assertEqual(second[i]!, found, `result ${i}`);
  },

  ...graphBehaviours,
};

function random(backend: Backend, shape: number[], seed: number, scale = 1): Tensor {
  return backend.tensor(
    Float32Array.from(createRandom(seed).normals(sizeOf(shape)), (v) => v * scale),
    shape,
  );
}
