import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CpuBackend,
  createRandom,
  type Design,
  encodeNpy,
  fileSource,
  type MatrixSource,
  matrixDesign,
  matrixInMemory,
  memorySink,
  npyFileSink,
  openMatrix,
  openStreamedRidge,
  ownedMatrix,
  readNpy,
  type StreamedRidgeOptions,
  targetBlock,
} from '../src/index.ts';

/** Of the few training rows here. */
const TARGET_BLOCK = targetBlock(20);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'f2i-streamed-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const inFolder = (name: string) => join(folder, name);
const backends = [1, 2].map((threads) => new CpuBackend({ threads }));
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

/** Bit by bit; vitest's own comparison takes seconds for millions of numbers. */
const same = (a: ArrayBufferView, b: ArrayBufferView) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** A design of a matrix on disk: the first `train` rows for training. */
function designOf(source: MatrixSource, train: number): Design {
  const rows = Int32Array.from({ length: source.rows }, (_, i) => i);
  return matrixDesign(source, { train: rows.subarray(0, train), test: rows.subarray(train) });
}

describe('a streamed ridge on files', () => {
  const [train, test, voxels, columns] = [600, 50, 900, 5000];
  let x: MatrixSource;
  let y: MatrixSource;
  const rows = Int32Array.from({ length: train }, (_, i) => (i * 7) % train);
  beforeAll(async () => {
    const random = createRandom(1);
    const write = async (name: string, count: number, width: number): Promise<MatrixSource> => {
      const data = Float32Array.from(random.normals(count * width));
      writeFileSync(inFolder(name), encodeNpy({ dtype: 'f32', shape: [count, width], data }));
      return openMatrix(await fileSource(inFolder(name)));
    };
    x = await write('voxels.npy', train + test, voxels);
    y = await write('targets.npy', train, columns);
  });
  afterAll(() => {
    x.close?.();
    y.close?.();
  });

  /** Writes predictions and dual weights; stops after `blocks` of each, as a killed process would. */
  async function run(
    backend: CpuBackend,
    name: string,
    { from = 0, blocks = Number.POSITIVE_INFINITY } = {},
  ) {
    const options: StreamedRidgeOptions = { backend, alpha: 300, intercept: true, precision: 'f32' };
    const ridge = await openStreamedRidge(designOf(x, train), options);
    for (const [method, count] of [
      ['predict', test],
      ['dual', train],
    ] as const) {
      const sink = await npyFileSink(inFolder(`${name}-${method}.npy`), {
        rows: count,
        shape: [columns],
        resume: from > 0,
      });
      let written = 0;
      const targets = { source: y, train: rows };
      const killed = {
        async write(first: number, to: number, values: Float32Array | Float64Array) {
          if (written++ === blocks) throw new Error('killed');
          await sink.write(first, to, values);
        },
      };
      await ridge[method](targets, killed, { alphas: 300, from }).catch((error) => {
        if (error.message !== 'killed') throw error;
      });
      await sink.flush();
      await sink.close();
    }
    ridge.dispose();
    expect(backend.stats().liveTensors).toBe(0);
    return (['predict', 'dual'] as const).map((method) => readFileSync(inFolder(`${name}-${method}.npy`)));
  }

  it('reads memory that it was given where it lies: the same bits, in whatever order of rows', async () => {
    const all = Int32Array.from({ length: train }, (_, i) => i);
    const data = (await y.read(all, 0, columns)) as Float32Array;
    const owned = ownedMatrix({ data: data.slice(), shape: [train, columns] });
    const forbidden: MatrixSource = { ...owned, read: () => Promise.reject(new Error('not in place')) };
    const ridge = await openStreamedRidge(designOf(x, train), {
      backend: backends[1]!,
      alpha: 300,
      intercept: true,
      precision: 'f32',
    });
    for (const order of [all, rows]) {
      const [inPlace, copied] = [memorySink(test, columns), memorySink(test, columns)];
      await ridge.predict({ source: forbidden, train: order }, inPlace, { alphas: 300 });
      await ridge.predict({ source: y, train: order }, copied, { alphas: 300 });
      expect(same(inPlace.values, copied.values)).toBe(true);
      expect(inPlace.values.some((value) => value !== 0)).toBe(true);
    }
    ridge.dispose();
    expect(backends[1]!.stats().liveTensors).toBe(0);
    expect(same(owned.take(), data)).toBe(true);
  });

  it('reads voxels that it was given where they lie: the same bits, of neighbouring rows and of others', async () => {
    const count = train + test;
    const all = Int32Array.from({ length: count }, (_, i) => i);
    const data = (await x.read(all, 0, voxels)) as Float32Array;
    const ends = [data.slice(), Float64Array.from(data, (value) => value + value * 1e-12)];
    const mixed = all.map((i) => (i * 7) % count);
    const cases = [
      [all, ends[0]!, true],
      [all, ends[0]!, false],
      [all, ends[1]!, true],
      [mixed, ends[0]!, true],
      [mixed, ends[1]!, false],
    ] as const;
    for (const [order, values, intercept] of cases) {
      const owned = ownedMatrix({ data: values.slice(), shape: [count, voxels] });
      const forbidden: MatrixSource = { ...owned, read: () => Promise.reject(new Error('not in place')) };
      const predicted = async (source: MatrixSource, form: 'dual' | 'primal') => {
        const parts = { train: order.subarray(0, train), test: order.subarray(train) };
        const ridge = await openStreamedRidge(matrixDesign(source, parts), {
          backend: backends[1]!,
          alpha: 300,
          intercept,
          form,
          precision: form === 'dual' ? 'f64' : 'f32',
        });
        const sink = memorySink(test, columns);
        await ridge.predict({ source: y, train: rows }, sink, { alphas: 300 });
        ridge.dispose();
        return sink.values;
      };
      for (const form of ['dual', 'primal'] as const) {
        expect(same(await predicted(forbidden, form), await predicted(x, form))).toBe(true);
      }
      expect(backends[1]!.stats().liveTensors).toBe(0);
      expect(same(owned.take(), values)).toBe(true);
    }
  });

  it('gives weights a row for each target where they are wanted so', async () => {
    for (const form of ['dual', 'primal'] as const) {
      const ridge = await openStreamedRidge(designOf(x, train), {
        backend: backends[1]!,
        alpha: 300,
        intercept: true,
        form,
        precision: 'f32',
      });
      const targets = { source: y, train: rows };
      for (const kind of form === 'dual' ? (['dual', 'primal'] as const) : (['primal'] as const)) {
        const unknowns = kind === 'dual' ? train : voxels;
        const [plain, turned] = [memorySink(unknowns, columns), new Float32Array(columns * unknowns)];
        const sink = {
          async write(from: number, to: number, values: Float32Array | Float64Array) {
            expect(values.length).toBe((to - from) * unknowns);
            turned.set(values, from * unknowns);
          },
        };
        await ridge[kind](targets, plain, { alphas: 300 });
        await ridge[kind](targets, sink, { alphas: 300, byTarget: true });
        let unlike = 0;
        for (let i = 0; i < unknowns; i++)
          for (let j = 0; j < columns; j++)
            if (plain.values[i * columns + j] !== turned[j * unknowns + i]) unlike++;
        expect(unlike).toBe(0);
      }
      ridge.dispose();
    }
    expect(backends[1]!.stats().liveTensors).toBe(0);
  });

  it('gives the same bytes with one thread and with two, and where it goes on', async () => {
    const [one, two] = [await run(backends[0]!, 'one'), await run(backends[1]!, 'two')];
    const part = await run(backends[1]!, 'resumed', { blocks: 2 });
    const resumed = await run(backends[0]!, 'resumed', { from: 2 * TARGET_BLOCK });
    for (const i of [0, 1]) {
      expect(one[i]!.equals(two[i]!)).toBe(true);
      expect(part[i]!.equals(one[i]!)).toBe(false);
      expect(resumed[i]!.equals(one[i]!)).toBe(true);
    }
    // Weights of trials are those of the definition: (K + alpha I) c = y, and predictions are K_test c.
    const dual = await openMatrix(await fileSource(inFolder('one-dual.npy')));
    const predictions = await openMatrix(await fileSource(inFolder('one-predict.npy')));
    const all = Int32Array.from({ length: train + test }, (_, i) => i);
    const voxel = await x.read(all, 0, voxels);
    const [column] = [3333];
    const c = await dual.read(all.subarray(0, train), column, column + 1);
    const target = Float64Array.from(await y.read(rows, column, column + 1));
    const mean = target.reduce((sum, value) => sum + value, 0) / train;
    const w = new Float64Array(voxels);
    const means = new Float64Array(voxels);
    for (let i = 0; i < train; i++) {
      for (let v = 0; v < voxels; v++) means[v]! += voxel[i * voxels + v]! / train;
    }
    for (let i = 0; i < train; i++) {
      for (let v = 0; v < voxels; v++) w[v]! += (voxel[i * voxels + v]! - means[v]!) * c[i]!;
    }
    const predicted = (row: number) => {
      let sum = 0;
      for (let v = 0; v < voxels; v++) sum += (voxel[row * voxels + v]! - means[v]!) * w[v]!;
      return sum;
    };
    for (const i of [0, 299, 599]) expect(predicted(i) + 300 * c[i]!).toBeCloseTo(target[i]! - mean, 4);
    const held = await predictions.read([0, 49], column, column + 1);
    expect(held[0]).toBeCloseTo(predicted(train) + mean, 4);
    expect(held[1]).toBeCloseTo(predicted(train + 49) + mean, 4);
    for (const matrix of [dual, predictions]) matrix.close?.();
  });

  it('stops when aborted, and leaves nothing behind', async () => {
    const [, backend] = backends;
    for (const phase of ['gram', 'factor', 'predict'] as const) {
      const controller = new AbortController();
      const onProgress: StreamedRidgeOptions['onProgress'] = (progress) => {
        if (progress.phase === phase) controller.abort();
      };
      const { signal } = controller;
      const work = async () => {
        const ridge = await openStreamedRidge(designOf(x, train), {
          backend: backend!,
          alpha: 300,
          intercept: true,
          precision: 'f32',
          signal,
          onProgress,
        });
        const sink = memorySink(test, columns);
        await ridge.predict({ source: y, train: rows }, sink, { alphas: 300 }).finally(() => ridge.dispose());
      };
      await expect(work()).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(backend!.stats().liveTensors).toBe(0);
    }
  });
});

