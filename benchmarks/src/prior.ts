import os from 'node:os';
import {
  type Attributes,
  type Backend,
  bytesPerElement,
  loadNetwork,
  matchWeights,
  mindeyePrior,
  type OpSpec,
  Prior,
  type PriorCondition,
  randomNormal,
  sizeOf,
  type Tensor,
  type TensorSpec,
} from '@fmri2image/core';
import { MINDEYE2_PUBLISHED, randomModel } from '@fmri2image/core/conformance';
import { CpuBackend } from '@fmri2image/node';
import { floorOf, type Limits } from './limits.ts';
import { type Cell, markdownTable } from './markdown.ts';
import type { Peer } from './peers.ts';
import { type Timing, timing } from './statistics.ts';

/** Types of weights that are measured. */
export const PRIOR_WEIGHTS = ['bf16', 'f32'] as const;
type Weights = (typeof PRIOR_WEIGHTS)[number];

/** Ops of an evaluation that are one kind at one shape, each run by itself. */
export interface PriorStage {
  readonly op: string;
  readonly output: readonly number[];
  readonly calls: number;
  /** Of all calls. */
  readonly seconds: number;
  readonly gflop: number;
  readonly floorSeconds: number | undefined;
}

/** One evaluation of the prior at its published size with random weights. */
export interface PriorRow {
  readonly model: 'mindeye2 prior';
  readonly values: 'random';
  readonly weights: Weights;
  readonly threads: number;
  readonly device: string;
  readonly warm: Timing;
  /** Executed, without the rows of the last layer that nobody reads. */
  readonly gflop: number;
  /** Of its linear layers and attention, by themselves in this run: what share of their speed the evaluation keeps. */
  readonly productGflops: number;
  readonly shareOfProductsPercent: number;
  readonly floorSeconds: number | undefined;
  readonly stages: readonly PriorStage[];
  readonly peer: { readonly version: string; readonly warm: Timing } | undefined;
  /** The peer's median over ours; above 1 we are faster. */
  readonly ratio: number | undefined;
  readonly date: string;
}

export interface PriorBenchOptions {
  readonly weights: readonly Weights[];
  readonly threads: number;
  readonly samples: number;
  readonly limits: Limits | undefined;
  readonly peer: Peer | undefined;
  readonly note: (line: string) => void;
}

/**
 * Ours with weights in bf16 and f32 and the whole evaluation in PyTorch, in turns; then each op of ours alone. Results are
 * those that the goldens check; here they must be finite.
 */
export async function measurePrior(options: PriorBenchOptions): Promise<PriorRow[]> {
  const { threads, samples, note } = options;
  const backend = new CpuBackend({ threads });
  const { extents, counts } = MINDEYE2_PUBLISHED;
  const of = (symbol: string) => extents.get(symbol)!;
  const peer = (await options.peer?.prepare({
    op: 'prior',
    dtype: 'f32',
    extents: {
      dim: of('clip'),
      depth: counts.get('layer')!,
      heads: of('heads'),
      headDim: of('headDim'),
      tokens: of('tokens'),
    },
    options: {},
    about: '',
  }))
    ? options.peer
    : undefined;
  const ours: Evaluation[] = [];
  for (const weights of options.weights) {
    note(`prior: random weights, ${weights}`);
    ours.push(await Evaluation.open(backend, weights));
  }
  const runners = [
    ...ours.map((one) => ({ run: () => one.run(), seconds: one.seconds })),
    ...(peer ? [{ run: () => peer.run(), seconds: [] as number[] }] : []),
  ];
  for (const { run } of runners) await run(); // warm-up
  for (let round = 0; round < samples; round++) {
    for (let i = 0; i < runners.length; i++) {
      const { run, seconds } = runners[(i + round) % runners.length]!;
      seconds.push(await run());
    }
  }
  const theirs = peer && { version: peer.version, warm: timing(runners.at(-1)!.seconds) };
  const rows: PriorRow[] = [];
  for (const one of ours) {
    const stages = await one.stages(options.limits);
    const products = stages.filter(({ op }) => op === 'linear' || op === 'attention');
    const total = (list: readonly PriorStage[], pick: (stage: PriorStage) => number) =>
      list.reduce((sum, stage) => sum + pick(stage), 0);
    const warm = timing(one.seconds);
    const gflop = total(stages, (stage) => stage.gflop);
    const productGflops = total(products, (s) => s.gflop) / total(products, (s) => s.seconds);
    rows.push({
      model: 'mindeye2 prior',
      values: 'random',
      weights: one.weights,
      threads,
      device: `${os.cpus()[0]?.model ?? 'unknown CPU'}; ${backend.info.description}`,
      warm,
      gflop,
      productGflops,
      shareOfProductsPercent: (100 * gflop) / warm.p50 / productGflops,
      floorSeconds: options.limits && total(stages, (stage) => stage.floorSeconds!),
      stages,
      peer: theirs,
      ratio: theirs && theirs.warm.p50 / warm.p50,
      date: new Date().toISOString(),
    });
  }
  await backend.dispose();
  return rows;
}

