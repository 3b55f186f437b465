import type { FittedStep, SawTest } from '../../bundle/contents.ts';
import { F2iError } from '../../error.ts';
import { type Rows, rowExtents } from '../../rows.ts';

/** Mean and standard deviation (divisor n) of each value of a row. */
export interface RowStatistics {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

/**
 * Where the mean and the spread come from that predictions are freed of:
 * - stored-training: predictions of training trials, stored with the decoder. A single trial can be decoded
 * - test-predictions: the very predictions that are renormalised. Transductive: what is decoded from a trial depends on
 *   the other trials of the test set
 */
export const RENORMALISATIONS = ['stored-training', 'test-predictions'] as const;

export type RenormaliseOptions = {
  /** Statistics of the training targets, which the result takes on. */
  targets: RowStatistics;
} & (
  | {
      by: 'stored-training';
      /** Statistics of the predictions of training trials. */
      predictions: RowStatistics;
      /** Runs of those trials, for the ledger. */
      runs?: readonly string[] | undefined;
      /** Were test trials among them? `unknown` when absent. */
      sawTest?: SawTest | undefined;
    }
  | {
      by: 'test-predictions';
      /** Runs of the test trials, for the ledger. */
      runs?: readonly string[] | undefined;
    }
);

/** Statistics of each value over rows [n, ...], in float64; a spread of exactly 0 where all rows are equal. */
export function rowStatistics(rows: Rows, field = 'rows'): RowStatistics {
  const [n, width] = rowExtents(rows, field);
  const { data } = rows;
  const mean = new Float64Array(width);
  const std = new Float64Array(width);
  const first = Float64Array.from(data.subarray(0, width));
  // Around the first row, so that equal rows leave no rounding.
  for (let i = 0; i < data.length; i++) mean[i % width]! += (data[i]! - first[i % width]!) / n;
  for (let i = 0; i < data.length; i++) {
    const column = i % width;
    std[column]! += (data[i]! - first[column]! - mean[column]!) ** 2 / n;
  }
  for (let column = 0; column < width; column++) {
    mean[column]! += first[column]!;
    std[column] = Math.sqrt(std[column]!);
  }
  return { mean, std };
}

/**
 * Gives predictions the mean and spread of the training targets: ridge shrinks both, and generators expect targets as
 * they were. (prediction - mean) / std of the predictions, times std plus mean of the targets, for each value of a row;
 * a value whose predictions do not vary becomes the targets' mean. Brain-Diffuser (Ozcelik and VanRullen 2023, Scientific
 * Reports 13:15666) does it by `test-predictions`; a decoder that works trial by trial needs `stored-training`.
 *
 * @param predictions [m, ...]
 * @returns the same rows renormalised, in the same type, and the step to write in the ledger
 * @throws INVALID_ARGUMENT for statistics of another size, NaN, or fewer than two rows by `test-predictions`
 */
export function renormalise(
  predictions: Rows,
  options: RenormaliseOptions,
): { rows: Rows; step: FittedStep } {
  const [m, width] = rowExtents(predictions, 'predictions');
  const { by, targets } = options;
  if (!RENORMALISATIONS.includes(by)) {
    throw invalid('by', 'unknown renormalisation', RENORMALISATIONS.join(', '), String(by));
  }
  if (by === 'test-predictions' && m < 2) {
    throw invalid('predictions', 'their own spread needs trials to compare', 'two trials or more', `${m}`);
  }
  const own = by === 'stored-training' ? options.predictions : rowStatistics(predictions, 'predictions');
  checkStatistics('targets', targets, width);
  checkStatistics('predictions', own, width);
  const { data, shape } = predictions;
  const renormalised = data.slice();
  for (let i = 0; i < data.length; i++) {
    const column = i % width;
    const spread = own.std[column]!;
    const z = spread > 0 ? (data[i]! - own.mean[column]!) / spread : 0;
    renormalised[i] = z * targets.std[column]! + targets.mean[column]!;
  }
  return { rows: { data: renormalised, shape }, step: ledgerStep(options) };
}

function ledgerStep(options: RenormaliseOptions): FittedStep {
  const step = 'mean and standard deviation of predictions';
  const runs = options.runs ?? [];
  return options.by === 'stored-training'
    ? { step, runs, sawTest: options.sawTest ?? 'unknown', note: 'stored with the decoder' }
    : {
        step,
        runs,
        sawTest: 'yes',
        note: 'transductive: taken from the predictions of the test trials themselves (no stimuli, no targets)',
      };
}

function checkStatistics(field: string, statistics: RowStatistics | undefined, width: number): void {
  for (const part of ['mean', 'std'] as const) {
    const values = statistics?.[part];
    if (values?.length !== width) {
      const found = `${values?.length ?? 'none'}`;
      throw invalid(`${field}.${part}`, 'one value for each of a prediction', `${width}`, found);
    }
    const bad = values.findIndex((value) => !Number.isFinite(value) || (part === 'std' && value < 0));
    if (bad >= 0) {
      const expected = part === 'std' ? 'finite values, 0 or more' : 'finite values';
      throw invalid(`${field}.${part}`, 'not statistics', expected, `${values[bad]} at ${bad}`);
    }
  }
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
