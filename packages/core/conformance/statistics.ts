/** Checks of ops on columns and rows: means, deviations and correlations, whose centring loses digits of its own. */
import type { ColumnStatsAttributes } from '../src/ops/column_stats.ts';
import type { View } from '../src/reference/kernel.ts';
import type { Check } from './suite.ts';
import { compareEntries, compareSums, unitRoundoff, worse } from './tolerance.ts';

/** Relative error of a sum over n terms of mixed signs: see tolerance.ts. */
function typical(x: View): number {
  return unitRoundoff(x.dtype) * (1 + Math.sqrt(x.shape[0]!) / 3);
}

/** Mean magnitude of each column: the scale of the error of its mean. */
function meanMagnitudes(x: View): Float64Array {
  const [n, v] = x.shape as [number, number];
  const sums = new Float64Array(v);
  for (let i = 0; i < n * v; i++) sums[i % v]! += Math.abs(x.data[i]!) / n;
  return sums;
}

/** Population standard deviation of each column, in two passes. */
function deviations(x: View): Float64Array {
  const [n, v] = x.shape as [number, number];
  return Float64Array.from({ length: v }, (_, j) => {
    const column = Float64Array.from({ length: n }, (_, i) => x.data[i * v + j]! - x.data[j]!);
    const mean = column.reduce((sum, value) => sum + value, 0) / n;
    return Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  });
}

/**
 * Of the deviation: rounding of a sum of squares; a mean that is off by d adds d^2 to the variance, so d^2 / std to
 * the deviation; a running mean (Welford's, or of merged blocks) is rounded anew all the way, by u |mean| at random,
 * which moves the deviation by u |mean| / sqrt(n). A constant column must give exactly 0.
 */
export const columnStatistics: Check<ColumnStatsAttributes> = ({ inputs, expected, actual }) => {
  const x = inputs[0]!;
  const scale = meanMagnitudes(x);
  const spread = deviations(x);
  const u = typical(x);
  const means = compareSums('mean', expected[0]!, actual[0]!, scale, x.shape[0]!);
  const stds = compareEntries('std', expected[1]!, actual[1]!, (j) => {
    const std = expected[1]!.data[j]!;
    if (std === 0) return 0;
    return (
      8 * u * std * shiftFactor(x, j) +
      (2 * u * scale[j]!) ** 2 / std +
      (std / spread[j]!) * noise(x, scale[j]!)
    );
  });
  return worse(means, stds);
};

/** What the rounding of a running mean adds to a deviation. */
function noise(x: View, scale: number): number {
  return (8 * unitRoundoff(x.dtype) * scale) / Math.sqrt(x.shape[0]!);
}

/**
 * Sums of squares may be taken in one pass, shifted by a row of the data; that row may lie far out, which costs the
 * square of its distance in deviations. Float32 data leave room to sum in float64, float64 data do not.
 */
function shiftFactor(x: View, j: number): number {
  if (x.dtype !== 'f64') return 1;
  const [n, v] = x.shape as [number, number];
  const column = Float64Array.from({ length: n }, (_, i) => x.data[i * v + j]!);
  const mean = column.reduce((sum, value) => sum + value, 0) / n;
  const squares = column.map((value) => (value - mean) ** 2);
  return 1 + squares.reduce((a, b) => Math.max(a, b)) / (squares.reduce((a, b) => a + b) / n);
}

/** Errors of the two means multiply into the covariance. Exactly 0 where either column is constant. */
export const correlations: Check = ({ inputs, expected, actual }) => {
  const [a, b] = inputs as [View, View];
  const u = typical(a);
  const scales = [a, b].map(meanMagnitudes) as [Float64Array, Float64Array];
  const spread = [a, b].map(deviations) as [Float64Array, Float64Array];
  return compareEntries('r', expected[0]!, actual[0]!, (j) => {
    if (spread[0][j] === 0 || spread[1][j] === 0) return 0;
    const [a1, b1] = [scales[0][j]! / spread[0][j]!, scales[1][j]! / spread[1][j]!];
    const shifts = Math.max(shiftFactor(a, j), shiftFactor(b, j));
    return 8 * u * shifts + (2 * u * a1) ** 2 + (2 * u * b1) ** 2 + noise(a, a1) + noise(b, b1);
  });
};

/** A cosine errs by its dot product and by its two norms. */
export const cosines: Check = ({ inputs, expected, actual }) => {
  const [a, b] = inputs as [View, View];
  const [d] = [a.shape[1]!];
  const u = unitRoundoff(a.dtype) * (1 + Math.sqrt(d) / 3);
  return compareEntries('y', expected[0]!, actual[0]!, (index) => {
    const i = Math.floor(index / b.shape[0]!);
    const j = index % b.shape[0]!;
    let [products, normA, normB] = [0, 0, 0];
    for (let k = 0; k < d; k++) {
      const [p, q] = [a.data[i * d + k]!, b.data[j * d + k]!];
      products += Math.abs(p * q);
      normA += p * p;
      normB += q * q;
    }
    if (normA === 0 || normB === 0) return 0;
    return 8 * u * (products / Math.sqrt(normA * normB) + Math.abs(expected[0]!.data[index]!));
  });
};