/** An op as it was enqueued. */
interface Call {
  readonly op: OpSpec;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly TensorSpec[];
}

/** A prior on the device with the operands of one evaluation. */
class Evaluation {
  readonly weights: Weights;
  readonly seconds: number[] = [];
  readonly #backend: Backend;
  readonly #prior: Prior;
  readonly #condition: PriorCondition;
  readonly #image: Tensor;
  readonly #time: Tensor;

  private constructor(backend: Backend, weights: Weights, prior: Prior) {
    const { tokens, dim } = prior;
    const normals = (seed: number) => randomNormal(backend, [1, tokens, dim], { seed });
    this.#backend = backend;
    this.weights = weights;
    this.#prior = prior;
    this.#condition = prior.condition(normals(1));
    this.#image = normals(2);
    this.#time = prior.embedTime([50]);
  }

  static async open(backend: Backend, weights: Weights): Promise<Evaluation> {
    const { extents, counts } = MINDEYE2_PUBLISHED;
    const source = randomModel(mindeyePrior, { extents, counts, groups: new Set() });
    const network = await loadNetwork(source, matchWeights(source, mindeyePrior), backend, {
      precision: weights,
    });
    return new Evaluation(backend, weights, await Prior.open(network));
  }

  #predict(): Tensor {
    return this.#prior.predict(this.#condition, this.#image, this.#time);
  }

  /** Seconds of an evaluation, whose result must be finite. */
  async run(): Promise<number> {
    const start = performance.now();
    const y = this.#predict();
    await this.#backend.sync();
    const seconds = (performance.now() - start) / 1e3;
    const values = (await y.download()) as Float32Array;
    y.dispose();
    if (!values.every(Number.isFinite)) throw new Error('prior: the result is not finite');
    return seconds;
  }

  /** The evaluation op by op, each alone and warm, the fastest of three; those of one shape together. */
  async stages(limits: Limits | undefined): Promise<PriorStage[]> {
    const calls = this.#calls();
    const stages = new Map<string, PriorStage>();
    for (const { op, inputs, attributes, outputs } of calls) {
      // Weights are still there; what the evaluation made on its way is not.
      const operands = inputs.map((tensor) =>
        tensor?.disposed ? randomNormal(this.#backend, tensor.shape, { seed: 3 }) : tensor,
      );
      let fastest = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 3; i++) {
        await this.#backend.sync();
        const start = performance.now();
        const made = this.#backend.enqueue(op, operands, attributes, outputs, undefined, {});
        await this.#backend.sync();
        fastest = Math.min(fastest, (performance.now() - start) / 1e3);
        for (const tensor of made) tensor.dispose();
      }
      for (const [i, operand] of operands.entries()) if (operand !== inputs[i]) operand?.dispose();
      const flops = op.flops(inputs, attributes);
      const bytes = [...inputs, ...outputs].reduce((sum, spec) => sum + (spec ? bytesOf(spec) : 0), 0);
      const key = [op.name, ...inputs.map((spec) => spec?.shape), ...outputs.map(({ shape }) => shape)].join(
        ';',
      );
      const before = stages.get(key);
      const floor = limits && floorOf(limits, 'f32', flops, bytes).seconds;
      stages.set(key, {
        op: op.name,
        output: outputs[0]!.shape,
        calls: (before?.calls ?? 0) + 1,
        seconds: (before?.seconds ?? 0) + fastest,
        gflop: (before?.gflop ?? 0) + flops / 1e9,
        floorSeconds: floor === undefined ? undefined : (before?.floorSeconds ?? 0) + floor,
      });
    }
    return [...stages.values()].toSorted((a, b) => b.seconds - a.seconds);
  }

  /** What one evaluation enqueues. */
  #calls(): Call[] {
    const backend = this.#backend;
    const plain = backend.enqueue.bind(backend);
    const calls: Call[] = [];
    const noting: Backend['enqueue'] = (op, inputs, attributes, outputs, ...rest) => {
      calls.push({ op: op as unknown as OpSpec, inputs, attributes, outputs });
      return plain(op, inputs, attributes, outputs, ...rest);
    };
    backend.enqueue = noting;
    try {
      this.#predict().dispose();
    } finally {
      backend.enqueue = plain;
    }
    return calls;
  }
}

