import type { View } from '../src/reference/kernel.ts';

/** Refuses a case that a backend could pass without computing: mostly zero, mostly NaN or mostly one value. */
export function assertTelling({ data }: Pick<View, 'data'>): void {
  if (data.length === 0) return;
  // Boyer and Moore's vote: only this value can fill more than half.
  let candidate = NaN;
  let lead = 0;
  for (const value of data) {
    if (lead === 0) candidate = value;
    lead += Object.is(value, candidate) ? 1 : -1;
  }
  const count = data.reduce((sum, value) => sum + Number(Object.is(value, candidate)), 0);
  const vacuous =
    data.length < 4 ? count === data.length && !(Math.abs(candidate) > 0) : 2 * count > data.length;
  if (vacuous) {
    throw new Error(`a vacuous case: ${count} of ${data.length} expected values are ${candidate}`);
  }
}
