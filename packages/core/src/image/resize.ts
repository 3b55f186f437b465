/** Extents of a picture with interleaved channels. */
export interface PictureExtents {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 2 | 3 | 4;
}

/** Weights of luminance, ITU-R BT.601: what image libraries call "L". */
const LUMINANCE = [0.299, 0.587, 0.114] as const;

/**
 * Resizes a picture and converts its channels: alpha is put over black, colours become luminance where grey is asked
 * for. Where a side shrinks, each pixel is the mean of the area it covers (no aliasing); where it grows, linear
 * interpolation between pixel centres.
 *
 * @returns [height, width, channels] row-major
 */
export function resizePicture(
  picture: PictureExtents & { readonly data: Float32Array },
  to: PictureExtents & { readonly channels: 1 | 3 },
): Float32Array {
  const rows = axisWeights(picture.height, to.height);
  const columns = axisWeights(picture.width, to.width);
  const out = new Float32Array(to.height * to.width * to.channels);
  for (let c = 0; c < to.channels; c++) {
    const plane = channelPlane(picture, to.channels === 3 ? c : undefined);
    const narrow = new Float64Array(picture.height * to.width);
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < to.width; x++) {
        for (const [from, weight] of columns[x]!)
          narrow[y * to.width + x]! += weight * plane[y * picture.width + from]!;
      }
    }
    for (let y = 0; y < to.height; y++) {
      for (let x = 0; x < to.width; x++) {
        let sum = 0;
        for (const [from, weight] of rows[y]!) sum += weight * narrow[from * to.width + x]!;
        out[(y * to.width + x) * to.channels + c] = sum;
      }
    }
  }
  return out;
}

/** One channel, or the luminance, times alpha. */
function channelPlane(
  { height, width, channels, data }: PictureExtents & { readonly data: Float32Array },
  channel: number | undefined,
): Float64Array {
  const hasAlpha = channels === 2 || channels === 4;
  const isGrey = channels < 3;
  const plane = new Float64Array(height * width);
  for (let i = 0; i < plane.length; i++) {
    const at = i * channels;
    const value = isGrey
      ? data[at]!
      : channel !== undefined
        ? data[at + channel]!
        : LUMINANCE[0] * data[at]! + LUMINANCE[1] * data[at + 1]! + LUMINANCE[2] * data[at + 2]!;
    plane[i] = hasAlpha ? value * data[at + channels - 1]! : value;
  }
  return plane;
}

/** For each output position the input positions it is made of, with weights that sum to 1. */
function axisWeights(from: number, to: number): [index: number, weight: number][][] {
  return Array.from({ length: to }, (_, i) => {
    if (to < from) {
      const start = (i * from) / to;
      const end = ((i + 1) * from) / to;
      const weights: [number, number][] = [];
      for (let j = Math.floor(start); j < end && j < from; j++) {
        const overlap = Math.min(end, j + 1) - Math.max(start, j);
        if (overlap > 1e-12) weights.push([j, (overlap * to) / from]);
      }
      return weights;
    }
    const centre = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const below = Math.floor(centre);
    const part = centre - below;
    return part === 0
      ? [[below, 1]]
      : [
          [below, 1 - part],
          [Math.min(below + 1, from - 1), part],
        ];
  });
}