const bytesOf = ({ shape, dtype }: TensorSpec) => sizeOf(shape) * bytesPerElement(dtype);

export function priorTable(rows: readonly PriorRow[]): string {
  const lines = rows.flatMap((row): Cell[][] => {
    const peer = row.peer
      ? [
          [
            row.peer.version,
            'f32',
            row.threads,
            ms(row.peer.warm.p50),
            ms(row.peer.warm.min),
            '',
            '',
            '',
            '',
            '',
          ],
        ]
      : [];
    const rate = (row.gflop / row.warm.p50).toFixed(0);
    const cells = [
      'ours',
      row.weights,
      row.threads,
      ms(row.warm.p50),
      ms(row.warm.min),
      row.gflop.toFixed(1),
      rate,
      `${row.shareOfProductsPercent.toFixed(0)} of ${row.productGflops.toFixed(0)}`,
      row.floorSeconds === undefined ? '' : ms(row.floorSeconds),
      row.ratio?.toFixed(2) ?? '',
    ];
    return [...(row === rows.at(-1) ? peer : []), cells];
  });
  const stages = rows.flatMap((row) =>
    row.stages
      .filter(({ seconds }) => seconds > 5e-4)
      .map((stage): Cell[] => [
        row.weights,
        stage.op,
        stage.output.join(' x '),
        stage.calls,
        ms(stage.seconds),
        stage.floorSeconds === undefined ? '' : ms(stage.floorSeconds),
        (stage.gflop / stage.seconds).toFixed(0),
      ]),
  );
  return [
    "One evaluation of MindEye2's prior at its published size with random weights (one item, 513 tokens of 1664, depth 6).",
    '',
    markdownTable(
      [
        'implementation',
        'weights',
        'threads',
        'warm p50 ms',
        'min ms',
        'GFLOP',
        'GFLOP/s',
        '% of products alone',
        'floor ms',
        'ratio',
      ],
      lines,
    ),
    '',
    markdownTable(['weights', 'op', 'output', 'calls', 'ms', 'floor ms', 'GFLOP/s'], stages),
    '',
    'GFLOP: executed. products: linear layers and attention, each alone and warm in this run. floor: op by op, the slower of',
    "flops over peak and bytes over the bandwidth of a copy. ratio: the median of PyTorch's whole evaluation over ours.",
  ].join('\n');
}

const ms = (seconds: number) => (1e3 * seconds).toFixed(1);
