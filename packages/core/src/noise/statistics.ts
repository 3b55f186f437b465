import type { Rows } from '../rows.ts';
import type { Statistic } from './refitPermutation.ts';

/** Pearson correlation of each target with its predictions over the scored rows; 0 where either does not vary. */
export function targetCorrelations(targets: Rows, scored?: ArrayLike<number>): Statistic {
  const rows = scored ?? Int32Array.from({ length: targets.shape[0]! }, (_, i) => i);
  const width = targets.data.length / targets.shape[0]!;
  const truth = centred(targets, rows, width);
  return (predictions) => {
    const given = centred(predictions, rows, width);
    const sums = new Float64Array(width);
    for (let i = 0; i < truth.values.length; i++) sums[i % width]! += truth.values[i]! * given.values[i]!;
    return sums.map((sum, t) => {
      const scale = truth.norms[t]! * given.norms[t]!;
      return scale > 0 ? sum / scale : 0;
    });
  };
}

/** Mean over targets of `targetCorrelations`. */
export function meanTargetCorrelation(targets: Rows, scored?: ArrayLike<number>): Statistic {
  const each = targetCorrelations(targets, scored);
  return (predictions) => {
    const values = each(predictions) as Float64Array;
    return [values.reduce((sum, value) => sum + value, 0) / values.length];
  };
}

/**
 * Share of the scored rows whose largest prediction is at the largest target: accuracy of decoded labels, whose targets
 * are one-hot. Of equal predictions the first counts.
 */
export function labelAccuracy(targets: Rows, scored?: ArrayLike<number>): Statistic {
  const rows = scored ?? Int32Array.from({ length: targets.shape[0]! }, (_, i) => i);
  const truth = Int32Array.from(rows, (row) => largest(targets, row));
  return (predictions) => {
    let right = 0;
    for (let i = 0; i < rows.length; i++) if (largest(predictions, rows[i]!) === truth[i]) right++;
    return [right / rows.length];
  };
}

/** Column of the largest value of a row. */
function largest({ data, shape }: Rows, row: number): number {
  const width = data.length / shape[0]!;
  let best = 0;
  for (let t = 1; t < width; t++) if (data[row * width + t]! > data[row * width + best]!) best = t;
  return best;
}

function centred({ data }: Rows, rows: ArrayLike<number>, width: number) {
  const means = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) {
    for (let t = 0; t < width; t++) means[t]! += data[rows[i]! * width + t]! / rows.length;
  }
  const values = new Float64Array(rows.length * width);
  const squares = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) {
    for (let t = 0; t < width; t++) {
      const value = data[rows[i]! * width + t]! - means[t]!;
      values[i * width + t] = value;
      squares[t]! += value ** 2;
    }
  }
  return { values, norms: squares.map(Math.sqrt) };
}
