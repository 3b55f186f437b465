import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  type Design,
  type DesignTargets,
  fitRidge,
  kFolds,
  matrixInMemory,
  memorySink,
  openStreamedRidge,
  type StreamedRidge,
  type StreamedRidgeOptions,
  TARGET_BLOCK,
  targetsInMemory,
  VOXEL_BLOCK,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

/** A design of random voxels, each with a mean of its own. */
function randomDesign(train: number, test: number, voxels: number): Design & { rows: Float32Array } {
  const random = createRandom(1);
  const rows = Float32Array.from({ length: (train + test) * voxels }, (_, i) => random.normal() + (i % 7));
  const part = (first: number, count: number, from: number, to: number) => {
    const block = new Float32Array(count * (to - from));
    for (let row = 0; row < count; row++) {
      const start = (first + row) * voxels;
      block.set(rows.subarray(start + from, start + to), row * (to - from));
    }
    return block;
  };
  return {
    rows,
    train,
    test,
    voxels,
    async read(from, to) {
      return { train: part(0, train, from, to), test: part(train, test, from, to) };
    },
    ledger: [],
  };
}

function randomTargets(rows: number, columns: number): DesignTargets & { values: Float32Array } {
  const random = createRandom(2);
  const values = Float32Array.from(
    { length: rows * columns },
    (_, i) => random.normal() + 3 * Math.sin(i % columns),
  );
  // Rows of the file stand in another order than those of the design.
  const train = Int32Array.from({ length: rows }, (_, i) => (i * 7 + 3) % rows);
  const shuffled = new Float32Array(values.length);
  train.forEach((at, i) => {
    shuffled.set(values.subarray(i * columns, (i + 1) * columns), at * columns);
  });
  return { values, source: matrixInMemory({ data: shuffled, shape: [rows, columns] }), train };
}

async function withRidge<T>(
  design: Design,
  options: Partial<StreamedRidgeOptions>,
  body: (ridge: StreamedRidge) => Promise<T>,
): Promise<T> {
  const ridge = await openStreamedRidge(design, {
    backend,
    alpha: 5,
    intercept: true,
    precision: 'f64',
    ...options,
  });
  try {
    return await body(ridge);
  } finally {
    ridge.dispose();
  }
}

/** The same by `fitRidge`: weights of voxels and predictions of test rows, float64. */
async function direct(
  design: Design & { rows: Float32Array },
  targets: Float32Array,
  alpha: number | Float64Array,
  intercept: boolean,
) {
  const { train: n, test: m, voxels: p, rows } = design;
  const t = targets.length / n;
  const x = backend.tensor(Float64Array.from(rows.subarray(0, n * p)), [n, p]);
  const options = { alpha, intercept, precision: 'f64' } as const;
  const { values, voxelMean, targetMean } = await fitRidge(
    x,
    targetsInMemory(Float64Array.from(targets), n),
    options,
  );
  const dual =
    n <= p
      ? await fitRidge(x, targetsInMemory(Float64Array.from(targets), n), {
          ...options,
          form: 'dual',
          coefficients: 'dual',
        })
      : undefined;
  x.dispose();
  const predictions = new Float64Array(m * t);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < t; j++) {
      let sum = targetMean[j]!;
      for (let v = 0; v < p; v++) sum += (rows[(n + i) * p + v]! - voxelMean[v]!) * values[v * t + j]!;
      predictions[i * t + j] = sum;
    }
  }
  return { weights: values, dual: dual?.values, targetMean, predictions };
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

describe('openStreamedRidge', () => {
  const cases = [
    { form: 'dual', train: 15, voxels: 40, intercept: true },
    { form: 'dual', train: 15, voxels: 40, intercept: false },
    { form: 'primal', train: 40, voxels: 12, intercept: true },
    { form: 'primal', train: 40, voxels: 12, intercept: false },
  ] as const;
  it.each(cases)('is fitRidge: $form, intercept $intercept', async ({ form, train, voxels, intercept }) => {
    const [test, t] = [4, 9];
    const design = randomDesign(train, test, voxels);
    const targets = randomTargets(train, t);
    const alphas = Float64Array.from({ length: t }, (_, j) => [5, 80, 20][j % 3]!);
    for (const alpha of [5, alphas]) {
      const expected = await direct(design, targets.values, alpha, intercept);
      await withRidge(design, { intercept }, async (ridge) => {
        expect(ridge.form).toBe(form);
        const predictions = memorySink(test, t, 'f64');
        const { targetMean } = await ridge.predict(targets, predictions, { alphas: alpha });
        expect(worst(predictions.values, expected.predictions)).toBeLessThan(1e-10);
        expect(worst(targetMean, expected.targetMean)).toBeLessThan(1e-12);
        const weights = memorySink(voxels, t, 'f64');
        await ridge.primal(targets, weights, { alphas: alpha });
        expect(worst(weights.values, expected.weights)).toBeLessThan(1e-10);
        if (form === 'dual') {
          const dual = memorySink(train, t, 'f64');
          await ridge.dual(targets, dual, { alphas: alpha });
          expect(worst(dual.values, expected.dual!)).toBeLessThan(1e-10);
        }
      });
    }
  });
});
