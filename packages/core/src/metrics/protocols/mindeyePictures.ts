import type { Backend } from '../../backend.ts';
import { fromNumbers } from '../../convert.ts';
import { pacer } from '../../data/pause.ts';
import { F2iError } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { resize2d } from '../../ops/resize2d.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import { pairedCorrelation } from '../pairedCorrelation.ts';
import { type Plane, type SsimOptions, ssim } from '../ssim.ts';

/**
 * - `pixCorr`: Pearson correlation over all pixels and channels.
 * - `ssim`: structural similarity of the grey pictures, as scikit-image 0.20 and later compute it in that code.
 * - `ssimColumns`: what scikit-image 0.19 computes in it. `multichannel=True` made channels of the columns of a grey
 *   picture, so that each column was compared by itself. Higher than `ssim`, and not comparable with it.
 */
export type MindeyePictureMetric = 'pixCorr' | 'ssim' | 'ssimColumns';

export interface MindeyePictureOptions<M extends MindeyePictureMetric = 'pixCorr' | 'ssim'> {
  /** `pixCorr` and `ssim` by default. */
  metrics?: readonly M[] | undefined;
  /** Resizes the pictures, in float64 where it can. */
  backend: Backend;
  /** Length of the shorter side that both metrics compare at; 425 as published. */
  side?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Weights of `skimage.color.rgb2gray` (ITU-R BT.709). */
const GREY = [0.2125, 0.7154, 0.0721] as const;

const WINDOW: SsimOptions['window'] = { kind: 'gaussian', sigma: 1.5, truncate: 3.5 };

/**
 * PixCorr and SSIM as MindEye and MindEye2 compute them: pictures enlarged to 425 pixels by bilinear interpolation
 * without antialiasing; SSIM of grey values with a Gaussian window of 11 pixels (sigma 1.5), population variances and
 * a range of 1. The protocol starts from pictures of 256 x 256 pixels; other sizes are taken as they are, and scores
 * depend on them.
 *
 * @param truth [n, h, w, 3] or grey [n, h, w], 0 to 1
 * @param reconstructions of the same extents
 * @returns one value for each pair, by metric
 * @throws INVALID_ARGUMENT for other extents or NaN; CANCELLED by its signal
 */
export async function mindeyePictures<M extends MindeyePictureMetric = 'pixCorr' | 'ssim'>(
  truth: Rows,
  reconstructions: Rows,
  { metrics, backend, side = 425, signal }: MindeyePictureOptions<M>,
): Promise<{ readonly [metric in M]: Float64Array }> {
  const [n] = rowExtents(truth, 'truth');
  rowExtents(reconstructions, 'reconstructions');
  if (truth.shape.join() !== reconstructions.shape.join()) {
    throw new F2iError('INVALID_ARGUMENT', 'true and reconstructed pictures differ in size', {
      field: 'reconstructions',
      expected: `[${truth.shape.join(', ')}]`,
      found: `[${reconstructions.shape.join(', ')}]`,
    });
  }
  const names = metrics ?? (['pixCorr', 'ssim'] as unknown as readonly M[]);
  const scores = Object.fromEntries(names.map((name) => [name, new Float64Array(n)])) as {
    [metric in M]: Float64Array;
  };
  const breathe = pacer(signal, 'scoring');
  // One pair at a time: a thousand enlarged pictures would take gigabytes.
  for (let i = 0; i < n; i++) {
    const a = await enlarged(truth, i, side, backend, signal);
    const b = await enlarged(reconstructions, i, side, backend, signal);
    for (const name of names) {
      scores[name][i] = SCORE[name](a, b);
      await breathe();
    }
  }
  return scores;
}

const SCORE: { [metric in MindeyePictureMetric]: (a: Planes, b: Planes) => number } = {
  pixCorr: (a, b) => pairedCorrelation(asRow(a), asRow(b))[0]!,
  ssim: (a, b) => ssim(grey(a), grey(b), { window: WINDOW }).mean,
  ssimColumns: (a, b) => ssim(grey(a), grey(b), { window: WINDOW, axes: 'rows' }).mean,
};

/** One picture as planes [channels, height, width]. */
export interface Planes {
  readonly data: Float64Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Picture `row`, its shorter side `side` pixels, the longer one rounded down as torchvision does. */
export async function enlarged(
  { data, shape }: Rows,
  row: number,
  side: number,
  backend: Backend,
  signal?: AbortSignal,
): Promise<Planes> {
  const [, h, w, channels = 1] = shape;
  if (!h || !w || shape.length > 4 || (channels !== 1 && channels !== 3)) {
    throw new F2iError('INVALID_ARGUMENT', 'not pictures', {
      expected: '[n, height, width] or [n, height, width, 3]',
      found: `[${shape.join(', ')}]`,
    });
  }
  const planes = new Float64Array(channels * h * w);
  const start = row * planes.length;
  for (let i = 0; i < h * w; i++) {
    for (let c = 0; c < channels; c++) planes[c * h * w + i] = data[start + i * channels + c]!;
  }
  const [height, width] = [h, w].map((extent) => Math.floor((side * extent) / Math.min(h, w)));
  const dtype = hasFloat64(backend) ? 'f64' : 'f32';
  const [resized] = await backend.compute(() => [
    resize2d(backend.tensor(fromNumbers(planes, dtype), [channels, h, w], dtype), height!, width!, {
      signal,
    }),
  ]);
  return { data: new Float64Array(resized), channels, height: height!, width: width! };
}

export function grey({ data, channels, height, width }: Planes): Plane {
  if (channels === 1) return { data, height, width };
  const size = height * width;
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    values[i] = GREY[0] * data[i]! + GREY[1] * data[size + i]! + GREY[2] * data[2 * size + i]!;
  }
  return { data: values, height, width };
}

const asRow = ({ data }: Planes): Rows => ({ data, shape: [1, data.length] });
