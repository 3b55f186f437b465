import { describe, expect, it } from 'vitest';
import {
  add,
  cast,
  choleskyFactor,
  columnStats,
  createRandom,
  createReferenceBackend,
  eigh,
  F2iError,
  gemm,
  gram,
  mul,
} from '../src/index.ts';

/** Runs a test on a backend of its own and disposes it. */
function onReference(
  name: string,
  body: (backend: ReturnType<typeof createReferenceBackend>) => Promise<void>,
  options?: Parameters<typeof createReferenceBackend>[0],
) {
  it(name, async () => {
    const backend = createReferenceBackend(options);
    try {
      await body(backend);
    } finally {
      await backend.dispose();
    }
  });
}

async function rejection(promise: Promise<unknown>): Promise<F2iError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(F2iError);
  return error as F2iError;
}

describe('precision', () => {
  onReference('a chain of f32 ops rounds once, at download', async (backend) => {
    const x = backend.tensor(Float32Array.of(1, 2 ** -30), [1, 2]);
    const sum = gemm(x, backend.tensor(Float32Array.of(1, 1), [2, 1]));
    expect(await add(sum, -1).download()).toEqual(Float32Array.of(2 ** -30));
    expect(await cast(sum, 'f64').download()).toEqual(Float64Array.of(1 + 2 ** -30));
    expect(await add(cast(sum, 'f32'), -1).download()).toEqual(Float32Array.of(0));
  });

  onReference('Jacobi works near the ends of the range, and refuses what is not finite', async (backend) => {
    for (const scale of [1e200, 1e-200]) {
      const { values } = eigh(backend.tensor(Float64Array.of(2 * scale, 0, scale, 2 * scale), [2, 2]));
      const [low = 0, high = 0] = (await values.download()) as Float64Array;
      expect([low / scale, high / scale].map((value) => value.toFixed(12))).toEqual([
        '1.000000000000',
        '3.000000000000',
      ]);
    }
    for (const list of [[Infinity], [1, 0, Infinity, 1], [1, 0, NaN, 1]]) {
      const n = Math.sqrt(list.length);
      const { values } = eigh(backend.tensor(Float64Array.from(list), [n, n]));
      expect((await rejection(values.download())).code).toBe('NO_CONVERGENCE');
    }
  });

  onReference('Jacobi keeps the small eigenvalues of a graded matrix', async (backend) => {
    // The Hilbert matrix of order 5; its smallest eigenvalue to 16 digits from 60-digit arithmetic.
    const h = Float64Array.from({ length: 25 }, (_, i) => 1 / (Math.floor(i / 5) + (i % 5) + 1));
    const { values } = eigh(backend.tensor(h, [5, 5]));
    const [smallest = 0, , , , largest = 0] = (await values.download()) as Float64Array;
    expect(largest).toBeCloseTo(1.567050691098231, 14);
    expect(Math.abs(smallest - 3.287928772171863e-6)).toBeLessThan(1e-16);
  });
});

describe('the queue', () => {
  onReference('nothing runs before someone waits', async (backend) => {
    const x = gram(backend.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(backend.stats().liveBytes).toBe(0);
    await x.download();
    expect(backend.stats().liveBytes).toBe(2 * 4 * 8);
  });

  onReference('gives way to the event loop between ops', async (backend) => {
    const x = backend.tensor(createRandom(1).normals(60 * 60), [60, 60]);
    let y = x;
    for (let i = 0; i < 400; i++) y = mul(gemm(y, x), 0.1);
    let turns = 0;
    const watch = setInterval(() => turns++, 1);
    await y.download();
    clearInterval(watch);
    // Slices of 4 ms: a slower machine has more of them.
    expect(turns).toBeGreaterThan(8);
  });

  onReference('a wait that begins during another one is served in order', async (backend) => {
    const x = backend.tensor(Float32Array.of(2), [1]);
    const first = mul(x, 3).download();
    const order: string[] = [];
    await Promise.all([
      first.then(() => order.push('first')),
      mul(x, 5)
        .download()
        .then(() => order.push('second')),
      backend.sync().then(() => order.push('sync')),
    ]);
    expect(order).toEqual(['first', 'second', 'sync']);
  });

  it('dispose rejects pending waits and may be repeated; another backend starts afresh', async () => {
    const backend = createReferenceBackend();
    const x = backend.tensor(Float32Array.of(1), [1]);
    const pending = rejection(x.download());
    await backend.dispose();
    await backend.dispose();
    expect((await pending).code).toBe('DISPOSED');
    expect(backend.stats()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    expect(() => backend.tensor(Float32Array.of(1), [1])).toThrow(/used after dispose/);
    const next = createReferenceBackend();
    expect(await next.tensor(Float32Array.of(4), [1]).download()).toEqual(Float32Array.of(4));
    await next.dispose();
  });
});

describe('errors', () => {
  onReference('name the op, the place that enqueued it, and what was found', async (backend) => {
    function fitSubject07() {
      return choleskyFactor(backend.tensor(Float32Array.of(1, 2, 2, 1), [2, 2]));
    }
    const error = await rejection(fitSubject07().download());
    expect(error).toMatchObject({
      code: 'NOT_POSITIVE_DEFINITE',
      op: 'cholesky_factor',
      backend: 'reference',
    });
    expect(error.found).toBe('-3');
    expect(error.place).toMatch(/^at fitSubject07 \(.*reference\.test\.ts:\d+:\d+\)/);
    expect(error.place).not.toMatch(/src\/ops/);
    expect(error.message).toMatch(/pivot 1 is not positive; found -3\n {2}enqueued at fitSubject07/);
  });

  onReference(
    'an exception inside a kernel is INTERNAL, not lost',
    async (backend) => {
      const x = backend.tensor(Float32Array.of(1), [1, 1]);
      expect((await rejection(gram(x).download())).code).toBe('INTERNAL');
      await rejection(backend.sync());
    },
    { kernels: new Map([['gram', () => JSON.parse('nonsense')]]) },
  );

  onReference('operands of two backends do not mix', async (backend) => {
    const other = createReferenceBackend();
    const x = backend.tensor(Float32Array.of(1), [1, 1]);
    const y = other.tensor(Float32Array.of(1), [1, 1]);
    expect(() => gemm(x, y)).toThrow(/operands live on different backends/);
    await other.dispose();
  });
});

describe('memory', () => {
  const kilobyte = { memoryLimit: 1024 };

  onReference(
    'what does not fit fails at the wait and poisons what depends on it',
    async (backend) => {
      const fits = backend.zeros([64], 'f64');
      const tooMuch = backend.zeros([65], 'f64');
      const dependant = columnStats(tooMuch.reshape(65, 1)).mean;
      await fits.download();
      const error = await rejection(dependant.download());
      expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', expected: 'at most 512 bytes (of 1024)' });
      expect((await rejection(backend.sync())).code).toBe('OUT_OF_MEMORY');
    },
    kilobyte,
  );

  onReference(
    'ready waits until freed memory is free',
    async (backend) => {
      const first = backend.zeros([100], 'f64');
      await first.download();
      first.dispose();
      await backend.ready(800);
      expect(backend.stats().liveBytes).toBe(0);
      expect((await rejection(backend.ready(1025))).code).toBe('OUT_OF_MEMORY');
    },
    kilobyte,
  );

  onReference('liveTensors names what is alive, oldest first', async (backend) => {
    const a = backend.zeros([1]);
    const b = backend.zeros([2]);
    expect(backend.liveTensors()).toEqual([a, b]);
    a.dispose();
    expect(backend.liveTensors()).toEqual([b]);
  });
});
