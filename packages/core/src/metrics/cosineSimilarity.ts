import type { Rows } from '../rows.ts';
import { type ProductOptions, rowProducts } from './rowProducts.ts';

export interface CosineSimilarities {
  /** Cosines [images, brains], row-major; 0 where either side is all zeros. */
  readonly values: Float64Array;
  readonly images: number;
  readonly brains: number;
}

/**
 * Cosine of the angle between every image embedding and every embedding decoded from the brain, each flattened:
 * what retrieval compares (MindEye: l2-normalised, then multiplied).
 *
 * @param image [m, ...]
 * @param brain [n, ...], of the same trailing extents
 * @throws INVALID_ARGUMENT for NaN or other extents, naming the side
 */
export async function cosineSimilarity(
  image: Rows,
  brain: Rows,
  options: ProductOptions = {},
): Promise<CosineSimilarities> {
  const values = await rowProducts(image, brain, 'cosine', ['image', 'brain'], options);
  return { values, images: image.shape[0]!, brains: brain.shape[0]! };
}
