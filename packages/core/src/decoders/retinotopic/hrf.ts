import { F2iError } from '../../error.ts';
import type { HrfCurve } from './fields.ts';
import { gammaCdf } from './special.ts';

/**
 * A double-gamma haemodynamic response (Friston et al. 1998; SPM's `spm_hrf`): a gamma density of mean `delay`, minus
 * `undershoot` times one of mean `undershootDelay`, divided by the area of the difference. `undershoot: 0` is a single
 * gamma (Boynton et al. 1996). Times in seconds.
 */
export interface Hrf {
  readonly delay: number;
  /** Variance over mean of the first density. */
  readonly dispersion: number;
  readonly undershoot: number;
  readonly undershootDelay: number;
  readonly undershootDispersion: number;
}

/** SPM's default: peak at 5 s, undershoot at 15 s of a sixth. */
export const CANONICAL_HRF: Hrf = {
  delay: 6,
  dispersion: 1,
  undershoot: 1 / 6,
  undershootDelay: 16,
  undershootDispersion: 1,
};

/** The part of the absolute area that counts as the response; what follows is cut off. */
const EFFECTIVE_AREA = 0.99;
/** Steps of curves and of the search for the length, in seconds. */
const STEP = 0.1;
const LONGEST = 60;

/** Area of the response until `time`; 1 in the end. */
export function hrfArea(hrf: Hrf, time: number): number {
  const { delay, dispersion, undershoot, undershootDelay, undershootDispersion } = hrf;
  const first = gammaCdf(delay / dispersion, time / dispersion);
  if (undershoot === 0) return first;
  const second = gammaCdf(undershootDelay / undershootDispersion, time / undershootDispersion);
  return (first - undershoot * second) / (1 - undershoot);
}

/** Seconds within which 99 % of the response's absolute area lie. */
export function hrfSeconds(hrf: Hrf): number {
  const pieces: number[] = [];
  for (let time = 0; time < LONGEST; time += STEP) {
    pieces.push(Math.abs(hrfArea(hrf, time + STEP) - hrfArea(hrf, time)));
  }
  const total = pieces.reduce((sum, piece) => sum + piece, 0);
  let area = 0;
  const last = pieces.findIndex((piece) => {
    area += piece;
    return area >= EFFECTIVE_AREA * total;
  });
  return (last + 1) * STEP;
}

export interface KernelOptions {
  /** Seconds from one volume to the next; each frame is shown for as long. */
  tr: number;
  /** When a volume is acquired, in parts of the TR after its frame appears: 0.5 for the mean of its slices. */
  acquisition: number;
  /** Where the response is cut off. */
  seconds: number;
}

/**
 * Response of a volume to the frame `k` volumes before it, for k = 0, 1, ...: the area of the response between the
 * moments at which that frame appeared and vanished, seen from the volume. Exact for any TR: nothing is sampled. The
 * cut-off response is scaled back to an area of 1.
 */
export function hrfKernel(hrf: Hrf, { tr, acquisition, seconds }: KernelOptions): Float64Array {
  const area = (time: number) => hrfArea(hrf, Math.min(Math.max(time, 0), seconds));
  const count = Math.max(1, Math.ceil(seconds / tr - acquisition) + 1);
  const whole = area(seconds);
  return Float64Array.from(
    { length: count },
    (_, k) => (area((k + acquisition) * tr) - area((k + acquisition - 1) * tr)) / whole,
  );
}

/** The response at steps of 0.1 s, for reports. */
export function hrfCurve(hrf: Hrf, seconds: number): HrfCurve {
  const length = Math.ceil(seconds / STEP) + 1;
  const times = Float32Array.from({ length }, (_, i) => i * STEP);
  // Densities as narrow means of the area, which needs no second formula.
  const half = STEP / 4;
  const values = times.map(
    (time) =>
      (hrfArea(hrf, time + half) - hrfArea(hrf, Math.max(0, time - half))) / (half + Math.min(time, half)),
  );
  return { times, values };
}

/**
 * Responses to choose from: means of 4.5 to 8 s, narrow to wide, with and without the undershoot. Measured ones vary
 * about as much between people and areas (Handwerker et al. 2004).
 */
export const HRF_LIBRARY: readonly Hrf[] = [4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8].flatMap((delay) =>
  [0.7, 1, 1.4].flatMap((dispersion) =>
    [0, 1 / 6, 1 / 3].map((undershoot) => ({
      delay,
      dispersion,
      undershoot,
      undershootDelay: delay + 10,
      undershootDispersion: 1,
    })),
  ),
);

/** Throws INVALID_ARGUMENT for a response that is none. */
export function checkHrf(hrf: Hrf, field: string): void {
  for (const key of ['delay', 'dispersion', 'undershootDelay', 'undershootDispersion'] as const) {
    if (hrf[key] > 0 && Number.isFinite(hrf[key])) continue;
    throw invalid(`${field}.${key}`, 'seconds above 0', `${hrf[key]}`);
  }
  if (!(hrf.undershoot >= 0 && hrf.undershoot < 1)) {
    throw invalid(`${field}.undershoot`, '0 up to, but without, 1', `${hrf.undershoot}`);
  }
}

function invalid(field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'not a haemodynamic response', { field, expected, found });
}