describe('precision of a streamed ridge on the CPU', () => {
  /** A few strong directions, and voxels that only the penalty holds. */
  const [train, test, voxels, columns] = [120, 10, 150, 40];
  const random = createRandom(4);
  const x = Float32Array.from(
    { length: (train + test) * voxels },
    (_, i) => random.normal() * (i % voxels < 30 ? 60 : 0.05),
  );
  const y = Float32Array.from(random.normals(train * columns));
  const design = designOf(matrixInMemory({ data: x, shape: [train + test, voxels] }), train);
  const solve = async (precision: StreamedRidgeOptions['precision']) => {
    const ridge = await openStreamedRidge(design, {
      backend: backends[1]!,
      alpha: 1,
      intercept: true,
      precision,
    });
    const predictions = await ridge.predictRows(y, 1);
    const sink = memorySink(train, columns, 'f64');
    const all = Int32Array.from({ length: train }, (_, i) => i);
    const source = matrixInMemory({ data: y, shape: [train, columns] }, 'y');
    await ridge.dual({ source, train: all }, sink, { alphas: 1 });
    ridge.dispose();
    return { predictions, dual: sink.values, numerics: ridge.numerics };
  };
  const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let [difference, norm] = [0, 0];
    for (let i = 0; i < a.length; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      norm += b[i]! ** 2;
    }
    return Math.sqrt(difference / norm);
  };

  it('is lost in float32, and comes back by refinement', async () => {
    const exact = await solve('f64');
    const plain = await solve('f32');
    const refined = await solve('refined');
    expect(exact.numerics.conditionBound).toBeGreaterThan(1e5);
    expect(distance(plain.dual, exact.dual)).toBeGreaterThan(1e-3);
    expect(distance(refined.dual, exact.dual)).toBeLessThan(1e-7);
    expect(distance(refined.predictions, exact.predictions)).toBeLessThan(
      distance(plain.predictions, exact.predictions) / 100,
    );
    expect((await solve('auto')).numerics.precision).toBe('refined');
  });
});

