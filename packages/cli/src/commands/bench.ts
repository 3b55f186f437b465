import { choleskyFactor, createRandom, gemm, gram, type Tensor } from '@fmri2image/core';
import type { Command } from 'commander';
import { table } from '../console.ts';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, withDevice } from '../options.ts';

/** What a fit spends its time on, at the sizes of one NSD subject's session. */
const CASES = [
  {
    name: 'gram 1000 trials x 15724 voxels',
    rows: 1000,
    cols: 15724,
    flops: 1000 * 1001 * 15724,
    run: (x: Tensor) => gram(x),
  },
  {
    name: 'product 750 x 15724 by 15724 x 1024',
    rows: 750,
    cols: 15724,
    flops: 2 * 750 * 15724 * 1024,
    weights: 1024,
    run: (x: Tensor, w?: Tensor) => gemm(x, w!),
  },
  {
    name: 'cholesky 2000',
    rows: 2000,
    cols: 2000,
    flops: 2000 ** 3 / 3,
    // Noise alone is not positive definite: the shift makes it so.
    run: (x: Tensor) => choleskyFactor(x, { shift: 1e4 }),
  },
] as const;

const SAMPLES = 5;

export function benchCommand(program: Command): void {
  const command = program
    .command('bench')
    .summary('time what a fit spends its time on, on this machine')
    .description(
      'Times three kernels at sizes of this field: median of five runs after one to warm up. To compare with other libraries, see "npm run bench" in the repository.',
    );
  withDevice(command).action((options: DeviceOptions) => withContext(options, run));
}

async function run({ backend, console, signal }: Context): Promise<void> {
  const rows = [['kernel', 'median ms', 'GFLOP/s']];
  const results: { name: string; seconds: number; gflops: number }[] = [];
  for (const test of CASES) {
    console.progress(test.name);
    const random = createRandom(1);
    const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
    const x = backend.tensor(normals(test.rows * test.cols), [test.rows, test.cols]);
    const w =
      'weights' in test
        ? backend.tensor(normals(test.cols * test.weights), [test.cols, test.weights])
        : undefined;
    await backend.sync();
    const seconds: number[] = [];
    for (let i = -1; i < SAMPLES; i++) {
      signal.throwIfAborted();
      const start = performance.now();
      const y = test.run(x, w);
      await backend.sync();
      if (i >= 0) seconds.push((performance.now() - start) / 1e3);
      y.dispose();
    }
    x.dispose();
    w?.dispose();
    const median = seconds.toSorted((a, b) => a - b)[SAMPLES >> 1]!;
    results.push({ name: test.name, seconds: median, gflops: test.flops / median / 1e9 });
    rows.push([test.name, (1e3 * median).toFixed(1), (test.flops / median / 1e9).toFixed(1)]);
  }
  console.result({ device: backend.info.description, results });
  console.print(backend.info.description);
  console.print(table(rows));
}
