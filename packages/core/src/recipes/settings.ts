import type { Average } from '../data/recording/recording.ts';
import { didYouMean } from '../data/study/nearest.ts';
import type { AlphaScore } from '../decoders/ridge/scores.ts';
import { F2iError } from '../error.ts';
import { brainDiffuser } from './brainDiffuser.ts';
import { CUSTOM_DEFAULTS, customRecipe } from './custom.ts';
import { mirage } from './mirage.ts';
import type { AlphaChoice, HeadRenormalisation, HeadSettings, Recipe, RecipeHead } from './recipe.ts';
import { takagi } from './takagi.ts';

/** The published recipes. */
export const RECIPES: readonly Recipe[] = [brainDiffuser, takagi, mirage];

/** Names that `--recipe` takes. */
export const RECIPE_NAMES: readonly string[] = [...RECIPES.map(({ name }) => name), 'custom'];

/** What a user sets otherwise than a recipe does; all heads take it. */
export interface RecipeOverrides {
  readonly split?: string | undefined;
  readonly normalisation?: string | undefined;
  readonly testAverage?: Average | undefined;
  readonly precision?: Recipe['precision'] | undefined;
  readonly roi?: string | undefined;
  readonly average?: HeadSettings['average'] | undefined;
  /** One penalty, or several to choose from. */
  readonly alphas?: readonly number[] | undefined;
  readonly perTarget?: boolean | undefined;
  readonly score?: AlphaScore | undefined;
  readonly folds?: number | undefined;
  readonly foldsTogether?: boolean | undefined;
  /** Seed by which rows are dealt to folds, in place of blocks of successive rows. */
  readonly foldsSeed?: number | undefined;
  readonly intercept?: boolean | undefined;
  readonly renormalise?: HeadRenormalisation | undefined;
}

/** Names of heads become names of files and tensors. */
const HEAD_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/i;

/**
 * A recipe with the heads that there are targets of, and with what was set otherwise.
 *
 * @param targets names of the targets, each once; the recipe's order of heads is kept
 * @throws INVALID_ARGUMENT for a recipe or head that there is not, naming those that there are
 */
export function chooseRecipe(
  name: string,
  targets: readonly string[],
  overrides: RecipeOverrides = {},
): Recipe {
  const published = RECIPES.find((recipe) => recipe.name === name);
  if (!published && name !== 'custom') {
    const hint = didYouMean(name, RECIPE_NAMES);
    throw invalid('recipe', `no such recipe${hint}`, RECIPE_NAMES.join(', '), name);
  }
  if (targets.length === 0) {
    const heads = published?.heads.map((head) => head.name).join(', ') ?? 'any name';
    throw invalid('targets', 'a recipe needs the features of the pictures', `NAME=FILE of ${heads}`, 'none');
  }
  const twice = targets.find((target, i) => targets.indexOf(target) !== i);
  if (twice !== undefined)
    throw invalid('targets', 'each head has one file', 'each name once', `${twice} twice`);
  const unnamed = targets.find((target) => !HEAD_NAME.test(target));
  if (unnamed !== undefined) {
    throw invalid('targets', 'not a name of targets', 'letters, digits, - and _, at most 40', unnamed);
  }
  const recipe = published ?? customRecipe(targets);
  const unknown = targets.find((target) => !recipe.heads.some((head) => head.name === target));
  if (unknown !== undefined) {
    const known = recipe.heads.map((head) => head.name);
    const hint = didYouMean(unknown, known);
    throw invalid('targets', `${recipe.title} has no such targets${hint}`, known.join(', '), unknown);
  }
  const { split, normalisation, testAverage, precision } = overrides;
  return {
    ...recipe,
    ...defined({ split, normalisation, testAverage, precision }),
    quirks: recipe.quirks.filter(
      ({ setting, heads }) =>
        (heads === undefined || heads.some((head) => targets.includes(head))) &&
        (setting === undefined || overrides[setting as keyof RecipeOverrides] === undefined),
    ),
    heads: recipe.heads
      .filter((head) => targets.includes(head.name))
      .map((head) => overridden(head, overrides)),
  };
}

function overridden(head: RecipeHead, overrides: RecipeOverrides): RecipeHead {
  const { roi, average, intercept, renormalise } = overrides;
  return { ...head, ...defined({ roi, average, intercept, renormalise }), alpha: alphaOf(head, overrides) };
}

function alphaOf({ alpha }: HeadSettings, overrides: RecipeOverrides): HeadSettings['alpha'] {
  const { alphas, perTarget, score, folds, foldsTogether, foldsSeed } = overrides;
  if (alphas?.length === 1) return alphas[0]!;
  const before = typeof alpha === 'number' ? undefined : alpha;
  if (!alphas && !before) return alpha;
  const { grid, ...choice } = before ?? (CUSTOM_DEFAULTS.alpha as AlphaChoice);
  return {
    grid: alphas ?? grid,
    folds: {
      ...choice.folds,
      ...defined({ count: folds, together: foldsTogether, seed: foldsSeed }),
    },
    score: score ?? choice.score,
    perTarget: perTarget ?? choice.perTarget,
  };
}

/** Without the keys that nothing was said of. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
