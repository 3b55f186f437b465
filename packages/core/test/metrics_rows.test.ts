import { describe, expect, it } from 'vitest';
import {
  correlationMatrix,
  createRandom,
  createReferenceBackend,
  evaluate,
  type MatrixRows,
  type MatrixSource,
  matrixInMemory,
  type Rows,
} from '../src/index.ts';

/** A matrix, and the widest window that was read of it. */
function watched(
  rows: Rows,
  name: string,
): { source: MatrixSource; reads: () => number; widest: () => number } {
  const inner = matrixInMemory(rows, name);
  let [reads, widest] = [0, 0];
  const source: MatrixSource = {
    ...inner,
    read: (wanted, from, to, signal) => {
      reads++;
      widest = Math.max(widest, to - from);
      return inner.read(wanted, from, to, signal);
    },
  };
  return { source, reads: () => reads, widest: () => widest };
}

const picked = ({ data, shape }: Rows, rows: readonly number[]): Rows => {
  const length = shape[1]!;
  const own = rows.map((row) => data.slice(row * length, (row + 1) * length));
  const all = new Float32Array(own.length * length);
  for (const [i, row] of own.entries()) all.set(row, i * length);
  return { data: all, shape: [own.length, length] };
};
const normal = (n: number, d: number, seed: number): Rows => ({
  data: Float32Array.from(createRandom(seed).normals(n * d)),
  shape: [n, d],
});

describe('rows that stay in their files', () => {
  const N = 12;
  const features = normal(9, 30, 1);
  // Rows of another order than the file, some of them twice.
  const shown = [8, 0, 3, 3, 1, 5, 7, 2, 6, 4, 0, 8];
  const truth = picked(features, shown);
  const random = createRandom(2);
  const predictions: Rows = { data: truth.data.map((x) => x + 1.5 * random.normal()), shape: truth.shape };
  const mean = normal(1, 30, 3);
  const rest = { runs: shown.map((_, i) => i % 2), stimuli: shown, scored: [0, 1, 2, 4, 5, 6, 7, 8, 9] };
  const settings = { exchangeability: 'trials', permutations: 20, retrieval: {}, seed: 4 } as const;
  const order = Array.from({ length: N }, (_, i) => i);

  it('are scored as rows in memory, to the bit, on a device or without', async () => {
    const backend = createReferenceBackend();
    for (const where of [{}, { backend, deviceWork: 0 }]) {
      const expected = await evaluate(
        { ...rest, truth, reconstructions: predictions, meanPicture: mean },
        { ...settings, ...where },
      );
      const files = [watched(features, 'features.npy'), watched(predictions, 'tokens.npy')] as const;
      const found = await evaluate(
        {
          ...rest,
          truth: { source: files[0].source, rows: shown },
          reconstructions: { source: files[1].source, rows: order },
          meanPicture: { source: matrixInMemory(mean), rows: [0] },
        },
        { ...settings, ...where },
      );
      const plain = (value: object) => JSON.parse(JSON.stringify({ ...value, seconds: 0 }));
      const { retrieval: ours, ...scores } = found;
      const { retrieval: theirs, ...others } = expected;
      expect(plain(scores)).toEqual(plain(others));
      expect(plain(ours!)).toEqual(plain(theirs!));
      expect(found.twoWay.score).toBeGreaterThan(0.7);
      // Means and norms once for each of two similarities; products with predictions and with their mean.
      expect(files[0].reads()).toBe(2 * (2 + 2));
      expect(files[1].reads()).toBe(2 * (2 + 1));
    }
    await backend.dispose();
  });

  it('are read in windows: what is held does not grow with their length', async () => {
    const [many, length] = [4096, 4200];
    const wide = new Float32Array(many * length);
    for (let i = 0, state = 1; i < wide.length; i++) {
      state = (state * 16807) % 2147483647;
      wide[i] = state / 2147483647;
    }
    const all: Rows = { data: wide, shape: [many, length] };
    const some = picked(all, [17, 4095]);
    const file = watched(all, 'wide.npy');
    const rows: MatrixRows = { source: file.source, rows: Int32Array.from({ length: many }, (_, i) => i) };
    const { values, truths, reconstructions } = await correlationMatrix(some, rows);
    expect([truths, reconstructions, file.widest()]).toEqual([2, many, 4096]);
    const few = await correlationMatrix(some, picked(all, [17, 18, 4095]));
    expect([values[17], values[18], values[many + 4095]]).toEqual([
      few.values[0],
      few.values[1],
      few.values[5],
    ]);
    expect(values[17]).toBeCloseTo(1, 12);
    expect(values[many + 4095]).toBeCloseTo(1, 12);
    expect(Math.abs(values[18]!)).toBeLessThan(0.1);
  });

  it('wait in the queue of a device for one block, and no more', async () => {
    const backend = createReferenceBackend();
    let [waiting, most, uploads] = [0, 0, 0];
    const { tensor, sync } = backend;
    Object.assign(backend, {
      tensor: (...given: Parameters<typeof tensor>) => {
        uploads++;
        most = Math.max(most, ++waiting);
        return tensor.apply(backend, given);
      },
      sync: () => {
        waiting = 0;
        return sync.apply(backend);
      },
    });
    const wide = normal(64, 100_000, 5);
    const { values } = await correlationMatrix(picked(wide, [3]), wide, { backend, deviceWork: 0 });
    expect(values[3]).toBeCloseTo(1, 12);
    // Four blocks of both sides.
    expect([uploads, most]).toEqual([8, 2]);
    await backend.dispose();
  });

  it('name file and row of a value that is not finite, and widths that differ', async () => {
    const data = features.data.slice();
    data[5 * 30 + 7] = Number.NaN;
    const source = matrixInMemory({ data, shape: features.shape }, 'features.npy');
    const bad = evaluate({ ...rest, truth: { source, rows: shown }, reconstructions: predictions }, settings);
    await expect(bad).rejects.toThrow(/features\.npy: truth: .*NaN.*found row 5/);
    const narrow = matrixInMemory(normal(9, 29, 1), 'narrow.npy');
    const other = evaluate(
      { ...rest, truth: { source: narrow, rows: shown }, reconstructions: predictions },
      settings,
    );
    await expect(other).rejects.toThrow(/reconstructions: .*expected 29 values, found 30/);
    await expect(correlationMatrix({ source, rows: [] }, predictions)).rejects.toThrow(/no rows/);
  });
});
