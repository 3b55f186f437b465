import { expect } from 'vitest';
import { createRandom, type Design, type DesignTargets, matrixInMemory } from '../src/index.ts';

/** A design of random voxels, each with a mean of its own. */
export function randomDesign(train: number, test: number, voxels: number): Design & { rows: Float32Array } {
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

export function randomTargets(rows: number, columns: number): DesignTargets & { values: Float32Array } {
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

/** Largest difference. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
