import type { Values } from '../../../data/matrix/matrix.ts';
import type { DType, HostArray } from '../../../dtype.ts';
import { F2iError, throwIfAborted } from '../../../error.ts';
import { columnStats, sub } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import type { TargetSource } from '../targets.ts';
import type { Context } from './context.ts';
import { targetBlock } from './plan.ts';
import { blockReader } from './staging.ts';
import { quiet } from './tally.ts';
import type { BlockStatistics, DesignTargets, Streamed, StreamedPhase, StreamedSink } from './types.ts';

/** A block of targets on the device. */
export interface TargetsOnDevice {
  readonly from: number;
  readonly to: number;
  /** [train, to - from], centred if there is an intercept. */
  readonly y: Tensor;
  /** What was subtracted, [to - from]; undefined without an intercept. */
  readonly mean: Tensor | undefined;
}

/** What is enqueued for a block. */
export interface BlockResult {
  /** [rows, to - from] */
  readonly values: Tensor;
  /** Predictions of the training rows [train, to - from], where their statistics are wanted. */
  readonly fitted?: Tensor | undefined;
  /** What the sink beside takes, [rows, to - from]. */
  readonly beside?: Tensor | undefined;
}

export interface TargetPass {
  readonly phase: StreamedPhase;
  /** Type of the computation. */
  readonly dtype: DType;
  /** First column; rounded down to the boundary of a block. */
  readonly from: number;
  /** Blocks that are read at once. */
  readonly readAtOnce: number;
  /** Takes `BlockResult.beside`. */
  readonly beside?: StreamedSink | undefined;
  /** Enqueues the work on a block; tensors made inside are freed unless they are returned. */
  compute(block: TargetsOnDevice): BlockResult;
}

/** @throws INVALID_ARGUMENT for targets that do not belong to the design */
export function checkTargets({ source, train }: DesignTargets, rows: number): void {
  if (train.length !== rows) {
    throw new F2iError('INVALID_ARGUMENT', 'each training row of the design needs its row of the targets', {
      file: source.name,
      field: 'targets.train',
      expected: `${rows} rows`,
      found: `${train.length}`,
    });
  }
}

/** First column of the block that holds a column, of a design with so many training rows. */
export function blockStart(from: number, columns: number, train: number, file: string): number {
  if (Number.isInteger(from) && from >= 0 && from <= columns) {
    return from === columns ? columns : from - (from % targetBlock(train));
  }
  throw new F2iError('INVALID_ARGUMENT', 'not a column to go on from', {
    file,
    field: 'from',
    expected: `0 to ${columns}`,
    found: `${from}`,
  });
}

/** Edges of neighbouring blocks, `atOnce` of them at most. */
export function edgesFrom(start: number, columns: number, train: number, atOnce: number): number[] {
  const edges = [start];
  for (let i = 0; i < atOnce && edges.at(-1)! < columns; i++) {
    edges.push(Math.min(columns, edges.at(-1)! + targetBlock(train)));
  }
  return edges;
}

/**
 * Centres values of targets on the device, and enqueues what `compute` does with them. Tensors that it makes are freed, but
 * for those in `result`.
 *
 * @param upload the values there, [train, to - from] in the type of the computation
 */
export function enqueueBlock<T>(
  { backend, intercept, options, signal }: Context,
  targets: DesignTargets,
  [from, to]: readonly [number, number],
  upload: () => Tensor,
  compute: (block: TargetsOnDevice) => { result: T; fitted?: Tensor | undefined },
): { result: T; statistics: Promise<BlockStatistics> } {
  const moments = (x: Tensor) => {
    const { mean, std } = columnStats(x, options);
    return { mean, known: quiet(Promise.all([mean.download(), std.download()])) };
  };
  const [result, known, knownFitted] = backend.scope(() => {
    const raw = upload();
    const { mean, known } = moments(raw);
    const y = intercept ? sub(raw, mean, options) : raw;
    // Early: the queue frees it before the block is solved.
    if (intercept) raw.dispose();
    const { result, fitted } = compute({ from, to, y, mean: intercept ? mean : undefined });
    return [result, known, fitted && moments(fitted).known];
  });
  const statistics = async (): Promise<BlockStatistics> => {
    const [[mean, std], fitted] = await Promise.all([known, knownFitted]);
    await checkFinite(targets, from, mean, signal);
    return {
      targetMean: Float64Array.from(mean),
      targetStd: Float64Array.from(std),
      // Where centred targets are predicted, their means come on top.
      predictionMean:
        fitted && Float64Array.from(fitted[0], (value, j) => value + (intercept ? mean[j]! : 0)),
      predictionStd: fitted && Float64Array.from(fitted[1]),
    };
  };
  return { result, statistics: quiet(statistics()) };
}

/**
 * Streams targets through the device: while one set of blocks is computed, the one before is written and the next one is
 * read. Blocks are computed and written one by one, by ascending columns, however many are read at once.
 */
