import { checkGrid, invalid } from '../fit.ts';
import { ALPHA_SCORES } from '../scores.ts';
import type { AlphaChoice } from './types.ts';

/** @throws INVALID_ARGUMENT for penalties that cannot be chosen so */
export function checkChoice({ grid, folds, score }: AlphaChoice): void {
  checkGrid(grid);
  if (folds.length === 0) throw invalid('folds', 'a grid of alphas needs folds', 'folds', 'none');
  if (!ALPHA_SCORES.includes(score)) {
    throw invalid('score', 'unknown score', ALPHA_SCORES.join(', '), String(score));
  }
}
