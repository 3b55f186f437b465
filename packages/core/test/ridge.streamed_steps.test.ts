import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  type Design,
  type DesignTargets,
  kFolds,
  matrixInMemory,
  memorySink,
  type OpSpec,
  openStreamedRidge,
  planStreamed,
  type StreamedProgress,
  type StreamedRidgeOptions,
  targetBlock,
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

const open = (design: Design, options: Partial<StreamedRidgeOptions> = {}) =>
  openStreamedRidge(design, { backend, alpha: 5, intercept: true, precision: 'f32', ...options });

/** A few strong directions, and voxels that only the penalty holds: condition number about `strength`². */
function illConditioned(strength: number): Design {
  const [train, test, voxels] = [24, 6, 30];
  const random = createRandom(4);
  const rows = Float32Array.from(
    { length: (train + test) * voxels },
    (_, i) => random.normal() * (i % voxels < 4 ? strength / 5 : 0.02),
  );
  const part = (first: number, count: number, from: number, to: number) =>
    Float32Array.from({ length: count * (to - from) }, (_, i) => {
      const [row, column] = [Math.floor(i / (to - from)), i % (to - from)];
      return rows[(first + row) * voxels + from + column]!;
    });
  return {
    train,
    test,
    voxels,
    read: async (from, to) => ({ train: part(0, train, from, to), test: part(train, test, from, to) }),
    ledger: [],
  };
}

