import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  type BlockStatistics,
  bytesSource,
  columnStats,
  createReferenceBackend,
  type Design,
  type DesignTargets,
  encodeNpy,
  fitRidge,
  gemm,
  kFolds,
  type MatrixSource,
  type MemorySink,
  matrixDesign,
  matrixInMemory,
  memorySink,
  openMatrix,
  openStreamedRidge,
  planStreamed,
  readBlocks,
  type StreamedRidge,
  type StreamedRidgeOptions,
  type StreamedSink,
  sub,
  targetBlock,
  targetsInMemory,
  toF16Bits,
  VOXEL_BLOCK,
} from '../src/index.ts';
import { randomDesign, randomTargets, worst } from './streamed.ts';

/** Of the few training rows here. */
const TARGET_BLOCK = targetBlock(20);

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

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
        const [same, aside] = [memorySink(voxels, t, 'f64'), memorySink(test, t, 'f64')];
        await ridge.primal(targets, same, { alphas: alpha, predictions: aside });
        expect(same.values).toEqual(weights.values);
        expect(worst(aside.values, expected.predictions)).toBeLessThan(1e-10);
        if (form === 'dual') {
          const dual = memorySink(train, t, 'f64');
          await ridge.dual(targets, dual, { alphas: alpha });
          expect(worst(dual.values, expected.dual!)).toBeLessThan(1e-10);
          // The same weights, and predictions made of them, from one pass.
          const [again, beside] = [memorySink(train, t, 'f64'), memorySink(test, t, 'f64')];
          await ridge.dual(targets, again, { alphas: alpha, predictions: beside });
          expect(again.values).toEqual(dual.values);
          expect(worst(beside.values, expected.predictions)).toBeLessThan(1e-10);
        }
      });
    }
  });

  it.each([
    ['voxels', VOXEL_BLOCK + 40, 5],
    ['targets', 20, TARGET_BLOCK + 70],
  ])('is fitRidge over several blocks of %s', async (_, voxels, columns) => {
    const design = randomDesign(12, 3, voxels);
    const targets = randomTargets(12, columns);
    const expected = await direct(design, targets.values, 30, true);
    for (const [precision, error] of [
      ['f64', 1e-10],
      ['refined', 1e-5],
      ['f32', 1e-4],
    ] as const) {
      await withRidge(design, { alpha: 30, precision }, async (ridge) => {
        const sink = memorySink(3, columns, 'f64');
        await ridge.predict(targets, sink, { alphas: 30 });
        expect(worst(sink.values, expected.predictions)).toBeLessThan(error);
        const [weights, beside] = [memorySink(voxels, columns, 'f64'), memorySink(3, columns, 'f64')];
        await ridge.primal(targets, weights, { alphas: 30, predictions: beside });
        expect(worst(weights.values, expected.weights)).toBeLessThan(error);
        expect(worst(beside.values, expected.predictions)).toBeLessThan(error);
      });
    }
  });

  it('takes targets of half precision as they lie: the same bits as of their values', async () => {
    const design = randomDesign(12, 3, 20);
    const columns = 2 * TARGET_BLOCK + 70;
    const { values, train } = randomTargets(12, columns);
    const file = { dtype: 'f16', shape: [12, columns], data: Uint16Array.from(values, toF16Bits) } as const;
    const source = await openMatrix(bytesSource(encodeNpy(file), 'targets.npy'));
    const decoded = await source.read(
      Int32Array.from({ length: 12 }, (_, i) => i),
      0,
      columns,
    );
    const plain = matrixInMemory({ data: decoded, shape: [12, columns] });
    const forbidden = { ...source, readBlocks: () => Promise.reject(new Error('not as it lies')) };
    const [halves, floats] = [memorySink(3, columns), memorySink(3, columns)];
    for (const [from, sink] of [
      [forbidden, halves],
      [plain, floats],
    ] as const) {
      await withRidge(design, { precision: 'f32' }, (ridge) =>
        ridge.predict({ source: from, train }, sink, { alphas: 5 }),
      );
    }
    expect(worst(halves.values, floats.values)).toBe(0);
    expect(halves.values.some((value) => value !== 0)).toBe(true);
  });

  it('reads test rows only where they are needed', async () => {
    const design = randomDesign(12, 3, 40);
    const source = matrixInMemory({ data: design.rows, shape: [15, 40] });
    const rowsRead: number[] = [];
    const counting: MatrixSource = {
      ...source,
      async read(rows, from, to, signal, into) {
        if (rows.length > 0) rowsRead.push(rows.length);
        return source.read(rows, from, to, signal, into);
      },
    };
    const train = Array.from({ length: 12 }, (_, i) => i);
    const ofMatrix = matrixDesign(counting, { train, test: [12, 13, 14] });
    const targets = randomTargets(12, 5);
    await withRidge(ofMatrix, { alpha: 30, precision: 'f64' }, async (ridge) => {
      expect(rowsRead).toEqual([12, 3]);
      const weights = memorySink(40, 5, 'f64');
      await ridge.primal(targets, weights, { alphas: 30 });
      expect(rowsRead).toEqual([12, 3, 12]);
      const expected = await direct(design, targets.values, 30, true);
      expect(worst(weights.values, expected.weights)).toBeLessThan(1e-10);
    });
  });

  it('reads blocks into memory that has come back from the device', async () => {
    const design = randomDesign(12, 3, 20);
    const columns = 6 * TARGET_BLOCK;
    const targets = randomTargets(12, columns);
    let made = 0;
    const source: MatrixSource = {
      ...targets.source,
      async read(rows, from, to, signal, into) {
        if (!into) made++;
        return targets.source.read(rows, from, to, signal, into);
      },
    };
    const sink = memorySink(3, columns);
    await withRidge(design, { precision: 'f32' }, (ridge) =>
      ridge.predict({ ...targets, source }, sink, { alphas: 5 }),
    );
    // One is read while another one is computed, and a third may be on its way back.
    expect(made).toBeLessThanOrEqual(3);
    const wide = Float64Array.from(targets.values);
    const doubles = matrixInMemory({ data: wide, shape: [12, columns] });
    const from: MatrixSource = {
      ...doubles,
      async read(rows, first, to, signal, into) {
        if (!into) made++;
        return doubles.read(rows, first, to, signal, into);
      },
    };
    made = 0;
    const rows = Int32Array.from({ length: 12 }, (_, i) => i);
    const rounded = memorySink(3, columns);
    await withRidge(design, { precision: 'f32' }, (ridge) =>
      ridge.predict({ source: from, train: rows }, rounded, { alphas: 5 }),
    );
    // The first are asked for as float32, which the source cannot fill.
    expect(made).toBeLessThanOrEqual(4);
    expect(worst(rounded.values, sink.values)).toBe(0);
  });

  it('gives the same bits under any ceiling, and where it goes on', async () => {
    const design = randomDesign(12, 3, 20);
    const columns = 3 * TARGET_BLOCK + 70;
    const targets = randomTargets(12, columns);
    const alphas = Float64Array.from({ length: columns }, (_, j) => [50, 300][(j >> 3) % 2]!);
    const sizes = { train: 12, test: 3, voxels: 20, targets: columns, alphas: 2, precision: 'f32' } as const;
    const { bytes } = planStreamed(sizes);
    const methods = ['predict', 'dual', 'primal'] as const;
    const run = async (bounded: boolean, from: number) => {
      const reads: number[] = [];
      const counted: DesignTargets = {
        ...targets,
        source: {
          ...targets.source,
          async read(rows, first, to, signal) {
            reads.push(first);
            return targets.source.read(rows, first, to, signal);
          },
          async readBlocks(rows, edges, signal) {
            reads.push(edges[0]!);
            return readBlocks(targets.source, rows, edges, signal);
          },
        },
      };
      const sinks = [
        memorySink(3, columns),
        memorySink(12, columns),
        memorySink(design.voxels, columns),
      ] as const;
      const writes: number[] = [];
      const watched = (sink: MemorySink): StreamedSink => ({
        async write(first, to, values) {
          writes.push(first, to);
          await sink.write(first, to, values);
        },
      });
      for (const [i, method] of methods.entries()) {
        const memory = bounded ? Math.max(bytes.gram, bytes.factor, bytes[method]) : undefined;
        await withRidge(design, { alpha: 50, precision: 'f32', memory }, (ridge) =>
          ridge[method](counted, watched(sinks[i]!), { alphas, from }),
        );
      }
      return { values: sinks.map(({ values }) => values), reads, writes };
    };
    const wide = await run(false, 0);
    const narrow = await run(true, 0);
    for (const [i, values] of wide.values.entries()) expect(worst(values, narrow.values[i]!)).toBe(0);
    // Blocks that are written are the same, those that are read are not.
    expect(wide.writes).toEqual(narrow.writes);
    expect(wide.reads.length).toBeLessThan(narrow.reads.length);
    const edges = [0, 1, 2, 3].map((block) => block * TARGET_BLOCK);
    expect(narrow.writes.slice(0, 8)).toEqual(
      edges.flatMap((from) => [from, Math.min(columns, from + TARGET_BLOCK)]),
    );

    // From the middle of the third block: it is written again as a whole, the first two are left alone.
    const resumed = await run(false, 2 * TARGET_BLOCK + 5);
    for (const [i, values] of resumed.values.entries()) {
      const rows = values.length / columns;
      for (let row = 0; row < rows; row++) {
        const [start, middle] = [row * columns, row * columns + 2 * TARGET_BLOCK];
        expect(values.subarray(start, middle).every((value) => value === 0)).toBe(true);
        const same = wide.values[i]!.subarray(middle, start + columns);
        expect(worst(values.subarray(middle, start + columns), same)).toBe(0);
      }
    }
  });

  it.each(['dual', 'primal'] as const)('chooses penalties as fitRidge does, %s', async (form) => {
    const [train, voxels] = form === 'dual' ? [18, 30] : [30, 7];
    const design = randomDesign(train, 2, voxels);
    const targets = randomTargets(train, 6);
    const grid = [1, 10, 100];
    const folds = kFolds(train, { folds: 3 });
    for (const [score, perTarget, intercept] of [
      ['r2', true, true],
      ['correlation', false, false],
    ] as const) {
      const x = backend.tensor(Float64Array.from(design.rows.subarray(0, train * voxels)), [train, voxels]);
      const { selection: expected } = await fitRidge(
        x,
        targetsInMemory(Float64Array.from(targets.values), train),
        {
          grid,
          folds,
          score,
          perTarget,
          intercept,
          precision: 'f64',
        },
      );
      x.dispose();
      await withRidge(design, { alpha: { grid, folds, score, perTarget }, intercept }, async (ridge) => {
        const selection = await ridge.choose(targets);
        expect(worst(selection.table, expected!.table)).toBeLessThan(1e-10);
        expect(selection.alphas).toEqual(expected!.alphas);
      });
    }
  });

  it('predicts targets in memory, and gives the matrix that does', async () => {
    const design = randomDesign(15, 4, 40);
    const targets = randomTargets(15, 9);
    const expected = await direct(design, targets.values, 20, true);
    await withRidge(design, {}, async (ridge) => {
      expect(worst(await ridge.predictRows(targets.values, 20), expected.predictions)).toBeLessThan(1e-10);
      const hat = await ridge.hat(20);
      const [centred] = await backend.compute(() => {
        const y = backend.tensor(Float64Array.from(targets.values), [15, 9]);
        return [gemm(hat, sub(y, columnStats(y).mean), { transA: true })];
      });
      const means = expected.targetMean;
      const predictions = Float64Array.from(centred, (value, i) => value + means[i % 9]!);
      expect(worst(predictions, expected.predictions)).toBeLessThan(1e-10);
    });
  });

  it.each(['dual', 'primal'] as const)(
    'tells mean and spread of targets and of what it fits, %s',
    async (form) => {
      const [train, voxels] = form === 'dual' ? [15, 40] : [40, 12];
      const design = randomDesign(train, 3, voxels);
      const targets = randomTargets(train, 5);
      // Predictions of the training rows by a design whose test rows are its training rows.
      const again: Design = {
        ...design,
        test: train,
        async read(from, to) {
          const { train: rows } = await design.read(from, to);
          return { train: rows, test: rows.slice() };
        },
      };
      const fitted = await withRidge(again, {}, (ridge) => ridge.predictRows(targets.values, 20));
      const wanted = { target: moments(targets.values, 5), prediction: moments(fitted, 5) };
      await withRidge(design, {}, async (ridge) => {
        for (const method of [
          'predict',
          'primal',
          ...(form === 'dual' ? (['dual'] as const) : []),
        ] as const) {
          const seen: BlockStatistics[] = [];
          const sink: StreamedSink = {
            write: async (_from, _to, _values, statistics) => void seen.push(statistics),
          };
          await ridge[method](targets, sink, { alphas: 20, trainingStatistics: true });
          const { targetMean, targetStd, predictionMean, predictionStd } = seen[0]!;
          expect(worst(targetMean, wanted.target.mean)).toBeLessThan(1e-12);
          expect(worst(targetStd, wanted.target.std)).toBeLessThan(1e-12);
          expect(worst(predictionMean!, wanted.prediction.mean)).toBeLessThan(1e-10);
          expect(worst(predictionStd!, wanted.prediction.std)).toBeLessThan(1e-10);
        }
      });
    },
  );
});

/** Mean and standard deviation (divisor n) of each column. */
function moments(values: ArrayLike<number>, columns: number) {
  const rows = values.length / columns;
  const mean = new Float64Array(columns);
  const std = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) mean[i % columns]! += values[i]! / rows;
  for (let i = 0; i < values.length; i++) std[i % columns]! += (values[i]! - mean[i % columns]!) ** 2 / rows;
  return { mean, std: std.map(Math.sqrt) };
}
