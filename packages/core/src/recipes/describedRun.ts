import type { BundleInput, FittedStep } from '../bundle/contents.ts';
import type { Json } from '../data/json.ts';
import type { Recipe, RecipeHead } from './recipe.ts';
import type { RunDesign, RunOutcome } from './runTypes.ts';

/** A design of a run, as its bundle describes it. */
export interface DescribedDesign extends RunDesign {
  readonly roi: string;
  readonly average: RecipeHead['average'];
  readonly unitVoxels: boolean;
  /** Of the rows of betas, ascending. */
  readonly columns: Int32Array;
}

export interface DescribedRun {
  readonly recipe: Recipe;
  readonly designs: readonly DescribedDesign[];
  readonly outcome: RunOutcome;
  readonly input: BundleInput;
  /** Runs or sessions of the training trials, for the ledger. */
  readonly runs: readonly string[];
  /** Steps before the design: what was done to betas before they were read. */
  readonly ledger: readonly FittedStep[];
  /** What else a reader should know: the recording, its training pictures. */
  readonly report: { readonly [key: string]: Json };
}

/** The heads in the order of the recipe, each with the index of its design. */
export function orderedHeads({ recipe, designs }: Pick<DescribedRun, 'recipe' | 'designs'>) {
  const all = designs.flatMap(({ heads }, design) => heads.map(({ head }) => ({ head, design })));
  return recipe.heads.map(({ name }) => all.find(({ head }) => head.name === name)!);
}
