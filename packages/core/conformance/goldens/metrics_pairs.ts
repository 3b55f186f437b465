import type { Backend } from '../../src/backend.ts';
import { colourSsim, mindeyePictures, type Rows, type SsimOptions, ssim } from '../../src/index.ts';
import { enlarged, grey } from '../../src/metrics/protocols/mindeyePictures.ts';
import { type Adapter, hyperNumber, type Produced } from './adapter.ts';
import type { GoldenCase } from './case.ts';

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

const list = (values: ArrayLike<number>): Produced => ({
  shape: [values.length],
  data: Float64Array.from(values),
});

/** Bytes of pictures [n, 3, h, w]. */
export const metricsPairs: Adapter = {
  prefix: 'metrics_pairs',
  async run(golden, backend) {
    const truth = await pictures(golden, 'in.images_u8');
    const recon = await pictures(golden, 'in.recons_u8');
    const side = hyperNumber(golden, 'resize');
    const scores = await mindeyePictures(truth, recon, {
      backend,
      side,
      metrics: ['pixCorr', 'ssim', 'ssimColumns'],
    });
    const mixed = await mindeyePictures(truth, mixedWithReversed(recon), {
      backend,
      side,
      metrics: ['pixCorr'],
    });
    const colour = Array.from({ length: truth.shape[0]! }, (_, i) =>
      colourSsim(channels(truth, i), channels(recon, i)),
    );
    const results = new Map([
      ['out.pixcorr_per_image', list(scores.pixCorr)],
      ['out.pixcorr', list([mean(scores.pixCorr)])],
      ['out.utils_pixcorr', list([mean(scores.pixCorr)])],
      ['out.ssim_per_image', list(scores.ssim)],
      ['out.ssim', list([mean(scores.ssim)])],
      ['out.ssim_multichannel_true_skimage0_19_per_image', list(scores.ssimColumns)],
      ['out.ssim_colour_channel_axis_per_image', list(colour)],
      ['out.pixcorr_enhanced_mix', list([mean(mixed.pixCorr)])],
    ]);
    for (const name of golden.names.filter((each) => each.startsWith('mid.'))) {
      const value = await onTheWay(name, truth, recon, backend);
      if (value) results.set(name, value);
    }
    return results;
  },
};

const CHANNELS = ['red', 'green', 'blue'];
const WINDOW: SsimOptions['window'] = { kind: 'gaussian', sigma: 1.5, truncate: 3.5 };

/** Rows of an enlarged channel, of its grey values, or of the map of structural similarity. */
async function onTheWay(
  name: string,
  truth: Rows,
  recon: Rows,
  backend: Backend,
): Promise<Produced | undefined> {
  const match = /^mid\.(resized|gray|ssim_map)(\d*)_image(\d+)(?:_(red|green|blue))?_rows(\d+)_(\d+)$/.exec(
    name,
  );
  if (!match) return undefined;
  const [, kind, size, image, channel, from, to] = match;
  const side = Number(size) || 425;
  const a = await enlarged(truth, Number(image), side, backend);
  const rowsOf = (data: Float64Array): Produced => {
    const cut = data.slice(Number(from) * a.width, Number(to) * a.width);
    return { shape: [cut.length / a.width, a.width], data: cut };
  };
  if (kind === 'resized') {
    const plane = CHANNELS.indexOf(channel!) * a.height * a.width;
    return rowsOf(a.data.subarray(plane, plane + a.height * a.width));
  }
  if (kind === 'gray') return rowsOf(Float64Array.from(grey(a).data));
  const b = await enlarged(recon, Number(image), side, backend);
  return rowsOf(ssim(grey(a), grey(b), { window: WINDOW }).map);
}

/** [n, h, w, 3], 0 to 1. */
async function pictures(golden: GoldenCase, name: string): Promise<Rows> {
  const { shape, data } = await golden.read(name);
  const [n = 0, c = 0, h = 0, w = 0] = shape;
  const values = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const [picture, channel, pixel] = [Math.floor(i / (c * h * w)), Math.floor(i / (h * w)) % c, i % (h * w)];
    values[(picture * h * w + pixel) * c + channel] = data[i]! / 255;
  }
  return { data: values, shape: [n, h, w, c] };
}

/** Three quarters of each picture and a quarter of that as far from the end. */
function mixedWithReversed({ data, shape }: Rows): Rows {
  const [n = 0] = shape;
  const size = data.length / n;
  const mixed = Float64Array.from(data, (value, i) => {
    const [picture, at] = [Math.floor(i / size), i % size];
    return 0.75 * value + 0.25 * data[(n - 1 - picture) * size + at]!;
  });
  return { data: mixed, shape };
}

function channels({ data, shape }: Rows, row: number) {
  const [, height = 0, width = 0, count = 0] = shape;
  const size = height * width;
  return Array.from({ length: count }, (_, c) => ({
    data: Float64Array.from({ length: size }, (_, i) => data[(row * size + i) * count + c]!),
    height,
    width,
  }));
}
