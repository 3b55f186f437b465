import type { HeadSettings, Recipe, RecipeHead } from './recipe.ts';

/** Settings of a recipe of one's own, where nothing is said: every choice inside the training rows. */
export const CUSTOM_DEFAULTS: HeadSettings = {
  roi: 'all',
  average: 'betas',
  alpha: {
    grid: [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6],
    folds: { count: 5, together: true },
    score: 'r2',
    perTarget: true,
  },
  intercept: true,
  unitVoxels: false,
  unitTargets: false,
  renormalise: 'none',
};

/** @param names of the targets; their shapes are those of the files */
export function customRecipe(names: readonly string[]): Recipe {
  return {
    name: 'custom',
    title: 'a recipe of one’s own',
    paper: 'ridge regression (Hoerl & Kennard 1970)',
    repository: 'none',
    split: 'split',
    normalisation: 'train',
    testAverage: 'betas',
    precision: 'auto',
    heads: names.map((name): RecipeHead => ({ name, what: name, ...CUSTOM_DEFAULTS })),
    quirks: [],
    inferred: [],
    published: { scores: [], cost: 'none' },
  };
}
