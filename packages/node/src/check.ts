import { type Backend, createRandom, gemm, pacer } from '@fmri2image/core';

/**
 * Computes two products of which the results are known, the larger one at a size at which a GPU of Hopper's generation first
 * checks its own kernels (native/src/cuda/hopper_check.cu). Rejects where the device fails.
 *
 * @returns what is wrong, in words; undefined where nothing is
 */
export async function findWrongProduct(backend: Backend): Promise<string | undefined> {
  // Sums of whole numbers of one digit: nothing is rounded.
  const exact = await largestError(backend, { m: 515, n: 517, k: 131 }, digits);
  if (exact !== 0) return `a product is wrong: expected the exact result, found an error of ${exact}`;
  const rounded = await largestError(backend, { m: 37, n: 29, k: 53 }, normals);
  // NaN is wrong, too.
  return rounded < 1e-5
    ? undefined
    : `a product is wrong: expected a relative error below 1e-5, found ${rounded}`;
}

/** Of every eighth row and the last one, relative to the largest entry, against sums in float64. */
async function largestError(
  backend: Backend,
  { m, n, k }: { m: number; n: number; k: number },
  values: (count: number, seed: number) => Float32Array,
): Promise<number> {
  const a = values(m * k, 1);
  const b = values(k * n, 2);
  const operands = [backend.tensor(a, [m, k]), backend.tensor(b, [k, n])] as const;
  const product = gemm(...operands);
  try {
    const found = await product.download();
    const breathe = pacer(undefined, 'checking a product');
    let [largest, worst] = [0, 0];
    for (let i = 0; i < m; i++) {
      if (i % 8 !== 0 && i !== m - 1) continue;
      for (let j = 0; j < n; j++) {
        let expected = 0;
        for (let p = 0; p < k; p++) expected += a[i * k + p]! * b[p * n + j]!;
        largest = Math.max(largest, Math.abs(expected));
        worst = Math.max(worst, Math.abs(found[i * n + j]! - expected));
      }
      await breathe();
    }
    return worst / largest;
  } finally {
    for (const tensor of [...operands, product]) tensor.dispose();
  }
}

const normals = (count: number, seed: number) => Float32Array.from(createRandom(seed).normals(count));

/** From -7 to 7. */
function digits(count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.integer(15) - 7);
}
