/** Checks of what networks are made of: sums with a function behind them, activations, norms, rotations. */
import type { ActivationKind, FusedActivation } from '../src/ops/activation.ts';
import type { Attributes } from '../src/ops/op.ts';
import type { Resize2dAttributes } from '../src/ops/resize2d.ts';
import { resizeTaps } from '../src/ops/resize2d_taps.ts';
import { activate } from '../src/reference/activation.ts';
import { referenceKernels } from '../src/reference/index.ts';
import { moments, type View } from '../src/reference/kernel.ts';
import type { Check, Outcome, Verdict } from './suite.ts';
import { compareEntries, compareSums, smallestNormal, unitRoundoff } from './tolerance.ts';

/** No activation is steeper: GELU's slope reaches 1.129, that of the others less. */
const STEEPEST = 1.13;

/**
 * Absolute error of an activation of an exact x. An exponential of argument a may err by 3 + 2 |a| units of the last
 * place in WGSL, and 1 + erf cancels below 0, so that far out the error is one of x rather than of the small result.
 */
export function activationError(kind: FusedActivation, x: number, u: number): number {
  if (kind === 'none' || kind === 'relu') return 0;
  return 6 * u * Math.abs(x) + 4 * u * Math.abs(activate(kind, x));
}

export const activations: Check<{ kind: ActivationKind }> = ({ inputs, attributes, expected, actual }) => {
  const x = inputs[0]!;
  const [u, floor] = [unitRoundoff(x.dtype), attributes.kind === 'relu' ? 0 : smallestNormal(x.dtype)];
  return compareEntries('y', expected[0]!, actual[0]!, (i) => {
    return activationError(attributes.kind, x.data[i]!, u) + floor;
  });
};

/** The product with an activation rounds once more. */
export const gatedActivations: Check<{ kind: ActivationKind }> = (outcome) => {
  const { inputs, attributes, expected, actual } = outcome;
  const { data, dtype } = inputs[0]!;
  const half = expected[0]!.shape.at(-1)!;
  const u = unitRoundoff(dtype);
  return compareEntries('y', expected[0]!, actual[0]!, (index) => {
    const at = 2 * half * Math.floor(index / half) + (index % half);
    const error = Math.abs(data[at]!) * activationError(attributes.kind, data[at + half]!, u);
    return error + 2 * u * Math.abs(expected[0]!.data[index]!) + smallestNormal(dtype);
  });
};

/**
 * `activation(sum + bias) + residual`: the error of a sum of `terms` products, what the activation makes of it and
 * adds, and the last addition. Inputs: x, weights and biases anywhere, the residual at `residual`.
 */
export function fusedSums<A extends Attributes & { readonly activation: FusedActivation }>(
  residual: number,
  terms: (outcome: Outcome<A>) => number,
): Check<A> {
  return (outcome) => {
    const { inputs, attributes, expected, actual } = outcome;
    const y = expected[0]!;
    const absolute = inputs.map((view, i) =>
      i === residual || !view ? undefined : { ...view, data: view.data.map(Math.abs) },
    );
    const magnitude = { ...y, data: new Float64Array(y.data.length) };
    referenceKernels.get(outcome.op.name)!(absolute, [magnitude], { ...attributes, activation: 'none' });
    const added = inputs[residual];
    const share = attributes.activation === 'none' ? 1 : 1 + STEEPEST;
    const scale = magnitude.data.map((value, i) => share * value + Math.abs(added?.data[i] ?? 0));
    return compareSums('y', y, actual[0]!, scale, terms(outcome));
  };
}

type NormAttributes = Attributes & { readonly eps: number; readonly activation: FusedActivation };

/** How the values of a norm fall together: runs of `size` neighbours share moments, `column` has their factors. */
interface Runs {
  readonly size: number;
  column(index: number): number;
  /** Rows are divided by their maximum first. */
  readonly stable: boolean;
}

/**
 * Of a normalised value: its own rounding and the error of the mean, both over the deviation; the relative error of
 * the deviation (its sum of squares, the square of the mean's error, a running mean's noise); the factor and the
 * shift; the activation. The textbook variance, mean square less squared mean, is far outside.
 */
