import type { Rows } from '../../rows.ts';
import { PUBLISHED_POOL, type Retrieval, retrieval } from '../retrieval.ts';
import type { ProductOptions } from '../rowProducts.ts';
import { numpyDraws } from './numpyDraws.ts';

/** The seed of MindEye's evaluation notebooks. */
const SEED = 42;

/**
 * Retrieval with the very pools of MindEye's evaluation: top-1 among 300 over 30 draws of `np.random.choice` after
 * `np.random.seed(42)`. Its "fwd" is `imageToBrain.published`, its "bwd" `brainToImage.published`.
 *
 * @param brain [n, ...] in the order of the published test images (ascending index of COCO, 73k)
 * @param image [n, ...]
 */
export function mindeyeRetrieval(brain: Rows, image: Rows, options: ProductOptions = {}): Promise<Retrieval> {
  const n = brain.shape[0] ?? 0;
  const { pool, draws } = PUBLISHED_POOL;
  const pools = n >= pool ? numpyDraws(SEED, n, pool, draws) : undefined;
  return retrieval(brain, image, { ...options, pool, draws: pools ?? draws });
}
