import {
  didYouMean,
  quirkInWords,
  RECIPE_NAMES,
  RECIPES,
  type Recipe,
  type RecipeHead,
} from '@fmri2image/core';
import type { Command } from 'commander';
import { type Console, createConsole, table } from '../console.ts';
import { usage } from '../options.ts';

export function recipesCommand(program: Command): void {
  program
    .command('recipes')
    .summary('published regressions that fit --recipe repeats')
    .description(
      'Lists the recipes: which features of pictures they regress on which voxels, with which penalties, split and normalisation; what is peculiar to each, the option that changes it, what was inferred and not published, and the published figures. docs/recipes.md explains them.',
    )
    .argument('[name]', 'one recipe, in full')
    .option('--json', 'print the result as one JSON object')
    .action((name: string | undefined, options: { json?: boolean }) => {
      const console = createConsole(options);
      if (name === undefined) return list(console);
      if (name === 'custom') {
        throw usage(
          'custom has no settings but yours: --targets NAME=FILE of any shape, --roi, --split, --average, --normalisation, --alphas, ...: fmri2image fit --help, docs/recipes.md',
        );
      }
      const recipe = RECIPES.find((one) => one.name === name);
      if (!recipe)
        throw usage(
          `no recipe ${name}${didYouMean(name, RECIPE_NAMES)} (there are ${RECIPE_NAMES.join(', ')})`,
        );
      console.result(recipe);
      describe(recipe, console);
    });
}

function list(console: Console): void {
  console.result(RECIPES);
  console.print(
    table([
      ['recipe', 'heads', 'of'],
      ...RECIPES.map(({ name, heads, paper }) => [name, headsInShort(heads), paper]),
      ['custom', 'any', 'your own: fmri2image fit --recipe custom --alphas ... --roi ...'],
    ]),
  );
  console.print('fmri2image recipes NAME shows one in full');
}

/** `z, c, blip, 23 more` */
function headsInShort(heads: readonly RecipeHead[]): string {
  const names = heads.slice(0, 5).map(({ name }) => name);
  return heads.length > 5 ? `${names.join(', ')}, ${heads.length - 5} more` : names.join(', ');
}

function describe(recipe: Recipe, { print }: Console): void {
  print(`${recipe.name}: ${recipe.title} (${recipe.paper}; ${recipe.repository})`);
  print(
    `  split ${recipe.split}, normalisation ${recipe.normalisation}, repeats of a test picture averaged: ${recipe.testAverage}`,
  );
  print(
    table([
      ['  --targets', 'shape', 'ROI', 'training rows', 'alpha', 'intercept'],
      ...recipe.heads.map((head) => [
        `  ${head.name}`,
        head.shape?.join(' x ') ?? 'as the file',
        head.roi,
        head.average === 'none' ? 'trials' : `averages of ${head.average}`,
        alphaInWords(head),
        head.intercept ? 'yes' : 'no',
      ]),
    ]),
  );
  for (const { name, what } of recipe.heads) print(`  ${name}: ${what}`);
  for (const quirk of recipe.quirks) print(`  peculiar: ${quirkInWords(quirk)} (${quirk.option})`);
  for (const what of recipe.inferred) print(`  inferred, not published: ${what}`);
  print(`  cost of the published code: ${recipe.published.cost}`);
  const { scores } = recipe.published;
  if (scores.length > 0) {
    const figures = scores.map(({ name, value }) => `${name} ${value}`).join(', ');
    print(`  published, of reconstructed pictures, subjects 1, 2, 5, 7: ${figures} (not computed here)`);
  }
}

function alphaInWords({ alpha }: RecipeHead): string {
  if (typeof alpha === 'number') return `${alpha}`;
  const { grid, folds, score, perTarget } = alpha;
  return `of ${grid.join(', ')}: ${folds.count} folds, ${score}, ${perTarget ? 'each target' : 'one for all'}`;
}
