import { columnStats, neg, type OpOptions, pearsonColumns, squareOf, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { columnMeans } from './matrices.ts';

/**
 * How held-out predictions are scored, per target; higher is better. Definitions of himalaya (Dupré la Tour et al.
 * 2022, NeuroImage 264:119728):
 * - negativeSquaredError: minus the mean over trials of (y - prediction)²
 * - r2: 1 - mean squared error / variance of y; 0 for a target without variance
 * - correlation: Pearson; 0 where either side has no variance
 */
export const ALPHA_SCORES = ['negativeSquaredError', 'r2', 'correlation'] as const;
export type AlphaScore = (typeof ALPHA_SCORES)[number];

/** Scores of many predictions of the same held-out targets y [m, t]. */
export interface Scorer {
  /** On the device: t values for predictions [m, t]. */
  measure(prediction: Tensor): Tensor;
  /** Standard deviation of y [t], for scores that are relative to it. */
  readonly scale: Tensor | undefined;
}

export function createScorer(y: Tensor, score: AlphaScore, options: OpOptions): Scorer {
  if (score === 'correlation') {
    return { measure: (prediction) => pearsonColumns(y, prediction, options), scale: undefined };
  }
  const measure = (prediction: Tensor) =>
    neg(columnMeans(squareOf(sub(y, prediction, options), options), options), options);
  return { measure, scale: score === 'r2' ? columnStats(y, options).std : undefined };
}

/** The score of one target out of what was downloaded. */
export function finishScore(score: AlphaScore, measured: number, scale: number): number {
  if (score !== 'r2') return measured;
  return scale > 0 ? 1 + measured / scale ** 2 : 0;
}