export async function streamTargets(
  context: Context,
  targets: DesignTargets,
  sink: StreamedSink,
  pass: TargetPass,
): Promise<Streamed> {
  const { signal, tally } = context;
  const { source, train } = targets;
  const { columns } = source;
  const targetMean = new Float64Array(columns).fill(Number.NaN);
  const start = blockStart(pass.from, columns, train.length, source.name);
  // Only where rows lie far apart in a file: in memory each block comes when it is needed, while it is in the cache.
  const readAtOnce = source.readBlocks === undefined ? 1 : pass.readAtOnce;
  const reader = blockReader(source, readAtOnce, context);

  interface Enqueued {
    readonly from: number;
    readonly to: number;
    readonly values: Promise<HostArray>;
    readonly beside: Promise<HostArray> | undefined;
    readonly statistics: Promise<BlockStatistics>;
  }
  // Arrays that the sinks are done with: as many as blocks are computed meanwhile.
  const spare = { values: [] as HostArray[], beside: [] as HostArray[] };
  const enqueue = (block: unknown, from: number, to: number): Enqueued => {
    const { result, statistics } = enqueueBlock(
      context,
      targets,
      [from, to],
      () => reader.upload(block, [train.length, to - from], pass.dtype),
      (on) => {
        const { values, fitted, beside } = pass.compute(on);
        const downloads = {
          values: quiet(values.download(spare.values.pop())),
          beside: beside && quiet(beside.download(spare.beside.pop())),
        };
        return { result: downloads, fitted };
      },
    );
    const { values, beside } = result;
    tally.busy(quiet(Promise.all([values, beside, statistics])));
    return { from, to, values, beside, statistics };
  };
  const finish = async (block: Enqueued): Promise<void> => {
    const { from, to } = block;
    throwIfAborted(signal, 'the ridge');
    const [values, beside, statistics] = await Promise.all([block.values, block.beside, block.statistics]);
    await tally.files(async () => {
      if (beside) await pass.beside!.write(from, to, beside as Values, statistics);
      await sink.write(from, to, values as Values, statistics);
    });
    spare.values.push(values);
    if (beside) spare.beside.push(beside);
    if (context.intercept) targetMean.set(statistics.targetMean, from);
    else targetMean.fill(0, from, to);
    context.report(pass.phase, to, columns);
  };

  let computing: Enqueued[] = [];
  try {
    for (let from = start; from < columns; ) {
      throwIfAborted(signal, 'the ridge');
      const edges = edgesFrom(from, columns, train.length, readAtOnce);
      const blocks = await tally.files(() => reader.read(train, edges));
      const next = blocks.map((block, i) => enqueue(block, edges[i]!, edges[i + 1]!));
      const previous = computing;
      computing = [...previous, ...next];
      for (const block of previous) {
        await finish(block);
        computing.shift();
      }
      from = edges.at(-1)!;
    }
    while (computing.length > 0) {
      await finish(computing[0]!);
      computing.shift();
    }
  } finally {
    reader.dispose();
    // What is still queued must not outlive the call.
    await Promise.allSettled(
      computing.flatMap(({ values, beside, statistics }) => [values, beside, statistics]),
    );
  }
  return { targetMean };
}

/** Means tell of NaN and infinity; the value itself is looked up only then. */
async function checkFinite(
  { source, train }: DesignTargets,
  from: number,
  means: ArrayLike<number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let j = 0; j < means.length; j++) {
    if (Number.isFinite(means[j])) continue;
    const column = from + j;
    const values = await source.read(train, column, column + 1, signal);
    const bad = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
    throw new F2iError('INVALID_ARGUMENT', 'targets hold NaN or infinity', {
      file: source.name,
      field: bad < 0 ? `column ${column}` : `row ${train[bad]}, column ${column}`,
      expected: 'finite values of float32 size',
      found: bad < 0 ? 'a sum beyond float32' : `${values[bad]}`,
    });
  }
}

/** Targets of a design as the cross-validation reads them. */
export function targetSource({ source, train }: DesignTargets, { tally }: Context): TargetSource {
  return {
    trials: train.length,
    count: source.columns,
    async read(columns, signal) {
      const [first, last] = [columns[0]!, columns.at(-1)!];
      const range = last - first + 1 === columns.length;
      if (range) return tally.files(() => source.read(train, first, last + 1, signal));
      const width = columns.length;
      const from = columns.reduce((least, column) => Math.min(least, column), first);
      const to = columns.reduce((most, column) => Math.max(most, column), first) + 1;
      const all = await tally.files(() => source.read(train, from, to, signal));
      const picked = new (all.constructor as Float32ArrayConstructor)(train.length * width);
      for (let row = 0; row < train.length; row++) {
        for (let j = 0; j < width; j++)
          picked[row * width + j] = all[row * (to - from) + columns[j]! - from]!;
      }
      return picked;
    },
  };
}