describe('precision of a streamed ridge', () => {
  const targets = randomTargets(24, 7);
  const solve = async (design: Design, precision: StreamedRidgeOptions['precision']) => {
    const ridge = await open(design, { alpha: 1, precision });
    const sinks = [memorySink(24, 7, 'f64'), memorySink(6, 7, 'f64')] as const;
    await ridge.dual(targets, sinks[0], { alphas: 1 });
    await ridge.predict(targets, sinks[1], { alphas: 1 });
    ridge.dispose();
    return { dual: sinks[0].values, predictions: sinks[1].values, numerics: ridge.numerics, ridge };
  };

  // Tensors of the reference keep float64: what float32 alone loses shows on the CPU (packages/node/test).
  it('refines solutions to what float32 can store, and says how', async () => {
    const exact = await solve(illConditioned(600), 'f64');
    const refined = await solve(illConditioned(600), 'refined');
    const scale = Math.max(...exact.dual.map(Math.abs));
    expect(worst(refined.dual, exact.dual) / scale).toBeLessThan(2 ** -23);
    expect(refined.numerics.conditionBound).toBeGreaterThan(1e5);
    expect(refined.numerics.reason).toMatch(
      /as asked; condition number up to \d\.\de\+5; float32 factors, .*\d corrections/,
    );
    expect(refined.ridge.warnings).toEqual([]);
    expect((await solve(illConditioned(600), 'f32')).ridge.warnings[0]).toMatch(
      /float32 although ill-conditioned/,
    );
  });

  it('takes the cheapest that the condition number allows', async () => {
    const chosen = async (strength: number) => {
      const ridge = await open(illConditioned(strength), { alpha: 1, precision: 'auto' });
      ridge.dispose();
      return ridge.numerics;
    };
    expect((await chosen(10)).precision).toBe('f32');
    expect((await chosen(600)).precision).toBe('refined');
    const last = await chosen(60_000);
    expect(last.precision).toBe('f64');
    expect(last.reason).toMatch(
      /condition number up to \d\.\de\+9; float64, as refinement .* does not converge/,
    );
  });

  it('goes over to float64 where refinement does not converge', async () => {
    const refined = await solve(illConditioned(60_000), 'refined');
    const exact = await solve(illConditioned(60_000), 'f64');
    expect(refined.numerics.precision).toBe('f64');
    expect(refined.dual).toEqual(exact.dual);
  });

  it('stays in float32 on a device without float64, and says so', async () => {
    const supports = backend.supports.bind(backend);
    vi.spyOn(backend, 'supports').mockImplementation((op, inputs, attributes) =>
      inputs.some((input) => input?.dtype === 'f64') ? 'no float64' : supports(op, inputs, attributes),
    );
    const ridge = await open(illConditioned(600), { alpha: 1, precision: 'auto' });
    expect(ridge.numerics.precision).toBe('f32');
    expect(ridge.numerics.reason).toMatch(/reference has no float64/);
    expect(ridge.warnings[0]).toMatch(/float32 although ill-conditioned/);
    ridge.dispose();
    await expect(open(illConditioned(600), { precision: 'refined' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    vi.restoreAllMocks();
  });
});

describe('the work of a streamed ridge', () => {
  it.each([
    ['dual', 15, 40, 'f32'],
    ['primal', 40, 12, 'f32'],
    ['dual', 15, 40, 'refined'],
  ] as const)('is counted: %s, %i x %i, %s', async (form, train, voxels, precision) => {
    // What the ops themselves say that they do, products with one column (means, power iterations) left out.
    let executed = 0;
    const enqueue = backend.enqueue.bind(backend);
    vi.spyOn(backend, 'enqueue').mockImplementation((op, inputs, attributes, ...rest) => {
      const heavy = ['gemm', 'gram', 'cholesky_factor', 'cholesky_solve'].includes(op.name);
      const thin = op.name === 'gemm' && inputs.slice(0, 2).some((input) => input!.shape.includes(1));
      if (heavy && !thin)
        executed += (op as OpSpec).flops(
          inputs.map((input) => input!),
          attributes,
        );
      return enqueue(op, inputs, attributes, ...rest);
    });
    const [test, t] = [4, 9];
    const seen: StreamedProgress[] = [];
    const ridge = await open(randomDesign(train, test, voxels), {
      precision,
      onProgress: (p) => seen.push(p),
    });
    const targets = randomTargets(train, t);
    const folds = kFolds(train, { folds: 3 });
    if (precision === 'f32') {
      await ridge.choose(targets, { grid: [5, 50], folds, score: 'correlation', perTarget: true });
    }
    await ridge.predict(targets, memorySink(test, t), { alphas: 5 });
    if (form === 'dual') await ridge.dual(targets, memorySink(train, t), { alphas: 5 });
    await ridge.primal(targets, memorySink(voxels, t), { alphas: 5 });
    vi.restoreAllMocks();
    expect(ridge.work.flops).toBe(executed);
    expect(seen.at(-1)).toMatchObject({ phase: 'primal', done: t, total: t, flops: executed });
    expect(ridge.work.fileSeconds).toBeGreaterThan(0);
    ridge.dispose();
  });

  it('of predictions grows with targets by the small matrix alone', async () => {
    const ridge = await open(randomDesign(15, 4, 40));
    await ridge.predict(randomTargets(15, 3), memorySink(4, 3), { alphas: 5 });
    const before = ridge.work.flops;
    await ridge.predict(randomTargets(15, 100), memorySink(4, 100), { alphas: 5 });
    expect(ridge.work.flops - before).toBe(2 * 15 * 4 * 100);
    ridge.dispose();
  });
});

describe('the plan of a streamed ridge', () => {
  const published = {
    train: 8859,
    test: 982,
    voxels: 15724,
    targets: 197_376,
    precision: 'f32',
    memory: 3e9,
  } as const;

  it('holds the published problem of Brain-Diffuser under 3 GB, in float64, too', () => {
    const plan = planStreamed(published, ['gram', 'factor', 'predict', 'dual']);
    expect(plan.form).toBe('dual');
    expect(plan.readAtOnce.predict).toBeGreaterThan(1);
    expect(plan.bytes.gram).toBeGreaterThan(3 * 8859 ** 2 * 4);
    expect(() => planStreamed({ ...published, precision: 'f64' })).not.toThrow();
    expect(() => planStreamed({ ...published, precision: 'refined' })).not.toThrow();
  });

  it('refuses what cannot fit, with both numbers and a remedy', async () => {
    expect(() => planStreamed({ ...published, train: 25_000, form: 'dual' })).toThrow(
      expect.objectContaining({
        code: 'OUT_OF_MEMORY',
        message: expect.stringMatching(
          /less takes fewer training rows.*expected at most 3\.00 GB, found \d\.\d\d GB for the equations of 25000 training rows x 15724 voxels/,
        ),
      }),
    );
    let read = 0;
    const design = randomDesign(12, 3, 20);
    const counted: Design = {
      ...design,
      read(from, to) {
        read++;
        return design.read(from, to);
      },
    };
    await expect(open(counted, { memory: 1e8 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      field: 'memory',
    });
    expect(read).toBe(0);
  });

  it('asks for less where targets share a penalty', () => {
    const many = { ...published, precision: 'f64', alphas: 10 } as const;
    expect(() => planStreamed(many, ['dual'])).toThrow(/less takes float32, one penalty for all targets/);
    expect(() => planStreamed({ ...many, precision: 'f32', alphas: 1 }, ['dual'])).not.toThrow();
  });
});

describe('a streamed ridge that fails', () => {
  const [train, test, columns] = [12, 3, 2 * TARGET_BLOCK + 10];

  /** A design, targets and a sink that call `event` before each read and write. */
  function watched(voxels: number, event: (name: string) => void) {
    const design = randomDesign(train, test, voxels);
    const targets = randomTargets(train, columns);
    const source: DesignTargets['source'] = {
      ...targets.source,
      async read(rows, from, to, signal) {
        event('targets');
        return targets.source.read(rows, from, to, signal);
      },
    };
    const sink = (rows: number) => {
      const inner = memorySink(rows, columns);
      return {
        async write(from: number, to: number, values: Float32Array | Float64Array) {
          event('write');
          await inner.write(from, to, values);
        },
      };
    };
    return {
      design: {
        ...design,
        async read(from: number, to: number) {
          event('design');
          return design.read(from, to);
        },
      },
      targets: { ...targets, source },
      sink,
    };
  }

  it.each(['dual', 'refined'] as const)('because it is cancelled leaves nothing behind, %s', async (kind) => {
    const precision = kind === 'refined' ? 'refined' : 'f32';
    const run = async (abortAt: number) => {
      const controller = new AbortController();
      let events = 0;
      const parts = watched(20, () => {
        if (++events === abortAt) controller.abort();
      });
      const folds = kFolds(train, { folds: 2 });
      const ridge = await open(parts.design, { precision, signal: controller.signal });
      try {
        await ridge.choose(parts.targets, { grid: [5, 50], folds, score: 'r2', perTarget: false });
        await ridge.predict(parts.targets, parts.sink(test), { alphas: 5 });
        await ridge.dual(parts.targets, parts.sink(train), { alphas: 50 });
        await ridge.primal(parts.targets, parts.sink(20), { alphas: 5 });
      } finally {
        ridge.dispose();
        expect(backend.stats().liveTensors).toBe(0);
      }
      return events;
    };
    const events = await run(0);
    expect(events).toBeGreaterThan(15);
    for (let at = 1; at < events; at += kind === 'dual' ? 2 : 5) {
      await expect(run(at), `event ${at}`).rejects.toMatchObject({ code: 'CANCELLED' });
    }
  });

  it('because a file fails passes the error on', async () => {
    for (const [name, count] of [
      ['design', 2],
      ['targets', 2],
      ['write', 2],
    ] as const) {
      let seen = 0;
      const parts = watched(VOXEL_BLOCK + 10, (event) => {
        if (event === name && ++seen === count) throw new Error(`the ${name} failed`);
      });
      const work = async () => {
        const ridge = await open(parts.design);
        try {
          await ridge.predict(parts.targets, parts.sink(test), { alphas: 5 });
        } finally {
          ridge.dispose();
        }
      };
      await expect(work()).rejects.toThrow(`the ${name} failed`);
    }
  });

  it('names voxels and targets that hold NaN', async () => {
    const voxels = VOXEL_BLOCK + 10;
    const design = randomDesign(train, test, voxels);
    const spoilt = (row: 'train' | 'test', voxel: number): Design => ({
      ...design,
      async read(from, to) {
        const block = await design.read(from, to);
        if (voxel >= from && voxel < to) block[row][to - from + (voxel - from)] = Number.NaN;
        return block;
      },
    });
    await expect(open(spoilt('train', VOXEL_BLOCK + 3))).rejects.toThrow(
      /voxels: training rows of voxels hold NaN.*found voxel 2051/,
    );
    await expect(open(spoilt('test', 7))).rejects.toThrow(/test rows of voxels hold NaN.*found voxel 7$/);

    const { values, train: rows } = randomTargets(train, columns);
    const ridge = await open(design);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const data = values.slice();
      data[4 * columns + TARGET_BLOCK + 6] = bad;
      const source = matrixInMemory({ data, shape: [train, columns] }, 'clip.npy');
      const failing = ridge.predict({ source, train: rows }, memorySink(test, columns), { alphas: 5 });
      await expect(failing).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        file: 'clip.npy',
        field: `row 4, column ${TARGET_BLOCK + 6}`,
        found: `${bad}`,
      });
    }
    ridge.dispose();
  });

  it('says what does not fit together', async () => {
    const design = randomDesign(15, 0, 8);
    const ridge = await open(design);
    const targets = randomTargets(15, 4);
    const sink = memorySink(15, 4);
    const rejects = (work: Promise<unknown>, text: RegExp) => expect(work).rejects.toThrow(text);
    await rejects(ridge.predict(targets, sink, { alphas: 5 }), /predictions need test rows/);
    await rejects(
      ridge.dual(targets, sink, { alphas: 5 }),
      /form: weights of trials come from dual equations/,
    );
    await rejects(ridge.primal(targets, sink, { alphas: 4 }), /alpha: .*expected at least 5, found 4/);
    await rejects(
      ridge.primal(targets, sink, { alphas: new Float64Array(3) }),
      /alphas: .*expected 4, found 3/,
    );
    await rejects(ridge.primal(targets, sink, { alphas: 5, from: 5 }), /from: .*expected 0 to 4, found 5/);
    await rejects(
      ridge.primal({ ...targets, train: new Int32Array(3) }, sink, { alphas: 5 }),
      /expected 15 rows, found 3/,
    );
    await rejects(ridge.choose(targets), /no penalties to choose from/);
    ridge.dispose();
    await rejects(ridge.primal(targets, sink, { alphas: 5 }), /after dispose/);
    await rejects(open(design, { alpha: -1 }), /alpha: penalties are not negative/);
    await rejects(open(design, { alpha: [] }), /alpha: penalties are not negative/);
    await rejects(
      open({ ...design, read: async () => ({ train: new Float32Array(3), test: new Float32Array(0) }) }),
      /design: .*expected 15 x 8 values, found 3/,
    );
  });
});
