import { F2iError } from '../../error.ts';
import type { HeadRenormalisation } from '../../recipes/recipe.ts';
import { renormalise } from '../ridge/renormalise.ts';
import type { HeadStatistics, StatisticName } from './model.ts';

/** How raw predictions of some targets become what is written. */
export interface FinishOptions {
  readonly renormalise: HeadRenormalisation;
  /** Of these targets, [targets] each. */
  readonly statistics: Pick<HeadStatistics, Exclude<StatisticName, 'alpha'>>;
  /** Rows that are averaged into one, in the order of the result; each row by itself when absent. */
  readonly groups?: readonly (readonly number[])[] | undefined;
}

/**
 * Averages predictions of repeats, and gives them the mean and spread of the training targets where that is asked for. The
 * same arithmetic serves predictions through the hat matrix and those of a bundle.
 *
 * @param raw [rows, targets] with the mean of the targets, where there is an intercept
 * @returns [groups or rows, targets]
 */
export function finishPredictions(
  raw: Float32Array | Float64Array,
  rows: number,
  { renormalise: by, statistics, groups }: FinishOptions,
): Float32Array {
  const width = raw.length / rows;
  const averaged = groups ? averageRows(raw, width, groups) : raw;
  if (by === 'none') return Float32Array.from(averaged);
  const targets = { mean: statistics.target_mean, std: statistics.target_std };
  const predictions = { data: averaged, shape: [averaged.length / width, width] };
  const own = { mean: statistics.prediction_mean, std: statistics.prediction_std };
  if (by === 'stored-training' && own.mean.some(Number.isNaN)) {
    throw new F2iError('INVALID_ARGUMENT', 'statistics of training predictions were not computed', {
      field: 'renormalise',
      expected: 'a fit that computes them',
      found: by,
    });
  }
  const options = by === 'stored-training' ? { by, targets, predictions: own } : { by, targets };
  return Float32Array.from(renormalise(predictions, options).rows.data);
}

/** Means of rows in float64: [groups, width]. */
function averageRows(
  rows: Float32Array | Float64Array,
  width: number,
  groups: readonly (readonly number[])[],
): Float64Array {
  const means = new Float64Array(groups.length * width);
  for (const [g, group] of groups.entries()) {
    for (const row of group) {
      for (let i = 0; i < width; i++) means[g * width + i]! += rows[row * width + i]! / group.length;
    }
  }
  return means;
}
