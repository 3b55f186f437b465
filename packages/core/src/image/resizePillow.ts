import { F2iError } from '../error.ts';
import { type ResizeTaps, resizeTaps } from '../ops/resize2d_taps.ts';

/** A picture as files hold it: interleaved channels of a byte each. */
export interface BytePicture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** [height, width, channels] row-major. */
  readonly data: Uint8Array;
}

export type PillowFilter = 'bilinear' | 'bicubic' | 'lanczos';

/** Binary digits behind the point of Pillow's weights: 32 less 8 of a pixel and 2 of overshoot. */
const FRACTION_BITS = 22;

/**
 * Resizes as `PIL.Image.resize` does, to the last bit: rows first, then columns, rounded to bytes in between, weights
 * in fixed point. Protocols that prepare pictures with Pillow (Brain-Diffuser's evaluation, GNet's input) need it;
 * `resize2d` with `antialias` is the same filter in floating point.
 *
 * @throws F2iError INVALID_ARGUMENT if data and extents disagree or a size is not positive
 */
export function resizePillow(
  picture: BytePicture,
  height: number,
  width: number,
  filter: PillowFilter,
): BytePicture {
  const { channels, data } = picture;
  if (data.length !== picture.height * picture.width * channels) {
    throw new F2iError('INVALID_ARGUMENT', 'the data do not fit the picture', {
      expected: `${picture.height} x ${picture.width} x ${channels} bytes`,
      found: `${data.length}`,
    });
  }
  for (const extent of [picture.height, picture.width, height, width]) {
    if (Number.isSafeInteger(extent) && extent > 0) continue;
    throw new F2iError('INVALID_ARGUMENT', 'not a size of a picture', {
      expected: 'integers, 1 or more',
      found: `${extent}`,
    });
  }
  const { height: h, width: w } = picture;
  const narrow = w === width ? data : along(data, h, w, width, channels, filter);
  const result = h === height ? narrow.slice() : along(narrow, 1, h, height, width * channels, filter);
  return { height, width, channels, data: result };
}

/** Resizes the middle axis of [outer, from, inner]. */
function along(
  data: Uint8Array,
  outer: number,
  from: number,
  to: number,
  inner: number,
  filter: PillowFilter,
): Uint8Array {
  const { count, first, weights } = fixedPoint(resizeTaps(from, to, filter, true));
  const result = new Uint8Array(outer * to * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < to; i++) {
      for (let c = 0; c < inner; c++) {
        let sum = 2 ** (FRACTION_BITS - 1);
        for (let t = 0; t < count; t++) {
          sum += data[(o * from + first[i]! + t) * inner + c]! * weights[i * count + t]!;
        }
        const value = Math.floor(sum / 2 ** FRACTION_BITS);
        result[(o * to + i) * inner + c] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return result;
}

/** Weights as integers, rounded half away from zero. */
function fixedPoint({ count, first, weights }: ResizeTaps): ResizeTaps {
  const scaled = weights.map(
    (weight) => Math.sign(weight) * Math.floor(Math.abs(weight) * 2 ** FRACTION_BITS + 0.5),
  );
  return { count, first, weights: scaled };
}
