import type { Rows } from '../../rows.ts';
import { invalid } from './fit.ts';

/** How much of a score each band accounts for, [bands][targets]: over bands they sum up to the score of all. */
export interface SplitScores {
  readonly r2: readonly Float64Array[];
  readonly correlation: readonly Float64Array[];
}

/**
 * Splits r2 and correlation of predictions ŷ = Σ_b ŷ_b among bands, by the product measure (Dupré la Tour et al. 2022,
 * NeuroImage 264:119728, section 2.5; himalaya's `r2_score_split` and `correlation_score_split`): with y and all
 * predictions centred,
 *
 * > r2_b = Σ ŷ_b (2 y - ŷ) / Σ y², correlation_b = Σ ŷ_b y / (|ŷ| |y|).
 *
 * A band may have a negative share: it adds what does not fit. Targets without variance, or whose predictions have none,
 * get 0.
 *
 * @param contributions of each band, [n, t]; see `RidgeDecoder.predictBands`
 * @param truth [n, t], of trials that the fit did not see
 * @throws INVALID_ARGUMENT for counts that do not fit
 */
export function splitScores(contributions: readonly ArrayLike<number>[], truth: Rows): SplitScores {
  const n = truth.shape[0]!;
  const t = truth.data.length / n;
  for (const [b, { length }] of contributions.entries()) {
    if (length !== n * t)
      throw invalid(`contributions.${b}`, 'not those of the targets', `${n * t}`, `${length}`);
  }
  const empty = () => contributions.map(() => new Float64Array(t));
  const [r2, correlation] = [empty(), empty()];
  for (let j = 0; j < t; j++) {
    const y = centredColumn(truth.data, n, t, j);
    const parts = contributions.map((values) => centredColumn(values, n, t, j));
    const all = y.map((_, i) => parts.reduce((sum, part) => sum + part[i]!, 0));
    const variance = dot(y, y);
    const norm = Math.sqrt(dot(all, all) * variance);
    const residual = y.map((value, i) => 2 * value - all[i]!);
    for (const [b, part] of parts.entries()) {
      r2[b]![j] = variance > 0 ? dot(part, residual) / variance : 0;
      correlation[b]![j] = norm > 0 ? dot(part, y) / norm : 0;
    }
  }
  return { r2, correlation };
}

function centredColumn(data: ArrayLike<number>, n: number, t: number, j: number): Float64Array {
  const column = Float64Array.from({ length: n }, (_, i) => data[i * t + j]!);
  const mean = column.reduce((sum, value) => sum + value, 0) / n;
  return column.map((value) => value - mean);
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
