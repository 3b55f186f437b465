import type { View } from '../src/reference/kernel.ts';

/**
 * Stands in for a result: instead of being compared, it notes how far a result may be from the reference.
 * `compareEntries` and the root mean square of `tolerance.ts` know it.
 */
export class Bounds implements View {
  readonly data = new Float64Array();
  readonly shape: View['shape'];
  readonly dtype: View['dtype'];
  /** Of each entry; undefined until a check has asked. */
  tolerance: Float64Array | undefined;
  /** The root mean square of the errors over that of the magnitudes may be `bound`. */
  mean: { readonly magnitude: Float64Array; readonly bound: number } | undefined;

  constructor({ shape, dtype }: View) {
    this.shape = shape;
    this.dtype = dtype;
  }
}
