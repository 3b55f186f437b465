import { erf } from './special.ts';

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
  let before = edge(0);
  for (let i = 0; i < count; i++) {
    const after = edge(i + 1);
    out.area[i] = sign * (after.below - before.below);
    out.byCentre[i] = (-sign * (after.density - before.density)) / size;
    out.byLogSize[i] = -sign * (after.z * after.density - before.z * before.density);
    before = after;
  }

  function edge(i: number) {
    const z = (from + i * step - centre) / size;
    return {
      z,
      below: 0.5 * (1 + erf(z / Math.SQRT2)),
      density: Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI),
    };
  }
}
