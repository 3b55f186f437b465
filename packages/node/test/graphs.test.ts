// Work that is recorded once and launched often, on the processor and on the shim of the CUDA kernels; beside what holds on
// every backend (conformance/graphs.ts).
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  drawPrior,
  loadNetwork,
  type ModelSizes,
  matchWeights,
  mindeyePrior,
  Prior,
  priorActivations,
  type ResidentNetwork,
  type SamplePriorOptions,
  type SamplingStep,
} from '@fmri2image/core';
import { formatReport, randomModel, runConformance } from '@fmri2image/core/conformance';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  CpuBackend,
  CudaBackend,
  createRandom,
  F2iError,
  gemm,
  type OpOptions,
  softmax,
  type Tensor,
} from '../src/index.ts';
import { CpuRecorder, DryRecorder } from '../src/recorder.ts';
import { errorOf } from './kept.ts';
import { buildShim, withShim } from './shim.ts';

let library: string;
beforeAll(() => {
  library = buildShim();
}, 600_000);

const devices = {
  cpu: (options: { graphs?: boolean; memoryLimit?: number } = {}) =>
    new CpuBackend({ threads: 2, graphs: true, ...options }),
  cuda: (options: { graphs?: boolean; memoryLimit?: number } = {}) =>
    new CudaBackend({ library, graphs: true, ...options }),
};

/** A prior of two layers with random weights. */
const SIZES = {
  extents: new Map(
    Object.entries({
      ...{ tokens: 3, clip: 12, heads: 2, headDim: 6, rotary: 2, inner: 20, timeInner: 14, buckets: 8 },
    }),
  ),
  counts: new Map([['layer', 2]]),
  groups: new Set<string>(),
};

async function randomPrior(backend: Backend, sizes: ModelSizes): Promise<ResidentNetwork> {
  const source = randomModel(mindeyePrior, sizes);
  return loadNetwork(source, matchWeights(source, mindeyePrior), backend, {});
}

async function smallPrior(backend: Backend): Promise<{ prior: Prior; brain: Tensor; dispose: () => void }> {
  const network = await randomPrior(backend, SIZES);
  const prior = await Prior.open(network);
  const brain = backend.tensor(Float32Array.from(createRandom(5).normals(2 * 36)), [2, 3, 12]);
  const dispose = () => {
    for (const each of [brain, prior, network]) each.dispose();
  };
  return { prior, brain, dispose };
}