describe('npyFileSink', () => {
  it('writes blocks of columns at their places, whatever their type', async () => {
    for (const dtype of ['f32', 'f64'] as const) {
      const path = inFolder(`sink-${dtype}.npy`);
      const sink = await npyFileSink(path, { rows: 3, shape: [2, 3], dtype });
      await sink.write(0, 2, Float64Array.of(0, 1, 10, 11, 20, 21));
      await sink.write(2, 6, Float32Array.of(2, 3, 4, 5, 12, 13, 14, 15, 22, 23, 24, 25));
      await sink.close();
      await sink.close();
      const { data, ...rest } = await readNpy(await fileSource(path));
      expect(rest).toEqual({ dtype, shape: [3, 2, 3] });
      expect([...(data as Float32Array)]).toEqual([
        0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25,
      ]);
    }
    const whole = await npyFileSink(inFolder('whole.npy'), { rows: 2, shape: [2] });
    await whole.write(0, 2, Float32Array.of(1, 2, 3, 4));
    await expect(whole.write(0, 2, Float32Array.of(1))).rejects.toThrow(/whole.npy: not a block of columns/);
    await whole.close();
    expect([...((await readNpy(await fileSource(inFolder('whole.npy')))).data as Float32Array)]).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it('goes on with its own file alone', async () => {
    const path = inFolder('resume.npy');
    await expect(npyFileSink(path, { rows: 2, shape: [4], resume: true })).rejects.toMatchObject({
      code: 'IO',
    });
    const first = await npyFileSink(path, { rows: 2, shape: [4] });
    await first.write(0, 2, Float32Array.of(1, 2, 5, 6));
    await first.close();
    await expect(npyFileSink(path, { rows: 2, shape: [4] })).rejects.toMatchObject({
      code: 'IO',
      file: path,
    });
    await expect(npyFileSink(path, { rows: 4, shape: [2], resume: true })).rejects.toThrow(/another array/);
    const again = await npyFileSink(path, { rows: 2, shape: [4], resume: true });
    await again.write(2, 4, Float32Array.of(3, 4, 7, 8));
    await again.flush();
    await again.close();
    const { data } = await readNpy(await fileSource(path));
    expect([...(data as Float32Array)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

it('rows of a matrix in memory are taken where they lie: what the others take does not count', async () => {
  const [train, test, voxels, columns] = [60, 20, 300, 500];
  const peakOf = async (rows: number) => {
    const random = createRandom(3);
    const owned = (count: number, width: number, name: string) =>
      ownedMatrix({ data: Float32Array.from(random.normals(count * width)), shape: [count, width] }, name);
    const [x, y] = [owned(rows, voxels, 'voxels'), owned(rows, columns, 'targets')];
    const scattered = Int32Array.from({ length: train + test }, (_, i) =>
      Math.floor((i * rows) / (train + test)),
    );
    const split = { train: scattered.subarray(0, train), test: scattered.subarray(train) };
    const backend = new CpuBackend({ threads: 2 });
    const ridge = await openStreamedRidge(matrixDesign(x, split), {
      backend,
      alpha: 300,
      intercept: true,
      precision: 'f32',
    });
    await ridge.predict({ source: y, train: split.train }, memorySink(test, columns), { alphas: 300 });
    ridge.dispose();
    const { peakBytes } = backend.stats();
    await backend.dispose();
    return peakBytes;
  };
  expect(await peakOf(8000)).toBeLessThan(1.1 * (await peakOf(train + test + 1)));
});
