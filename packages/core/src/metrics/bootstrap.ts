import { F2iError } from '../error.ts';
import { createRandom } from '../random.ts';
import { mean } from './pairing.ts';

export interface BootstrapOptions {
  /** Coverage, .95 by default. */
  level?: number | undefined;
  resamples?: number | undefined;
  /**
   * Successive trials that are drawn together; 1 by default. Scores of a continuous stimulus are correlated in time:
   * single draws would give intervals that are too narrow (Politis and Romano 1992, circular block bootstrap).
   */
  block?: number | undefined;
  /**
   * Stimulus of each score: all scores of one are drawn together, for presentations of the same picture succeed and fail
   * together. Instead of `block`.
   */
  together?: ArrayLike<number | string> | undefined;
  seed?: number | undefined;
}

/**
 * Percentile bootstrap interval of the mean of per-trial scores, over trials, blocks of trials or stimuli (the cluster
 * bootstrap: Field and Welsh 2007, J. R. Stat. Soc. B 69:369).
 *
 * @throws INVALID_ARGUMENT for a block or a number of resamples that is no whole number above 0, or a level out of (0, 1)
 */
export function bootstrapInterval(
  scores: ArrayLike<number>,
  { level = 0.95, resamples = 2000, block = 1, together, seed = 0 }: BootstrapOptions = {},
): [low: number, high: number] {
  checkCount('block', block);
  checkCount('resamples', resamples);
  if (!(level > 0 && level < 1)) throw invalid('level', 'between 0 and 1', `${level}`);
  const n = scores.length;
  const random = createRandom(seed);
  const means = new Float64Array(resamples);
  if (together) {
    if (block !== 1) throw invalid('block', '1, where scores are drawn by stimulus', `${block}`);
    const clusters = clustersOf(scores, together);
    for (let r = 0; r < resamples; r++) {
      let [sum, count] = [0, 0];
      for (let k = 0; k < clusters.length; k++) {
        const drawn = clusters[random.integer(clusters.length)]!;
        sum += drawn.sum;
        count += drawn.count;
      }
      means[r] = sum / count;
    }
    return interval(means, level);
  }
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let drawn = 0; drawn < n; ) {
      const start = random.integer(n);
      for (let k = 0; k < block && drawn < n; k++, drawn++) sum += scores[(start + k) % n]!;
    }
    means[r] = sum / n;
  }
  return interval(means, level);
}

function interval(means: Float64Array, level: number): [low: number, high: number] {
  means.sort();
  const tail = (1 - level) / 2;
  return [quantile(means, tail), quantile(means, 1 - tail)];
}

/** Sum and number of the scores of each stimulus. */
function clustersOf(scores: ArrayLike<number>, together: ArrayLike<number | string>) {
  if (together.length !== scores.length) {
    throw invalid('together', `one stimulus for each of ${scores.length} scores`, `${together.length}`);
  }
  const clusters = new Map<number | string, { sum: number; count: number }>();
  for (let i = 0; i < scores.length; i++) {
    const cluster = clusters.get(together[i]!) ?? { sum: 0, count: 0 };
    cluster.sum += scores[i]!;
    cluster.count++;
    clusters.set(together[i]!, cluster);
  }
  return [...clusters.values()];
}

function checkCount(field: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 1))
    throw invalid(field, 'a whole number, 1 or more', `${value}`);
}

function invalid(field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'not an option of a bootstrap', { field, expected, found });
}

/** Quantile of ascending values, linearly interpolated (type 7, as numpy). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const position = q * (sorted.length - 1);
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!);
}

/** Standard error of a mean of independent scores. */
export function standardError(scores: ArrayLike<number>): number {
  const centre = mean(scores);
  let squares = 0;
  for (let i = 0; i < scores.length; i++) squares += (scores[i]! - centre) ** 2;
  return Math.sqrt(squares / (scores.length - 1) / scores.length);
}
