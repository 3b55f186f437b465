import { erf } from '../../special.ts';

/** Areas of a one-dimensional Gaussian over successive pixels, and how they change. */
export interface PixelAreas {
  readonly area: Float64Array;
  /** By the centre and by the logarithm of the size. */
  readonly byCentre: Float64Array;
  readonly byLogSize: Float64Array;
}

export const pixelAreas = (count: number): PixelAreas => ({
  area: new Float64Array(count),
  byCentre: new Float64Array(count),
  byLogSize: new Float64Array(count),
});

const NORMAL = 1 / Math.sqrt(2 * Math.PI);

/**
 * Integrates a normal density over pixels: a field smaller than a pixel is not missed, as it would be by its values at
 * the pixels' centres.
 *
 * @param from position of the first edge; pixel i lies between `from + i step` and `from + (i + 1) step`
 * @param step may be negative
 */
export function integrateGaussian(
  out: PixelAreas,
  centre: number,
  size: number,
  from: number,
  step: number,
): void {
  const count = out.area.length;
  const sign = Math.sign(step);
  const scale = sign / size;
  let z = (from - centre) / size;
  let below = 0.5 * erf(z / Math.SQRT2);
  let density = NORMAL * Math.exp(-0.5 * z * z);
  for (let i = 0; i < count; i++) {
    const nextZ = (from + (i + 1) * step - centre) / size;
    const nextBelow = 0.5 * erf(nextZ / Math.SQRT2);
    const nextDensity = NORMAL * Math.exp(-0.5 * nextZ * nextZ);
    out.area[i] = sign * (nextBelow - below);
    out.byCentre[i] = scale * (density - nextDensity);
    out.byLogSize[i] = sign * (z * density - nextZ * nextDensity);
    [z, below, density] = [nextZ, nextBelow, nextDensity];
  }
}