export function normalised<A extends NormAttributes>(runs: (outcome: Outcome<A>) => Runs): Check<A> {
  return (outcome) => {
    const { inputs, attributes, expected, actual } = outcome;
    const [x, gain, bias] = inputs as [View, View | undefined, View | undefined];
    const { size, column, stable } = runs(outcome);
    const u = unitRoundoff(x.dtype);
    const tolerance = new Float64Array(x.data.length);
    for (let start = 0; start < tolerance.length; start += size) {
      const raw = x.data.subarray(start, start + size);
      const largest = stable ? raw.reduce((max, value) => Math.max(max, value), -Infinity) : 1;
      const values = raw.map((value) => value / largest);
      const { mean, variance } = moments(values);
      const deviation = Math.sqrt(variance + attributes.eps);
      const magnitude = values.reduce((sum, value) => sum + Math.abs(value), 0) / size;
      const meanError = 4 * u * (1 + Math.sqrt(size) / 3) * magnitude;
      const noise = (8 * u * magnitude) / Math.sqrt(size) / deviation;
      const relative = 8 * u + (2 * u * Math.sqrt(size)) / 3 + (meanError / deviation) ** 2 + noise;
      for (let i = 0; i < size; i++) {
        const c = column(start + i);
        const [factor, shift] = [gain?.data[c] ?? 1, bias?.data[c] ?? 0];
        const z = (factor * (values[i]! - mean)) / deviation;
        const own = (stable ? 8 : 1) * u * Math.abs(values[i]!) + meanError;
        const before =
          (Math.abs(factor) * own) / deviation +
          relative * Math.abs(z) +
          4 * u * (Math.abs(z) + Math.abs(shift));
        tolerance[start + i] = STEEPEST * before + activationError(attributes.activation, z + shift, u);
      }
    }
    const floor = smallestNormal(x.dtype);
    return compareEntries('y', expected[0]!, actual[0]!, (i) => tolerance[i]! + floor);
  };
}

/** Two products and a sum for each turned value; what is not turned keeps every bit. */
export const rotations: Check<Attributes & { readonly positionAxis: number }> = (outcome) => {
  const { op, inputs, attributes, expected, actual } = outcome;
  const [x, cos, sin] = inputs as [View, View, View];
  const u = unitRoundoff(x.dtype);
  const [dim, turned] = [x.shape.at(-1)!, 2 * cos.shape[1]!];
  const run = (c: View, s: View) => {
    const y = { ...x, data: new Float64Array(x.data.length) };
    referenceKernels.get(op.name)!([x, c, s], [y], attributes);
    return y.data;
  };
  const nothing = { ...cos, data: new Float64Array(cos.data.length) };
  const [own, partner] = [run(cos, nothing), run(nothing, sin)];
  return compareEntries('y', expected[0]!, actual[0]!, (i) =>
    i % dim < turned ? 3 * u * (Math.abs(own[i]!) + Math.abs(partner[i]!)) + smallestNormal(x.dtype) : 0,
  );
};

/** A sum over the taps of both axes; weights are rounded to the type, and the two passes each round. */
export const resizes: Check<Resize2dAttributes> = ({ inputs, attributes, expected, actual }): Verdict => {
  const x = inputs[0]!;
  const y = expected[0]!;
  const { height, width, mode, antialias } = attributes;
  if (mode === 'nearest') return compareEntries('y', y, actual[0]!, () => 0);
  const [h = 0, w = 0] = x.shape.slice(-2);
  const [rows, cols] = [resizeTaps(h, height, mode, antialias), resizeTaps(w, width, mode, antialias)];
  const magnitude = new Float64Array(y.data.length);
  for (let index = 0; index < magnitude.length; index++) {
    const picture = Math.floor(index / (height * width));
    const [i, j] = [Math.floor(index / width) % height, index % width];
    for (let p = 0; p < rows.count; p++) {
      for (let q = 0; q < cols.count; q++) {
        const weight = rows.weights[i * rows.count + p]! * cols.weights[j * cols.count + q]!;
        const pixel = x.data[(picture * h + rows.first[i]! + p) * w + cols.first[j]! + q]!;
        if (weight !== 0) magnitude[index]! += Math.abs(weight * pixel);
      }
    }
  }
  return compareSums('y', y, actual[0]!, magnitude, rows.count * cols.count);
};