describe.each(['cpu', 'cuda'] as const)('graphs on %s', (device) => {
  it('keep the contract', async () => {
    const backend = devices[device]();
    const report = await runConformance(backend, { filter: /graph/ });
    await backend.dispose();
    if (report.failed > 0) expect.fail(formatReport(report));
    expect(report.passed).toBeGreaterThan(9);
  });

  it('run their body once, and without graphs at every launch', async () => {
    for (const [graphs, expected] of [
      [true, 1],
      [false, 4],
    ] as const) {
      const backend = devices[device]({ graphs });
      let calls = 0;
      const graph = backend.graph(([x], options) => {
        calls++;
        return [add(x!, 1, options)];
      });
      const found = [1, 2, 3, 4].map((x) => graph.launch([backend.tensor([x], [1])])[0]!.download());
      expect((await Promise.all(found)).map(([y]) => y)).toEqual([2, 3, 4, 5]);
      expect(calls).toBe(expected);
      await backend.dispose();
    }
  });

  it('that do not fit under the ceiling fail as ops do, and leave the backend as it was', async () => {
    const backend = devices[device]({ memoryLimit: 2 ** 20 });
    const x = backend.tensor(new Float32Array(512).fill(1), [512, 1]);
    await backend.sync();
    const { liveBytes } = backend.stats();
    let rows = 512;
    const body = ([a]: readonly Tensor[], options: OpOptions) => {
      const some = a!.rows(0, rows);
      const square = (function whereItWasCalled() {
        return gemm(some, some, { transB: true, ...options });
      })();
      return [add(square.rows(0, 1), 1, options), add(some, 1, options)];
    };
    const large = backend.graph(body); // 1 MiB beside what there is
    for (const turn of [1, 2]) {
      const [sums, plus] = large.launch([x]);
      const error = await errorOf(sums!.download());
      expect(error, `launch ${turn}`).toMatchObject({ code: 'OUT_OF_MEMORY', op: 'gemm', backend: device });
      expect(error.place).toMatch(/whereItWasCalled/);
      expect((await plus!.download()).every((value) => value === 2)).toBe(true);
      await errorOf(backend.sync());
      for (const tensor of [sums!, plus!]) tensor.dispose();
    }
    large.dispose();
    rows = 64;
    const small = backend.graph(body);
    for (const result of small.launch([x])) {
      expect((await result.download()).every((value) => value === 2)).toBe(true);
      result.dispose();
    }
    small.dispose();
    await backend.sync();
    expect(backend.stats()).toMatchObject({ liveTensors: 1, liveBytes });
    await backend.dispose();
  });

  it('end with their backend, in whatever order', async () => {
    const backend = devices[device]();
    const x = backend.tensor(new Float32Array(64 * 64).fill(1 / 64), [64, 64]);
    const graph = backend.graph(([a]) => [gemm(a!, a!)]);
    let y = x;
    for (let i = 0; i < 50; i++) [y] = graph.launch([y]) as [Tensor];
    const code = y.download().then(
      () => 'DISPOSED', // it was quicker
      (error: F2iError) => error.code,
    );
    await backend.dispose();
    expect(await code).toBe('DISPOSED');
    graph.dispose();
    expect(() => graph.launch([x])).toThrow(/after dispose/);
    // A context that is closed while a body runs.
    const another = devices[device]();
    let closed: Promise<void> | undefined;
    const broken = another.graph(([a]) => {
      const b = add(a!, 1);
      closed = another.dispose();
      return [b];
    });
    expect(() => broken.launch([another.tensor([1], [1])])).toThrow(F2iError);
    await closed;
  });
});

it('a GPU that is lost during a launch is told as such', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'f2i-graphs-'));
  // A library of its own: a fault ends a process's use of the device.
  const own = join(folder, 'libf2i_cuda_faulty.so');
  copyFileSync(library, own);
  await withShim({ FAULT: 'softmax' }, async () => {
    const backend = new CudaBackend({ library: own });
    const graph = backend.graph(([x]) => [softmax(x!)]);
    const [y] = graph.launch([backend.tensor([1, 2, 3], [1, 3])]);
    expect(await errorOf(y!.download())).toMatchObject({ code: 'DEVICE_LOST', backend: 'cuda' });
    expect((await backend.lost).code).toBe('DEVICE_LOST');
    const [later] = graph.launch([backend.tensor([1, 2, 3], [1, 3])]);
    expect((await errorOf(later!.download())).code).toBe('DEVICE_LOST');
    graph.dispose();
    await backend.dispose();
  });
  rmSync(folder, { recursive: true });
});

