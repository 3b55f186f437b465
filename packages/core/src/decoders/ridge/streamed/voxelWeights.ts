import type { Values } from '../../../data/matrix/matrix.ts';
import type { DType, HostArray } from '../../../dtype.ts';
import { throwIfAborted } from '../../../error.ts';
import type { Tensor } from '../../../tensor.ts';
import { moveTo } from '../matrices.ts';
import type { Context } from './context.ts';
import { forEachBlock } from './designBlocks.ts';
import { quiet } from './tally.ts';
import {
  type BlockResult,
  blockStart,
  edgesFrom,
  enqueueBlock,
  type TargetsOnDevice,
} from './targetBlocks.ts';
import type { BlockStatistics, Design, DesignTargets, Streamed, StreamedSink } from './types.ts';

export interface VoxelWeightsPass {
  /** Type of the computation, and of the weights that are written. */
  readonly dtype: DType;
  readonly output: DType;
  readonly from: number;
  /** Blocks of targets whose weights are held at once. */
  readonly atOnce: number;
  /** [to - from, voxels] for the sink, instead of [voxels, to - from]. */
  readonly byTarget: boolean;
  /** Takes `BlockResult.beside`. */
  readonly beside?: StreamedSink | undefined;
  /** Weights of trials [train, to - from]. */
  compute(block: TargetsOnDevice): BlockResult;
}

/** A block of targets while the design is read. */
interface Held {
  readonly from: number;
  readonly to: number;
  /** Of trials. */
  readonly weights: Tensor;
  readonly beside: Promise<HostArray> | undefined;
  readonly statistics: BlockStatistics;
}

/**
 * Weights of voxels W = Xᵀ C of dual equations: those of trials C of several blocks of targets stay on the device, and the
 * design is read once for all of them.
 */
export async function streamVoxelWeights(
  context: Context,
  design: Design,
  targets: DesignTargets,
  sink: StreamedSink,
  pass: VoxelWeightsPass,
): Promise<Streamed> {
  const { backend, options, signal, tally, ops } = context;
  const { source, train } = targets;
  const { columns } = source;
  const targetMean = new Float64Array(columns).fill(Number.NaN);
  for (let from = blockStart(pass.from, columns, train.length, source.name); from < columns; ) {
    throwIfAborted(signal, 'the ridge');
    const edges = edgesFrom(from, columns, train.length, pass.atOnce);
    const held: Held[] = [];
    try {
      for (let i = 0; i + 1 < edges.length; i++) {
        const [start, end] = [edges[i]!, edges[i + 1]!];
        const values = await tally.files(() => source.read(train, start, end, signal));
        const block = enqueueBlock(
          context,
          targets,
          [start, end],
          () => moveTo(backend, values, [train.length, end - start], pass.dtype, options),
          (on) => {
            const { values: weights, fitted, beside } = pass.compute(on);
            return { result: { weights, beside: beside && quiet(beside.download()) }, fitted };
          },
        );
        const { weights, beside } = block.result;
        try {
          const statistics = await tally.busy(block.statistics);
          held.push({ from: start, to: end, weights, beside, statistics });
        } catch (error) {
          weights.dispose();
          throw error;
        }
      }
      const weights = held.map(({ from: first, to }) =>
        emptyWeights(pass.output, design.voxels * (to - first)),
      );
      await forEachBlock(design, pass.dtype, context, {
        test: false,
        progress: false,
        use: ({ from: voxel, train: x }) => ({
          voxel,
          products: held.map(({ weights: c }) => {
            const [rows, columns] = pass.byTarget ? [c, x] : [x, c];
            return quiet(ops.gemm(rows, columns, { transA: true }).download());
          }),
        }),
        keep: async ({ voxel, products }) => {
          for (const [i, { from: first, to }] of held.entries()) {
            const product = (await products[i]!) as HostArray;
            if (!pass.byTarget) weights[i]!.set(product, voxel * (to - first));
            else setColumns(weights[i]!, design.voxels, voxel, product, to - first);
          }
        },
      });
      for (const [i, block] of held.entries()) {
        throwIfAborted(signal, 'the ridge');
        const predictions = await block.beside;
        await tally.files(async () => {
          if (predictions)
            await pass.beside!.write(block.from, block.to, predictions as Values, block.statistics);
          await sink.write(block.from, block.to, weights[i]!, block.statistics);
        });
        if (context.intercept) targetMean.set(block.statistics.targetMean, block.from);
        else targetMean.fill(0, block.from, block.to);
        context.report('primal', block.to, columns);
      }
    } finally {
      for (const { weights } of held) weights.dispose();
    }
    from = edges.at(-1)!;
  }
  return { targetMean };
}

/** Columns of a matrix, from one on: `block` has as many rows. */
function setColumns(values: Values, columns: number, from: number, block: HostArray, rows: number): void {
  const width = block.length / rows;
  for (let row = 0; row < rows; row++) {
    values.set(block.subarray(row * width, (row + 1) * width), row * columns + from);
  }
}

function emptyWeights(dtype: DType, length: number): Values {
  return dtype === 'f64' ? new Float64Array(length) : new Float32Array(length);
}
