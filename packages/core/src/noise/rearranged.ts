import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { allColumns, type TargetSource } from '../decoders/ridge/targets.ts';
import { foldGram } from '../interpret/foldGram.ts';
import { type NestedFold, type PenaltyOptions, predictHeldOut } from '../interpret/heldOut.ts';
import type { Rows } from '../rows.ts';

/** How held-out rows are predicted. */
interface PredictOptions extends PenaltyOptions {
  backend: Backend;
  standardize?: boolean | undefined;
  precision: Precision;
  signal?: AbortSignal | undefined;
}

/**
 * Held-out predictions for several orders of the labels, [orders, rows, targets]: row i of each is of the label i.
 */
export async function predictOrders(
  voxels: TargetSource,
  targets: Rows,
  folds: readonly NestedFold[],
  orders: readonly Int32Array[],
  options: PredictOptions,
): Promise<Float32Array> {
  const rows = voxels.trials;
  const width = targets.data.length / rows;
  const predictions = new Float32Array(orders.length * rows * width);
  for (const fold of folds) {
    const equations = await foldGram(voxels, allColumns(voxels.count), fold, options);
    try {
      const rearranged = rearrangedTargets(targets, width, fold.train, orders);
      await predictHeldOut(equations, rearranged, fold, options, {
        sets: orders.length,
        signal: options.signal,
        place: (columns, values) => {
          for (let i = 0; i < fold.test.length; i++) {
            for (let j = 0; j < columns.length; j++) {
              const set = Math.floor(columns[j]! / width);
              const label = orders[set]![fold.test[i]!]!;
              predictions[(set * rows + label) * width + (columns[j]! % width)] =
                values[i * columns.length + j]!;
            }
          }
        },
      });
    } finally {
      equations.matrix.dispose();
      equations.cross.dispose();
    }
  }
  return predictions;
}

/** Targets of the training rows in every order: one set of columns after the other. */
function rearrangedTargets(
  { data }: Rows,
  width: number,
  train: ArrayLike<number>,
  orders: readonly Int32Array[],
): TargetSource {
  return {
    trials: train.length,
    count: orders.length * width,
    async read(columns, signal) {
      const breathe = pacer(signal, 'rearranging targets');
      const block =
        data instanceof Float64Array
          ? new Float64Array(train.length * columns.length)
          : new Float32Array(train.length * columns.length);
      for (let i = 0; i < train.length; i++) {
        for (let j = 0; j < columns.length; j++) {
          const label = orders[Math.floor(columns[j]! / width)]![train[i]!]!;
          block[i * columns.length + j] = data[label * width + (columns[j]! % width)]!;
        }
        await breathe();
      }
      return block;
    },
  };
}
