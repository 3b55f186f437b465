/** Order statistics of a list of seconds. Medians, not means: machines are noisy, and only in one direction. */
export interface Timing {
  readonly samples: number;
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  /** Interquartile range over the median, in percent. */
  readonly noisePercent: number;
}

export function timing(seconds: readonly number[]): Timing {
  const sorted = seconds.toSorted((a, b) => a - b);
  const p50 = quantile(sorted, 0.5);
  return {
    samples: sorted.length,
    min: sorted[0] ?? Number.NaN,
    p50,
    p95: quantile(sorted, 0.95),
    noisePercent: (100 * (quantile(sorted, 0.75) - quantile(sorted, 0.25))) / p50,
  };
}

/** Linear interpolation between order statistics, as numpy's default. */
export function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}
