import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { CpuBackend, choleskyFactor, choleskySolve, createRandom, gemm, gram } from '../src/index.ts';

it('returns to its baseline after 1000 fits', async () => {
  const backend = new CpuBackend({ threads: 2 });
  const [trials, voxels, targets] = [120, 500, 40];
  const normals = (rows: number, cols: number, seed: number) =>
    backend.adopt(Float32Array.from(createRandom(seed).normals(rows * cols)).buffer, [rows, cols], 'f32');
  const x = normals(trials, voxels, 1);
  const y = normals(trials, targets, 2);
  await backend.sync();
  const baseline = backend.stats();

  async function fit(alpha: number): Promise<void> {
    const signal = new AbortController().signal;
    const weights = backend.scope(() => {
      const l = choleskyFactor(gram(x, { signal }), { shift: alpha, signal });
      return gemm(x, choleskySolve(l, y, { signal }), { transA: true, signal });
    });
    const copy = backend.tensor(await weights.download(), [voxels, targets]);
    copy.dispose();
    weights.dispose();
  }

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const rss = () => {
    collect();
    return process.memoryUsage().rss;
  };
  for (let i = 0; i < 400; i++) await fit(100 + i);
  const early = rss();
  for (let i = 0; i < 1000; i++) await fit(100 + i);
  await backend.sync();
  const grown = rss() - early;

  expect(backend.stats()).toMatchObject({
    liveTensors: baseline.liveTensors,
    liveBytes: baseline.liveBytes,
  });
  // Each fit moves 0.08 MB back and forth and 0.3 MB within: a leak of any of it would show as eighty, or hundreds.
  expect(grown / 2 ** 20).toBeLessThan(48);
  await backend.dispose();
});
