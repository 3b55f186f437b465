import type { BundleTensor } from '../bundle/contents.ts';
import type { Json } from '../data/json.ts';
import { designTensor, type HeadStatistics, headTensor, STATISTICS } from '../decoders/heads/model.ts';
import type { ChosenAlphas, HeadSpec, HeadStore } from './store.ts';

/** A store for what fits in memory. */
export interface MemoryHeadStore extends HeadStore {
  /** Weights, or the training rows of designs, as a bundle names them. */
  readonly matrices: readonly Omit<BundleTensor, 'meaning'>[];
  /** Predictions of a head, [rows, targets]. */
  predictions(head: string): Float32Array;
  statistics(head: string): HeadStatistics;
}

/** A store in memory: nothing of it outlives the process. */
export function memoryHeadStore(): MemoryHeadStore {
  const matrices: {
    name: string;
    dtype: 'f32' | 'f64';
    shape: number[];
    data: Float32Array | Float64Array;
  }[] = [];
  const predictions = new Map<string, Float32Array>();
  const statistics = new Map<string, HeadStatistics>();
  const chosen = new Map<string, ChosenAlphas>();
  const notes = new Map<number, Json>();
  const done = new Map<string, number>();
  const matrix = (name: string, dtype: 'f32' | 'f64', rows: number, columns: number) => {
    const data = dtype === 'f64' ? new Float64Array(rows * columns) : new Float32Array(rows * columns);
    matrices.push({ name, dtype, shape: [rows, columns], data });
    return data;
  };
  return {
    matrices: matrices as MemoryHeadStore['matrices'],
    predictions: (head) => predictions.get(head)!,
    statistics: (head) => statistics.get(head)!,
    note: (design) => notes.get(design),
    async keepNote(design, note) {
      notes.set(design, note);
    },
    chosen: async (head) => chosen.get(head),
    async keepChosen(head, alphas) {
      chosen.set(head, alphas);
    },
    isDone: (head) => done.has(head) && done.get(head)! >= (statistics.get(head)?.alpha.length ?? 0),
    async head({ name, targets, weights, predictions: predicted }: HeadSpec) {
      const about = Object.fromEntries(
        STATISTICS.map((part) => [part, new Float64Array(targets)]),
      ) as unknown as HeadStatistics;
      statistics.set(name, about);
      const all = weights && matrix(headTensor(name, 'weights'), weights.dtype, targets, weights.inputs);
      const rows = predicted && new Float32Array(predicted.rows * targets);
      if (rows) predictions.set(name, rows);
      return {
        done: 0,
        async write(from, to, values, block) {
          all?.set(values.weights!, from * weights!.inputs);
          for (let row = 0; row < (predicted?.rows ?? 0); row++) {
            const own = values.predictions!.subarray(row * (to - from), (row + 1) * (to - from));
            rows!.set(own, row * targets + from);
          }
          for (const part of STATISTICS) about[part].set(block[part], from);
          done.set(name, to);
        },
      };
    },
    async training(design, voxels, rows) {
      const data = matrix(designTensor(design, 'training_voxels'), 'f32', voxels, rows);
      return {
        done: 0,
        async write(from, _to, values) {
          data.set(values, from * rows);
        },
      };
    },
  };
}
