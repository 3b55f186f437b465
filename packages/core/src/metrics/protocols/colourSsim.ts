import { type Plane, ssim } from '../ssim.ts';

/**
 * Structural similarity of colour pictures as `skimage.metrics.structural_similarity(a, b, channel_axis, data_range=1)`
 * computes it with its defaults, at the pictures' own size: the mean over channels, windows of 7 x 7 equal weights,
 * sample variances. MinD-Vis and MinD-Video report it.
 *
 * @param a the channels of one picture
 * @param b those of the other
 */
export function colourSsim(a: readonly Plane[], b: readonly Plane[]): number {
  const window = { kind: 'uniform', size: 7 } as const;
  const perChannel = a.map((plane, c) => ssim(plane, b[c]!, { window, sampleCovariance: true }).mean);
  return perChannel.reduce((sum, value) => sum + value, 0) / perChannel.length;
}