describe.each(['cpu', 'cuda'] as const)('the sampler of the prior on %s', (device) => {
  let plain: Backend;
  let recorded: Backend;
  let models: Awaited<ReturnType<typeof smallPrior>>[];
  let empty: ReturnType<Backend['stats']>;
  let held: ReturnType<Backend['stats']>;
  beforeAll(async () => {
    [plain, recorded] = [devices[device]({ graphs: false }), devices[device]()];
    await recorded.sync();
    empty = recorded.stats();
    models = [await smallPrior(plain), await smallPrior(recorded)];
    await recorded.sync();
    held = recorded.stats();
  });
  afterAll(async () => {
    for (const { dispose } of models) dispose();
    await recorded.sync();
    expect(recorded.stats()).toMatchObject({ liveTensors: 0, liveBytes: empty.liveBytes });
    await plain.dispose();
    await recorded.dispose();
  });

  async function sample(
    { prior, brain }: (typeof models)[number],
    options: SamplePriorOptions & { onStep?: (step: SamplingStep) => void } = {},
  ): Promise<Float32Array> {
    const drawn = await drawPrior(prior, brain, { timesteps: 5, seed: 42, ...options });
    const values = (await drawn.download()) as Float32Array;
    drawn.dispose();
    return values;
  }

  async function expectNothingLeft(): Promise<void> {
    await recorded.sync().catch(() => {});
    expect(recorded.stats()).toMatchObject({ liveTensors: held.liveTensors, liveBytes: held.liveBytes });
  }

  it.each<[string, SamplePriorOptions]>([
    ['DDIM', { timesteps: 20 }],
    ['several samples of each item, other items', { samples: 2, items: [3, 8] }],
    ['guidance, whose second evaluation is part of the graph', { guidance: 1.7 }],
    ['one evaluation', { timesteps: 2 }],
  ])('gives the same bytes with a graph: %s', async (_, options) => {
    const wanted = await sample(models[0]!, options);
    const found = await sample(models[1]!, options);
    expect(found.every(Number.isFinite)).toBe(true);
    expect(new Set(found).size).toBeGreaterThan(found.length / 2);
    expect(new Uint8Array(found.buffer)).toEqual(new Uint8Array(wanted.buffer));
    await expectNothingLeft();
  });

  it('ends with CANCELLED on an abort, and what follows is as if nothing had been', async () => {
    const wanted = await sample(models[0]!);
    for (const at of [1, 3]) {
      const controller = new AbortController();
      const onStep = ({ done }: SamplingStep) => done === at && controller.abort(new Error('enough'));
      const aborted = sample(models[1]!, { signal: controller.signal, onStep });
      expect(await errorOf(aborted)).toMatchObject({ code: 'CANCELLED' });
      await expectNothingLeft();
    }
    const controller = new AbortController();
    const aborted = sample(models[1]!, { signal: controller.signal });
    queueMicrotask(() => controller.abort(new Error('at once')));
    expect(await errorOf(aborted)).toMatchObject({ code: 'CANCELLED' });
    await expectNothingLeft();
    expect(await sample(models[1]!)).toEqual(wanted);
  });

  it('frees everything where a step is not taken well', async () => {
    const onStep = ({ done }: SamplingStep) => {
      if (done === 2) throw new Error('enough');
    };
    await expect(sample(models[1]!, { onStep })).rejects.toThrow('enough');
    await expectNothingLeft();
  });
});

it.each([true, false])('a sample takes no more memory than is told, graphs: %s', async (graphs) => {
  const extents = new Map(
    Object.entries({
      ...{
        tokens: 64,
        clip: 256,
        heads: 8,
        headDim: 32,
        rotary: 16,
        inner: 1024,
        timeInner: 512,
        buckets: 32,
      },
    }),
  );
  const backend = new CpuBackend({ threads: 2, graphs });
  const network = await randomPrior(backend, { ...SIZES, extents, counts: new Map([['layer', 3]]) });
  await backend.sync();
  const { liveBytes } = backend.stats();
  const prior = await Prior.open(network);
  const brain = backend.zeros([1, 64, 256]);
  await drawPrior(prior, brain, { timesteps: 3 });
  const taken = backend.stats().peakBytes - liveBytes;
  const told = 4 * priorActivations(extents);
  expect(taken).toBeLessThan(told);
  expect(taken).toBeGreaterThan(told / 3);
  await backend.dispose();
});

it.each([
  ['a recorder that computes', () => new CpuRecorder({ graphs: true } as object)],
  ['one that does not', () => new DryRecorder()],
])('%s notes the ops of every launch', async (_, open) => {
  const work = async (byGraph: boolean) => {
    const recorder = open();
    const body = (x: Tensor) => [add(gemm(x, x), 1)];
    const graph = recorder.graph(([x]) => body(x!));
    recorder.script.begin('op/graph');
    for (const turn of [1, 2, 3]) {
      const x = recorder.tensor([turn, 0, 0, turn], [2, 2]);
      const [y] = byGraph ? graph.launch([x]) : recorder.scope(() => body(x));
      await y!.download();
    }
    recorder.script.end();
    await recorder.dispose();
    return recorder.script.text();
  };
  const script = await work(true);
  expect(script.match(/^call gemm /gm)).toHaveLength(3);
  expect(script.match(/^call elementwise /gm)).toHaveLength(3);
  expect(script).toBe(await work(false));
});
