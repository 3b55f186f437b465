import { LONGEST_HRF } from './hrf.ts';

/** Throws FORMAT for a tensor. */
export type Refuse = (message: string, tensor: string, expected: string, found: string) => never;

/** Elements of a kernel of area 1 are of this order at most, whatever its undershoot; the largest is no smaller. */
const LARGEST_WEIGHT = 1e6;
const SMALLEST_WEIGHT = 1e-6;
/** Range of the curvatures of an encoding model: float32 leaves room to multiply them. */
const LARGEST_CURVATURE = 1e15;
const SMALLEST_CURVATURE = 1e-15;
/** What rounding may change, relative to the largest curvature. */
const ROUNDING = 1e-3;

/** A response in time that a fit may have written. @param tr in seconds */
export function checkKernel(kernel: Float64Array, tr: number, refuse: Refuse): void {
  const longest = Math.ceil(LONGEST_HRF / tr) + 1;
  if (kernel.length > longest) {
    refuse(
      'the response is too long',
      'kernel',
      `at most ${longest} volumes (${LONGEST_HRF} s)`,
      `${kernel.length}`,
    );
  }
  const largest = kernel.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest < SMALLEST_WEIGHT || largest > LARGEST_WEIGHT) {
    const expected = `a largest weight of ${SMALLEST_WEIGHT} to ${LARGEST_WEIGHT}`;
    refuse('not a response in time', 'kernel', expected, `${largest}`);
  }
}

/** A matrix WᵀΣ⁻¹W: symmetric, and no element is larger than its two diagonal ones allow. */
export function checkGram(gram: Float32Array, pixels: number, refuse: Refuse): void {
  const diagonal = Float64Array.from({ length: pixels }, (_, p) => gram[p * pixels + p]!);
  const largest = diagonal.reduce((most, value) => Math.max(most, value), 0);
  const rounding = ROUNDING * largest;
  const negative = diagonal.findIndex((value) => value < -rounding);
  if (negative >= 0 || largest < SMALLEST_CURVATURE || largest > LARGEST_CURVATURE) {
    const expected = `a diagonal of 0 or more, the largest element ${SMALLEST_CURVATURE} to ${LARGEST_CURVATURE}`;
    const found = negative >= 0 ? `${diagonal[negative]} for pixel ${negative}` : `${largest}`;
    refuse('not a product of receptive fields', 'gram', expected, found);
  }
  for (let p = 0; p < pixels; p++) {
    for (let q = 0; q < p; q++) {
      const [below, above] = [gram[p * pixels + q]!, gram[q * pixels + p]!];
      if (Math.abs(below - above) > rounding) {
        refuse('not a symmetric matrix', 'gram', `${above} for pixels ${p} and ${q}`, `${below}`);
      }
      const most = Math.sqrt(Math.max(0, diagonal[p]! * diagonal[q]!)) + rounding;
      if (Math.abs(below) > most) {
        refuse(
          'not a product of receptive fields',
          'gram',
          `${most} at most for pixels ${p} and ${q}`,
          `${below}`,
        );
      }
    }
  }
}
