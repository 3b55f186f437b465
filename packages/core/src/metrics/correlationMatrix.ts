import { type ProductOptions, rowProducts } from './rowProducts.ts';
import { type ComparedRows, comparedExtents } from './rowValues.ts';

export type CorrelationOptions = ProductOptions;

export interface CorrelationMatrix {
  /** Pearson correlations [truths, reconstructions], row-major; 0 where either side has no variance. */
  readonly values: Float64Array;
  readonly truths: number;
  readonly reconstructions: number;
}

/**
 * Pearson correlation of every true picture (or feature vector) with every reconstruction, over all their values.
 *
 * @param truth [m, ...]
 * @param reconstructions [n, ...], of the same trailing extents
 * @throws INVALID_ARGUMENT for NaN, naming the side and the first row
 */
export async function correlationMatrix(
  truth: ComparedRows,
  reconstructions: ComparedRows,
  options: CorrelationOptions = {},
): Promise<CorrelationMatrix> {
  const values = await rowProducts(truth, reconstructions, 'pearson', ['truth', 'reconstructions'], options);
  return {
    values,
    truths: comparedExtents(truth, 'truth')[0],
    reconstructions: comparedExtents(reconstructions, 'reconstructions')[0],
  };
}
