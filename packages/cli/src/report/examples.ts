import { createRandom } from '@fmri2image/core';

/** Percentiles of the score whose trials are shown. */
export const PERCENTILES = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100] as const;
/** Trials of the random grid, at most. */
export const RANDOM_TRIALS = 12;

/** A scored trial that is shown; `place` is its place among the scored ones. */
export interface Example {
  readonly place: number;
  /** Of the score, where it was chosen by it. */
  readonly percentile?: number;
}

/**
 * Trials at fixed percentiles of their score: of n trials in ascending order (equal ones in the order of the study),
 * percentile q is number round(q / 100 (n - 1)), counted from 0. Nobody chooses.
 */
export function atPercentiles(scores: readonly number[]): Example[] {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const examples = PERCENTILES.map((percentile) => ({
    percentile,
    place: order[Math.round((percentile / 100) * (order.length - 1))]!,
  }));
  return examples.filter(({ place }, i) => examples.findIndex((other) => other.place === place) === i);
}

/** Trials drawn at random, without replacement, in the order of the study. */
export function atRandom(count: number, seed: number): Example[] {
  const all = Array.from({ length: count }, (_, i) => i);
  const drawn = createRandom(seed).shuffle(all).slice(0, RANDOM_TRIALS);
  return drawn.sort((a, b) => a - b).map((place) => ({ place }));
}
