/**
 * How far a result may be from the float64 reference, by family. With u the unit roundoff of the output's type
 * (2^-24 for f32, 2^-53 for f64):
 *
 * - exact: every bit, signs of zero apart; NaN matches NaN.
 * - elementwise: a number of units in the last place; 4 covers a division by reciprocal and the 2.5 that WGSL allows.
 * - reduction over k terms: rounding k partial sums one after the other moves a sum by about u sqrt(k)/3 times the
 *   sum of magnitudes if all terms have one sign, and by about u if the signs are mixed. The root mean square over
 *   all outputs of error / (u sum of magnitudes) may be twice that, the worst output eight times. Pairwise and
 *   blocked sums stay far below; half precision, a lost term or the textbook variance do not.
 * - factorisation: the residual of what was factored or solved, relative to the norms that enter it, and
 *   orthogonality: backward stable algorithms keep both near u sqrt(n), and u n is allowed.
 */
import type { DType } from '../src/dtype.ts';
import type { Attributes } from '../src/ops/op.ts';
import { referenceKernels } from '../src/reference/index.ts';
import type { View } from '../src/reference/kernel.ts';
import { sizeOf } from '../src/tensor.ts';
import { Bounds } from './bounds.ts';
import type { Check, Outcome, Verdict } from './suite.ts';

/** Unit roundoff: half the distance from 1 to the next number. Integers have none. */
export function unitRoundoff(dtype: DType): number {
  return { f64: 2 ** -53, f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8, i32: 0, u8: 0 }[dtype];
}

/** Below it numbers lose bits, and GPUs may flush them to zero. */
export function smallestNormal(dtype: DType): number {
  return { f64: 2 ** -1022, f32: 2 ** -126, f16: 2 ** -14, bf16: 2 ** -126, i32: 0, u8: 0 }[dtype];
}

/** Error over tolerance of one number. A NaN or an infinity must be matched by the same. */
export function errorOver(expected: number, actual: number, tolerance: number): number {
  if (Number.isNaN(expected)) return Number.isNaN(actual) ? 0 : Infinity;
  if (actual === expected) return 0;
  const error = Math.abs(actual - expected);
  return Number.isNaN(error) ? Infinity : error / tolerance;
}

/** The worse of two verdicts. */
export function worse(a: Verdict, b: Verdict): Verdict {
  return b.worst > a.worst ? b : a;
}

export const faultless: Verdict = { worst: 0, where: '' };

/** Compares entry by entry with a tolerance for each. */
export function compareEntries(
  name: string,
  expected: View,
  actual: View,
  tolerance: (index: number) => number,
): Verdict {
  let verdict = faultless;
  if (actual instanceof Bounds) {
    actual.tolerance = expected.data.map((_, i) => tolerance(i));
    return verdict;
  }
  for (let i = 0; i < expected.data.length; i++) {
    const worst = errorOver(expected.data[i]!, actual.data[i]!, tolerance(i));
    if (worst > verdict.worst) {
      const where = `${name}[${indexOf(i, expected.shape)}] = ${actual.data[i]}, reference ${expected.data[i]}`;
      verdict = { worst, where };
    }
  }
  return verdict;
}

/** Position in a tensor, for messages. */
function indexOf(flat: number, shape: readonly number[]): string {
  const position: number[] = [];
  let rest = flat;
  for (const extent of [...shape].reverse()) {
    position.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return position.join(', ');
}

// ---- families ---------------------------------------------------------------------------------------------------

export const exact: Check = ({ expected, actual }) =>
  expected
    .map((view, i) => compareEntries(`output ${i}`, view, actual[i]!, () => 0))
    .reduce(worse, faultless);

/** `ulps` units in the last place of each result, more where an op may err more. */
export function elementwise<A extends Attributes>(
  ulps: (outcome: Outcome<A>, index: number) => number = () => 4,
): Check<A> {
  return (outcome) => {
    const expected = outcome.expected[0]!;
    const { dtype } = expected;
    return compareEntries(
      'y',
      expected,
      outcome.actual[0]!,
      (i) => ulps(outcome, i) * 2 * unitRoundoff(dtype) * Math.abs(expected.data[i]!) + smallestNormal(dtype),
    );
  };
}

/**
 * Sums of products: the magnitudes come from the reference itself, run on absolute values.
 *
 * @param terms number k of terms of each sum
 */
export function reduction<A extends Attributes>(terms: (outcome: Outcome<A>) => number): Check<A> {
  return (outcome) => {
    const magnitude = onAbsoluteValues(outcome);
    return compareSums('y', outcome.expected[0]!, outcome.actual[0]!, magnitude.data, terms(outcome));
  };
}

/** The reduction rule for sums of `terms` terms with known magnitudes. */
export function compareSums(
  name: string,
  expected: View,
  actual: View,
  magnitude: Float64Array,
  terms: number,
): Verdict {
  const u = unitRoundoff(expected.dtype);
  const floor = smallestNormal(expected.dtype);
  const typical = u * (1 + Math.sqrt(terms) / 3);
  const single = compareEntries(name, expected, actual, (i) => 8 * typical * magnitude[i]! + floor);
  return worse(single, rootMeanSquare(name, expected, actual, magnitude, 2 * typical));
}

/** The square root of a normalised mean squared error, over its bound. Outputs that are not finite do not count. */
function rootMeanSquare(
  name: string,
  expected: View,
  actual: View,
  magnitude: Float64Array,
  bound: number,
): Verdict {
  if (actual instanceof Bounds) {
    actual.mean = { magnitude, bound };
    return faultless;
  }
  let errors = 0;
  let scale = 0;
  for (let i = 0; i < expected.data.length; i++) {
    if (!Number.isFinite(expected.data[i]!)) continue;
    errors += (actual.data[i]! - expected.data[i]!) ** 2;
    scale += magnitude[i]! ** 2;
  }
  if (errors === 0) return faultless;
  const worst = Math.sqrt(errors / scale) / bound;
  return { worst: Number.isNaN(worst) ? Infinity : worst, where: `${name}: root mean square of all errors` };
}

/** First output of the op on absolute operands and absolute factors. */
function onAbsoluteValues<A extends Attributes>({ op, inputs, attributes, expected }: Outcome<A>): View {
  const absolute = inputs.map((view) => view && { ...view, data: view.data.map(Math.abs) });
  const factors = Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      key,
      typeof value === 'number' ? Math.abs(value) : value,
    ]),
  );
  const outputs = expected.map((view) => ({ ...view, data: new Float64Array(sizeOf(view.shape)) }));
  referenceKernels.get(op.name)!(absolute, outputs, factors);
  return outputs[0]!;
}
