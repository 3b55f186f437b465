/** Checks of softmax and of attention: sums whose weights are exponentials of sums. */
import { type AttentionAttributes, attentionExtents } from '../src/ops/attention.ts';
import type { SoftmaxAttributes } from '../src/ops/softmax.ts';
import { logitsOf, placeOfQuery, valueRow } from '../src/reference/attention.ts';
import type { View } from '../src/reference/kernel.ts';
import type { Check } from './suite.ts';
import { compareEntries, smallestNormal, unitRoundoff, worse } from './tolerance.ts';

/**
 * An exponential of argument a = x - max may err by 3 + 2 |a| units of the last place in WGSL, and the difference is
 * rounded; the sum of all errs like any sum of one sign. The logarithm of a sum near 1 errs absolutely.
 */
export const probabilities: Check<SoftmaxAttributes> = ({ inputs, attributes, expected, actual }) => {
  const { data, shape, dtype } = inputs[0]!;
  const width = shape.at(-1)!;
  const u = unitRoundoff(dtype);
  const sum = u * (8 + (4 * Math.sqrt(width)) / 3);
  const largest = new Float64Array(data.length / (width || 1)).fill(-Infinity);
  data.forEach((value, i) => {
    const row = Math.floor(i / width);
    largest[row] = Math.max(largest[row]!, value);
  });
  return compareEntries('y', expected[0]!, actual[0]!, (i) => {
    const distance = Math.abs(data[i]! - largest[Math.floor(i / width)]!);
    if (attributes.log) return sum + 4 * u * (distance + Math.abs(expected[0]!.data[i]!));
    return (sum + u * (8 + 6 * distance)) * expected[0]!.data[i]! + smallestNormal(dtype);
  });
};

/**
 * A weight errs relatively by the error of its logit (a sum of d products; with cosines also that of two norms) and
 * of its exponential, and by the same of all weights through their sum; a result by that share of its terms.
 */
export const attentions: Check<AttentionAttributes> = ({ inputs, attributes, expected, actual }) => {
  const extents = attentionExtents(inputs, attributes.layout);
  const { batch, heads, queries, keys, dim, valueDim, nullKeys } = extents;
  const { dtype } = expected[0]!;
  const u = unitRoundoff(dtype);
  const products = u * (1 + Math.sqrt(dim) / 3) * (attributes.cosine ? 12 : 8);
  const sums = u * (8 + (8 * Math.sqrt(keys)) / 3);
  const absolute = inputs.map((view, i) => view && (i < 6 ? magnitudeOf(view) : view));
  const positive = { ...attributes, scale: Math.abs(attributes.scale) };
  const tolerance = new Float64Array(expected[0]!.data.length);
  const lseTolerance = new Float64Array(batch * heads * queries);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const logits = logitsOf(inputs, extents, attributes, b, h, i);
        const magnitudes = logitsOf(absolute, extents, positive, b, h, i);
        const largest = Math.max(...logits);
        if (largest === -Infinity) continue;
        const weights = logits.map((logit) => Math.exp(logit - largest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const errors = weights.map((weight, j) =>
          weight === 0 ? 0 : products * magnitudes[j]! + u * (8 + 6 * (largest - logits[j]!)) + sums,
        );
        const mean = weights.reduce((sum, weight, j) => sum + (weight / total) * errors[j]!, 0);
        const row = placeOfQuery(extents, attributes, b, h, i) * valueDim;
        for (let j = 0; j < keys + nullKeys; j++) {
          const share = (weights[j]! / total) * (errors[j]! + mean);
          if (share === 0) continue;
          const value = valueRow(inputs, extents, attributes, b, h, j);
          for (let c = 0; c < valueDim; c++) tolerance[row + c]! += share * Math.abs(value[c]!);
        }
        lseTolerance[(b * heads + h) * queries + i] = mean + 4 * u * (Math.abs(largest) + Math.log(total));
      }
    }
  }
  const floor = smallestNormal(dtype);
  const y = compareEntries('y', expected[0]!, actual[0]!, (i) => tolerance[i]! + floor);
  if (!expected[1]) return y;
  return worse(
    y,
    compareEntries('lse', expected[1], actual[1]!, (i) => lseTolerance[i]!),
  );
};

/** Magnitudes; what hides a key, -Infinity, stays. */
function magnitudeOf(view: View): View {
  return { ...view, data: view.data.map((value) => (value === -Infinity ? value : Math.abs(value))) };
}
