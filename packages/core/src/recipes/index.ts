export { type RegionBands, regionBands } from './bands/regionBands.ts';
export type { BandWeights, RunBands } from './bands/weighBands.ts';
export { fittedSteps, headsBundle, headsConfigOf, renormalisationStep } from './bundle.ts';
export type { GpuCeiling } from './ceiling.ts';
export type { DescribedDesign, DescribedRun } from './describedRun.ts';
export { unitRows } from './designs.ts';
export { type RunBytes, runBytes } from './diskPlan.ts';
export { headsReport } from './headsReport.ts';
export { type MemoryHeadStore, memoryHeadStore } from './memoryStore.ts';
export { type Quirk, type QuirkCount, quirkInWords } from './quirks.ts';
export type {
  AlphaChoice as RecipeAlphaChoice,
  FoldSettings,
  HeadRenormalisation,
  HeadSettings,
  Published,
  Recipe,
  RecipeHead,
} from './recipe.ts';
export { fitHeads } from './run.ts';
export { checkGpuMemory, checkMemory } from './runMemory.ts';
export type {
  HeadOutcome,
  RunDesign,
  RunHead,
  RunKeep,
  RunOptions,
  RunOutcome,
  RunProgress,
  WeightedBands,
} from './runTypes.ts';
export { chooseRecipe, RECIPE_NAMES, RECIPES, type RecipeOverrides } from './settings.ts';
export type { ChosenAlphas, HeadSpec, HeadStore, StoredBlock, StoredHead, StoredRows } from './store.ts';
export {
  checkTargetShape,
  picturesOf,
  rowsInWords,
  type SplitPictures,
  targetRows,
  unitTokens,
} from './targets.ts';
