import { gather, gemm, type OpOptions, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { BandedRidgeFit } from './banded.ts';
import { type Band, checkBands } from './bands.ts';
import { invalid } from './fit.ts';

/**
 * What each band adds to the predictions: (x_b - mean_b) W_b, [m, t] for each band. Their sum and `targetMean` are the
 * predictions.
 *
 * @param fit with primal coefficients
 * @param x [m, p], in the type of the coefficients
 * @returns tensors of the caller, one a band
 */
export function bandPredictions(
  fit: BandedRidgeFit,
  bands: readonly Band[],
  x: Tensor,
  options: OpOptions = {},
): Tensor[] {
  const { backend, dtype } = x;
  const { values, voxelMean, targetMean } = fit;
  const [p, t] = [voxelMean.length, targetMean.length];
  if (fit.coefficients !== 'primal') {
    throw invalid('coefficients', 'bands are told apart by weights of voxels', 'primal', fit.coefficients);
  }
  if (x.shape.length !== 2 || x.shape[1] !== p) {
    throw invalid('x', 'not the columns of the fit', `[trials, ${p}]`, `[${x.shape.join(', ')}]`);
  }
  checkBands(bands, p);
  return bands.map((band) =>
    backend.scope(() => {
      const cols = Int32Array.from(band.columns);
      const weights = Float64Array.from({ length: cols.length * t }, (_, i) => {
        return values[cols[Math.floor(i / t)]! * t + (i % t)]!;
      });
      const centre = Float64Array.from(cols, (column) => voxelMean[column]!);
      const upload = (data: Float64Array, shape: number[]) =>
        backend.tensor(dtype === 'f32' ? new Float32Array(data) : data, shape, dtype);
      const columns = sub(gather(x, { ...options, cols }), upload(centre, [cols.length]), options);
      return gemm(columns, upload(weights, [cols.length, t]), options);
    }),
  );
}
