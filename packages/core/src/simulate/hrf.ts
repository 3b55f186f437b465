/**
 * A haemodynamic response as a sum of three inverse-logit steps (Lindquist & Wager 2007, Human Brain Mapping 28,
 * "Validity and power in hemodynamic response modeling"): up at `rise`, down past zero at `fall`, back at `end`.
 * Chosen because no decoder of ours models responses in this way.
 */
export interface ResponseShape {
  /** Seconds from neural event to half rise. */
  readonly rise: number;
  /** Seconds to half fall. */
  readonly fall: number;
  /** Seconds to the half recovery from the undershoot. */
  readonly end: number;
  /** Depth of the undershoot relative to the peak, 0..1. */
  readonly undershoot: number;
}

/** Seconds after which a response is taken to be over. */
export const RESPONSE_SECONDS = 24;
/** Resolution of tabulated responses, in seconds. */
const RESPONSE_STEP = 0.1;

const logistic = (t: number) => 1 / (1 + Math.exp(-t));

function impulse(shape: ResponseShape, t: number): number {
  if (t < 0) return 0;
  const at = (time: number) =>
    logistic((time - shape.rise) / 0.6) -
    (1 + shape.undershoot) * logistic((time - shape.fall) / 0.9) +
    shape.undershoot * logistic((time - shape.end) / 1.6);
  return at(t) - at(0) * Math.exp(-t);
}

/**
 * Response to an event of `duration` seconds, sampled every RESPONSE_STEP seconds from its onset, its peak scaled
 * to 1.
 */
export function tabulateResponse(shape: ResponseShape, duration: number): Float64Array {
  const steps = Math.round((RESPONSE_SECONDS + duration) / RESPONSE_STEP);
  const boxcar = Math.max(1, Math.round(duration / RESPONSE_STEP));
  const table = new Float64Array(steps);
  for (let i = 0; i < steps; i++) {
    for (let j = 0; j < boxcar && j <= i; j++) table[i]! += impulse(shape, (i - j) * RESPONSE_STEP);
  }
  const peak = table.reduce((best, value) => Math.max(best, value), 0);
  return table.map((value) => value / peak);
}

/** Value of a tabulated response `t` seconds after onset, linearly interpolated; 0 outside. */
export function responseAt(table: Float64Array, t: number): number {
  const position = t / RESPONSE_STEP;
  const i = Math.floor(position);
  if (i < 0 || i + 1 >= table.length) return 0;
  const part = position - i;
  return table[i]! * (1 - part) + table[i + 1]! * part;
}
