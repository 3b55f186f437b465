import { type Backend, createRandom, gemm } from '@fmri2image/core';
import { timing } from './statistics.ts';

/** Side of the square product whose speed others are compared with. */
const SIDE = 2048;

/** A square product on a backend, to be run in turns with what is compared with it. */
export async function squareProduct(backend: Backend, seed: number) {
  const values = () => Float32Array.from(createRandom(seed).normals(SIDE ** 2));
  const [a, b] = [values(), values()].map((data) => backend.tensor(data, [SIDE, SIDE]));
  await backend.sync();
  return {
    flops: 2 * SIDE ** 3,
    /** Seconds of one. */
    async run(): Promise<number> {
      const start = performance.now();
      const y = gemm(a!, b!);
      await backend.sync();
      const seconds = (performance.now() - start) / 1e3;
      y.dispose();
      return seconds;
    },
    dispose() {
      a!.dispose();
      b!.dispose();
    },
  };
}

/** Its speed, 10^9 operations a second: the median of some. */
export async function measureProduct(backend: Backend, seed: number, samples: number): Promise<number> {
  const product = await squareProduct(backend, seed);
  await product.run();
  const seconds: number[] = [];
  for (let i = 0; i < samples; i++) seconds.push(await product.run());
  product.dispose();
  return product.flops / timing(seconds).p50 / 1e9;
}
