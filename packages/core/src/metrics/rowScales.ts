import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import type { ComparedRows, RowValues } from './rowValues.ts';

/** What a row is brought to before products are taken: `pearson` centres it, too. Both divide by its norm. */
export type Similarity = 'pearson' | 'cosine';

/** What brings rows to mean 0 (`pearson`) and length 1: (value - means[row]) * scales[row]. */
export interface RowScales {
  readonly means: Float64Array;
  /** 0 for rows without length. */
  readonly scales: Float64Array;
}

/** Of rows that were compared before: those in files cost two readings. */
const known = new WeakMap<ComparedRows, Map<Similarity, RowScales>>();

/**
 * Means and norms of rows, in two passes over their values: the norm is of centred values.
 *
 * @param window columns that are read at once
 * @throws INVALID_ARGUMENT for NaN and infinity, naming the side, the file and the row
 */
export async function rowScales(
  compared: ComparedRows,
  values: RowValues,
  similarity: Similarity,
  field: string,
  window: number,
  signal: AbortSignal | undefined,
): Promise<RowScales> {
  // Arrays in memory may have been written to meanwhile.
  if (!('source' in compared)) return computed(values, similarity, field, window, signal);
  const before = known.get(compared) ?? new Map<Similarity, RowScales>();
  const scales = before.get(similarity) ?? (await computed(values, similarity, field, window, signal));
  known.set(compared, before.set(similarity, scales));
  return scales;
}

async function computed(
  values: RowValues,
  similarity: Similarity,
  field: string,
  window: number,
  signal: AbortSignal | undefined,
): Promise<RowScales> {
  const { rows, length } = values;
  const sums = new Float64Array(rows);
  const firsts = new Float64Array(rows);
  const constant = new Uint8Array(rows).fill(1);
  await over(
    values,
    window,
    signal,
    (row, data, start, end) => {
      let sum = sums[row]!;
      let same = constant[row] === 1;
      const first = firsts[row]!;
      for (let i = start; i < end; i++) {
        sum += data[i]!;
        same &&= data[i] === first;
      }
      sums[row] = sum;
      constant[row] = same ? 1 : 0;
    },
    firsts,
  );
  const bad = sums.findIndex((sum) => !Number.isFinite(sum));
  if (bad >= 0) {
    throw new F2iError('INVALID_ARGUMENT', 'values are NaN or infinite', { field, ...values.place(bad) });
  }
  const isCentred = similarity === 'pearson';
  const means = sums.map((sum) => (isCentred ? sum / length : 0));
  const squares = new Float64Array(rows);
  await over(values, window, signal, (row, data, start, end) => {
    const mean = means[row]!;
    let sum = squares[row]!;
    for (let i = start; i < end; i++) sum += (data[i]! - mean) ** 2;
    squares[row] = sum;
  });
  const scales = squares.map((sum, row) =>
    sum === 0 || (isCentred && constant[row] === 1) ? 0 : 1 / Math.sqrt(sum),
  );
  return { means, scales };
}

/**
 * Goes over the values of each row, window after window.
 *
 * @param each takes the values of a row that lie in [start, end) of an array
 * @param firsts takes the first value of each row, before `each` sees any
 */
async function over(
  { rows, length, read }: RowValues,
  width: number,
  signal: AbortSignal | undefined,
  each: (row: number, data: Float32Array | Float64Array, start: number, end: number) => void,
  firsts?: Float64Array,
): Promise<void> {
  const breathe = pacer(signal, 'scoring');
  for (let from = 0; from < length; from += width) {
    const to = Math.min(length, from + width);
    const { values, stride, first } = await read(from, to, signal);
    for (let row = 0; row < rows; row++) {
      const start = row * stride - first;
      if (firsts && from === 0) firsts[row] = values[start]!;
      each(row, values, start + from, start + to);
      await breathe();
    }
  }
}
