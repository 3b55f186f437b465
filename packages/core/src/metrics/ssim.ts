import { F2iError } from '../error.ts';

/** Values of one channel, row-major. */
export interface Plane {
  readonly data: Float32Array | Float64Array;
  readonly height: number;
  readonly width: number;
}

export interface SsimOptions {
  /**
   * Weights of a neighbourhood, along each axis: a Gaussian that is cut off at `truncate` standard deviations (in
   * pixels, rounded), or `size` equal ones.
   */
  window:
    | { readonly kind: 'gaussian'; readonly sigma: number; readonly truncate: number }
    | { readonly kind: 'uniform'; readonly size: number };
  /** `both` for neighbourhoods in the plane; `rows` for those within a column: each column is a signal by itself. */
  axes?: 'both' | 'rows' | undefined;
  /** Divides variances by one less than the window's pixels. */
  sampleCovariance?: boolean | undefined;
  /** Difference between the largest and the smallest possible value; 1 by default. */
  range?: number | undefined;
}

export interface Ssim {
  /** Mean over the plane without the border, where windows reach beyond it. */
  readonly mean: number;
  /** [height, width]; beyond the border the plane is mirrored at its edge. */
  readonly map: Float64Array;
}

/** Constants that keep the quotients stable (Wang et al. 2004, section III-B). */
const [K1, K2] = [0.01, 0.03];

/**
 * Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004, IEEE Trans. Image Process. 13:600): of each
 * neighbourhood `(2 µa µb + C1)(2 σab + C2) / ((µa² + µb² + C1)(σa² + σb² + C2))`, averaged. Windows, borders and
 * normalisation are those of scikit-image's `structural_similarity`.
 *
 * @throws INVALID_ARGUMENT for planes that differ in size, or smaller than the window
 */
export function ssim(a: Plane, b: Plane, options: SsimOptions): Ssim {
  const { window, axes = 'both', sampleCovariance = false, range = 1 } = options;
  const { height, width } = a;
  if (height !== b.height || width !== b.width || [a, b].some(({ data }) => data.length !== height * width)) {
    throw new F2iError('INVALID_ARGUMENT', 'structural similarity needs planes of one size', {
      expected: `${height} x ${width} values`,
      found: `${b.height} x ${b.width}, ${a.data.length} and ${b.data.length} values`,
    });
  }
  const weights = weightsOf(window);
  const smallest = axes === 'both' ? Math.min(height, width) : height;
  if (smallest < weights.length) {
    throw new F2iError(
      'INVALID_ARGUMENT',
      'the picture is smaller than the window of structural similarity',
      {
        expected: `${weights.length} pixels or more`,
        found: `${height} x ${width}`,
      },
    );
  }
  const size = height * width;
  const local = (at: (i: number) => number) => {
    const values = new Float64Array(size);
    for (let i = 0; i < size; i++) values[i] = at(i);
    const down = filtered(values, weights, height, width, width, 1);
    return axes === 'both' ? filtered(down, weights, width, height, 1, width) : down;
  };
  const [x, y] = [a.data, b.data];
  const meanA = local((i) => x[i]!);
  const meanB = local((i) => y[i]!);
  const squareA = local((i) => x[i]! * x[i]!);
  const squareB = local((i) => y[i]! * y[i]!);
  const product = local((i) => x[i]! * y[i]!);
  const pixels = weights.length ** (axes === 'both' ? 2 : 1);
  const norm = sampleCovariance ? pixels / (pixels - 1) : 1;
  const [c1, c2] = [(K1 * range) ** 2, (K2 * range) ** 2];
  const map = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const [ma, mb] = [meanA[i]!, meanB[i]!];
    const varianceA = norm * (squareA[i]! - ma * ma);
    const varianceB = norm * (squareB[i]! - mb * mb);
    const covariance = norm * (product[i]! - ma * mb);
    map[i] =
      ((2 * ma * mb + c1) * (2 * covariance + c2)) /
      ((ma * ma + mb * mb + c1) * (varianceA + varianceB + c2));
  }
  const border = (weights.length - 1) / 2;
  return { mean: meanInside(map, height, width, border, axes === 'both' ? border : 0), map };
}

function weightsOf(window: SsimOptions['window']): Float64Array {
  if (window.kind === 'uniform') {
    const { size } = window;
    if (!(Number.isInteger(size) && size >= 3 && size % 2 === 1)) {
      throw new F2iError('INVALID_ARGUMENT', 'a window has a middle', {
        field: 'window.size',
        expected: 'an odd number, 3 or more',
        found: `${size}`,
      });
    }
    return new Float64Array(size).fill(1 / size);
  }
  const { sigma, truncate } = window;
  const radius = Math.floor(truncate * sigma + 0.5);
  if (!(radius >= 1 && radius <= 1e4)) {
    throw new F2iError('INVALID_ARGUMENT', 'a Gaussian window reaches over some pixels', {
      field: 'window',
      expected: 'sigma times truncate of half a pixel or more',
      found: `${sigma} times ${truncate}`,
    });
  }
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigma) ** 2),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Correlation with symmetric weights along one axis of `count` lines: `length` values that lie `step` apart, lines
 * `stride` apart. The border is mirrored with its edge repeated (d c b a | a b c d | d c b a).
 */
function filtered(
  values: Float64Array,
  weights: Float64Array,
  length: number,
  count: number,
  step: number,
  stride: number,
): Float64Array {
  const radius = (weights.length - 1) / 2;
  const out = new Float64Array(values.length);
  const padded = new Float64Array(length + 2 * radius);
  for (let line = 0; line < count; line++) {
    const start = line * stride;
    for (let i = -radius; i < length + radius; i++) {
      const mirrored = i < 0 ? -1 - i : i >= length ? 2 * length - 1 - i : i;
      padded[i + radius] = values[start + mirrored * step]!;
    }
    for (let i = 0; i < length; i++) {
      let sum = weights[radius]! * padded[i + radius]!;
      for (let t = 1; t <= radius; t++)
        sum += weights[radius + t]! * (padded[i + radius - t]! + padded[i + radius + t]!);
      out[start + i * step] = sum;
    }
  }
  return out;
}

function meanInside(map: Float64Array, height: number, width: number, rows: number, columns: number): number {
  let sum = 0;
  for (let i = rows; i < height - rows; i++) {
    for (let j = columns; j < width - columns; j++) sum += map[i * width + j]!;
  }
  return sum / ((height - 2 * rows) * (width - 2 * columns));
}
