import { F2iError } from '../../error.ts';
import { gammaCdf } from '../../special.ts';
import type { HrfCurve } from './fields.ts';

/**
 * A double-gamma haemodynamic response (Friston et al. 1998): a gamma density with its mode at `peak` and a standard
 * deviation of `width`, minus `undershoot` times a later one, divided by the area of the difference. `undershoot: 0` is
 * a single gamma (Boynton et al. 1996). Times in seconds.
 */
export interface Hrf {
  readonly peak: number;
  readonly width: number;
  /** Area of the undershoot over that of the peak. */
  readonly undershoot: number;
  readonly undershootPeak: number;
  readonly undershootWidth: number;
}

/** SPM's default: gamma densities of shape 6 and 16 and scale 1, the second a sixth of the first. */
export const CANONICAL_HRF: Hrf = {
  peak: 5,
  width: Math.sqrt(6),
  undershoot: 1 / 6,
  undershootPeak: 15,
  undershootWidth: 4,
};

/** The part of the absolute area that counts as the response; what follows is cut off. */
const EFFECTIVE_AREA = 0.99;
/** Steps of curves and of the search for the length, in seconds. */
const STEP = 0.1;
/** Responses end by then, in seconds. */
export const LONGEST_HRF = 60;

/** Area of the response until `time`; 1 in the end. */
export function hrfArea(hrf: Hrf, time: number): number {
  const first = gammaArea(hrf.peak, hrf.width, time);
  if (hrf.undershoot === 0) return first;
  const second = gammaArea(hrf.undershootPeak, hrf.undershootWidth, time);
  return (first - hrf.undershoot * second) / (1 - hrf.undershoot);
}

/** Distribution function of the gamma density with this mode and standard deviation. */
function gammaArea(mode: number, deviation: number, time: number): number {
  // mode = (shape - 1) scale, deviation² = shape scale².
  const scale = (Math.sqrt(mode * mode + 4 * deviation * deviation) - mode) / 2;
  return gammaCdf(mode / scale + 1, time / scale);
}

/** Seconds within which 99 % of the response's absolute area lie. */
export function hrfSeconds(hrf: Hrf): number {
  const pieces: number[] = [];
  for (let time = 0; time < LONGEST_HRF; time += STEP) {
    pieces.push(Math.abs(hrfArea(hrf, time + STEP) - hrfArea(hrf, time)));
  }
  const total = pieces.reduce((sum, piece) => sum + piece, 0);
  let area = 0;
  const last = pieces.findIndex((piece) => {
    area += piece;
    return area >= EFFECTIVE_AREA * total;
  });
  return Math.min(LONGEST_HRF, (last + 1) * STEP);
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

/** A response of the family that fits choose from: its undershoot comes 6 s after the peak and is half as wide again. */
export function familyHrf(peak: number, width: number, undershoot: number): Hrf {
  return { peak, width, undershoot, undershootPeak: peak + 6, undershootWidth: 1.5 * width };
}

/**
 * Responses that a fit starts from. Measured ones vary about as much between people and areas (Handwerker et al. 2004);
 * in early visual cortex they are faster than SPM's.
 */
export const HRF_PEAKS: readonly number[] = [2.5, 3, 3.5, 4, 4.5, 5, 5.75, 6.5];
export const HRF_WIDTHS: readonly number[] = [1.5, 2.25, 3];
export const HRF_UNDERSHOOTS: readonly number[] = [0, 0.15, 0.3, 0.45];

/** Throws INVALID_ARGUMENT for a response that is none. */
export function checkHrf(hrf: Hrf, field: string): void {
  for (const key of ['peak', 'width', 'undershootPeak', 'undershootWidth'] as const) {
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
